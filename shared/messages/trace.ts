/**
 * Writes the message trace: the history of each recipient, with reasons. `evaluate-policy` writes verdicts.
 * `deliver-message` writes the state `Delivered`, and so does `evaluate-policy` when a job reports a delivery. The
 * record of an attempt is its claim (claims.ts). The API records that an administrator releases or returns a message. A
 * final state is never overwritten, so a late or duplicate job cannot
 * reopen a settled recipient.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import {
  BatchGetCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { isCanary, type Message } from '../contract/message.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { formatReply } from '../mail/reply.ts'
import type { Verdict } from '../policy/evaluate.ts'
import type { Considered } from '../policy/explain/considered.ts'
import { indexKeys, messageKey, recipientKey } from './message-keys.ts'

export type RecipientState = 'Pending' | 'Delivered' | 'Deferred' | 'Bounced'

/** The state after a verdict. `Delivered` comes from an attempt. */
const stateAfterVerdict = { Deliver: 'Pending', Defer: 'Deferred', Bounce: 'Bounced' } as const

/** A kept requirement in a recipient's item. `since`: the time of its decision, ISO 8601. */
export interface RequirementReference {
  digest: string
  since: string
}

/** A request of an administrator. `by`: IAM principal, or subject of the token. */
export interface AdministratorRequest {
  at: string
  by: string
}

export interface RecordedVerdict {
  /** The verdict to execute; null when nothing remains to be done. */
  executed: Verdict | null
  /** The requirement that the recipient keeps after this write; null when there is none, or nothing was written. */
  requirement: RequirementReference | null
}

export interface Progress {
  state: RecipientState
  /**
   * The latest position (`jobPosition`) of a job whose follow-up jobs were sent. Empty until a second job is decided,
   * because the first job of a message is not marked.
   */
  decided: string
  requirement: RequirementReference | null
  isReleased: boolean
  isReturned: boolean
}

/**
 * Returns the position of a job among the jobs of its recipient, as text that sorts. The outcome of an attempt comes
 * before the timers that follow it, and an earlier timer before a later one.
 * @param attempts number of attempts before the job
 * @param notBefore time of a timer, null for an outcome
 */
export function jobPosition(attempts: number, notBefore: string | null): string {
  return `${String(attempts).padStart(5, '0')}#${notBefore ?? ''}`
}

/** The time of a verdict, the connectors' version behind it, and the connectors that were evaluated. */
export interface DecisionContext {
  at: Date
  connectorsVersion: number
  considered(verdict: Verdict): Considered[]
}

const notFinal = '(attribute_not_exists(#state) OR #state IN (:pending, :deferred))'
const hasNoLaterAttempt = '(attribute_not_exists(attempts) OR attempts <= :attempts)'
const openStates = { ':pending': 'Pending', ':deferred': 'Deferred' }

export class Trace {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** @param expiresAt seconds since the epoch */
  async recordMessage(message: Message, expiresAt: number): Promise<void> {
    await this.#documents.send(
      new PutCommand({ TableName: this.#table, Item: { ...messageKey(message.id), message, expiresAt } }),
    )
  }

  /**
   * Writes a verdict and its state unless the recipient is settled or has a later attempt.
   * @param newRequirement digest of the requirement to keep; the recipient's first one is not replaced
   * @returns as the verdict to execute: this verdict; or the bounce that already settled the recipient, because its
   * writer may have died before it sent the job
   */
  async recordVerdict(
    message: Message,
    verdict: Verdict,
    { at, connectorsVersion, considered }: DecisionContext,
    expiresAt: number,
    newRequirement: string | null = null,
  ): Promise<RecordedVerdict> {
    const { recipient, action, reason, explanation, connectors, reportOnly, decidedBy, lowered } = verdict
    const keys = indexKeys(message.id, message.receivedAt, recipient.address)
    const item = await this.#updateUnsettled(message.id, recipient.address, {
      state: stateAfterVerdict[action],
      verdict: {
        action,
        reason,
        explanation,
        connectors,
        reportOnly,
        at: at.toISOString(),
        connectorsVersion,
        reply: action === 'Deliver' ? null : formatReply(verdict.reply),
        considered: considered(verdict),
        lowered,
      },
      until: action === 'Defer' ? verdict.until.toISOString() : null,
      givenUpAt: action === 'Defer' ? verdict.expiresAt.toISOString() : null,
      bounced:
        action === 'Bounce'
          ? { reply: verdict.reply, decidedBy, mayReturnContent: verdict.mayReturnContent === true }
          : null,
      recipient: {
        ...recipient,
        delayNotified: recipient.delayNotified || (action === 'Defer' && verdict.notifyDelay),
      },
      address: recipient.address,
      attempts: recipient.attempts,
      sender: message.envelope.mailFrom,
      connectors: [connectors.inbound, connectors.outbound].filter((id) => id !== null),
      // Without these keys the index does not contain the recipient, so no list shows a canary.
      ...(!isCanary(message, recipient) && { bucket: keys.bucket, order: keys.order }),
      expiresAt,
      ...(isHeld(verdict) && { firstHeld: { at: at.toISOString(), reason, explanation } }),
      ...(newRequirement !== null && { requirement: { digest: newRequirement, since: at.toISOString() } }),
    })
    if (item === null) return { executed: await this.recordedBounce(message.id, verdict), requirement: null }
    return { executed: withoutContentUnderRequirement(verdict, item), requirement: item.requirement ?? null }
  }

  /**
   * Lets a waiting recipient leave with the current connectors, and records who requested that.
   * @returns false when the recipient is settled, or keeps no requirement
   */
  recordRelease(messageId: string, address: string, released: AdministratorRequest): Promise<boolean> {
    return unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: recipientKey(messageId, address),
          UpdateExpression: 'SET released = :released REMOVE requirement',
          ConditionExpression: `${notFinal} AND attribute_exists(requirement)`,
          ExpressionAttributeNames: { '#state': 'state' },
          ExpressionAttributeValues: { ...openStates, ':released': released },
        }),
      ),
    )
  }

  /**
   * Lets the next decision bounce a waiting recipient, and records who requested that.
   * @returns false when the recipient is settled
   */
  recordReturn(messageId: string, address: string, returned: AdministratorRequest): Promise<boolean> {
    return unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: recipientKey(messageId, address),
          UpdateExpression: 'SET returned = :returned',
          ConditionExpression: notFinal,
          ExpressionAttributeNames: { '#state': 'state' },
          ExpressionAttributeValues: { ...openStates, ':returned': returned },
        }),
      ),
    )
  }

  /** @returns the bounce that settled this verdict's recipient, or null */
  async recordedBounce(messageId: string, { recipient }: Verdict): Promise<Verdict | null> {
    const key = recipientKey(messageId, recipient.address)
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    if (Item?.state !== 'Bounced') return null
    return withoutContentUnderRequirement({ ...Item.verdict, ...Item.bounced, recipient }, Item)
  }

  async recordDelivered(messageId: string, address: string): Promise<void> {
    await this.#updateUnsettled(messageId, address, {
      state: 'Delivered',
      until: null,
      givenUpAt: null,
      address,
    })
  }

  /** Records that the follow-up jobs of the job at this position have been sent. Positions only increase. */
  async recordDecided(messageId: string, address: string, position: string): Promise<void> {
    await unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: recipientKey(messageId, address),
          UpdateExpression: 'SET decided = :position',
          ConditionExpression: 'attribute_not_exists(decided) OR decided < :position',
          ExpressionAttributeValues: { ':position': position },
        }),
      ),
    )
  }

  /** @returns the progress by address; a recipient that was never evaluated is missing */
  async progress(messageId: string, addresses: readonly string[]): Promise<Map<string, Progress>> {
    const progress = new Map<string, Progress>()
    let keys: Record<string, unknown>[] = addresses.map((address) => recipientKey(messageId, address))
    while (keys.length > 0) {
      const { Responses, UnprocessedKeys } = await this.#documents.send(
        new BatchGetCommand({
          RequestItems: {
            [this.#table]: {
              Keys: keys.splice(0, 100),
              ConsistentRead: true,
              ProjectionExpression: 'address, #state, decided, requirement, released, returned',
              ExpressionAttributeNames: { '#state': 'state' },
            },
          },
        }),
      )
      for (const item of Responses?.[this.#table] ?? [])
        progress.set(item.address, {
          state: item.state,
          decided: item.decided ?? '',
          requirement: item.requirement ?? null,
          isReleased: item.released !== undefined,
          isReturned: item.returned !== undefined,
        })
      keys = keys.concat(UnprocessedKeys?.[this.#table]?.Keys ?? [])
    }
    return progress
  }

  /** @returns the item after the write; null when the recipient is settled or has a later attempt */
  async #updateUnsettled(
    messageId: string,
    address: string,
    fields: Record<string, unknown>,
  ): Promise<Record<string, RequirementReference | undefined> | null> {
    const names = Object.keys(fields)
    try {
      const { Attributes } = await this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: recipientKey(messageId, address),
          UpdateExpression: `SET ${names.map(assignment).join(', ')}`,
          ConditionExpression: names.includes('attempts') ? `${notFinal} AND ${hasNoLaterAttempt}` : notFinal,
          ExpressionAttributeNames: { '#state': 'state', ...mapKeys(names, (name) => [`#${name}`, name]) },
          ExpressionAttributeValues: {
            ...openStates,
            ...mapKeys(names, (name) => [`:${name}`, fields[name]]),
          },
          ReturnValues: 'ALL_NEW',
        }),
      )
      return Attributes ?? {}
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return null
      throw error
    }
  }
}

/**
 * True when the recipient is deferred without an attempt. A deferral after a failed attempt is in the attempt's result.
 */
const isHeld = ({ action, reason }: Verdict): boolean =>
  action === 'Defer' && reason !== 'RetryLater' && reason !== 'OutboundTlsNotMet'

/** Fields that keep their first value. A list that is read page by page must not meet a message at two positions. */
const writeOnceFields = new Set(['firstHeld', 'requirement', 'bucket', 'order'])

/**
 * A bounce that did not know of a kept requirement, such as that of a repeated first job, must not return the content
 * in a DSN that may leave in the clear.
 */
const withoutContentUnderRequirement = (
  verdict: Verdict,
  { requirement }: Record<string, unknown>,
): Verdict =>
  verdict.action === 'Bounce' && requirement !== undefined ? { ...verdict, mayReturnContent: false } : verdict

const assignment = (name: string): string =>
  writeOnceFields.has(name) ? `#${name} = if_not_exists(#${name}, :${name})` : `#${name} = :${name}`

function mapKeys<T>(names: readonly string[], entry: (name: string) => [string, T]): Record<string, T> {
  return Object.fromEntries(names.map(entry))
}
