/**
 * Writes the message trace: the history of each recipient, with reasons. `evaluate-policy` writes verdicts.
 * `deliver-message` writes the state `Delivered`, and so does `evaluate-policy` when a job reports a delivery. The
 * record of an attempt is its claim (claims.ts). A final state is never overwritten, so a late or duplicate job cannot
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
import type { Message } from '../contract/message.ts'
import { formatReply } from '../mail/reply.ts'
import type { Verdict } from '../policy/evaluate.ts'
import type { Considered } from '../policy/explain/considered.ts'
import { indexKeys, messageKey, recipientKey } from './message-keys.ts'

export type RecipientState = 'Pending' | 'Delivered' | 'Deferred' | 'Bounced'

/** The state after a verdict. `Delivered` comes from an attempt. */
const stateAfterVerdict = { Deliver: 'Pending', Defer: 'Deferred', Bounce: 'Bounced' } as const

export interface Progress {
  state: RecipientState
  /**
   * The latest position (`jobPosition`) of a job whose follow-up jobs were sent. Empty until a second job is decided,
   * because the first job of a message is not marked.
   */
  decided: string
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
   * @returns the verdict to execute: this verdict; or the bounce that already settled the recipient, because its writer
   * may have died before it sent the job; or null when nothing remains to be done
   */
  async recordVerdict(
    message: Message,
    verdict: Verdict,
    { at, connectorsVersion, considered }: DecisionContext,
    expiresAt: number,
  ): Promise<Verdict | null> {
    const { recipient, action, reason, explanation, connectors, reportOnly, decidedBy } = verdict
    const keys = indexKeys(message.id, message.receivedAt, recipient.address)
    const recorded = await this.#updateUnsettled(message.id, recipient.address, {
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
      bucket: keys.bucket,
      order: keys.order,
      expiresAt,
      ...(isHeld(verdict) && { firstHeld: { at: at.toISOString(), reason, explanation } }),
    })
    return recorded ? verdict : this.recordedBounce(message.id, verdict)
  }

  /** @returns the bounce that settled this verdict's recipient, or null */
  async recordedBounce(messageId: string, { recipient }: Verdict): Promise<Verdict | null> {
    const key = recipientKey(messageId, recipient.address)
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    return Item?.state === 'Bounced' ? { ...Item.verdict, ...Item.bounced, recipient } : null
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
    try {
      await this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: recipientKey(messageId, address),
          UpdateExpression: 'SET decided = :position',
          ConditionExpression: 'attribute_not_exists(decided) OR decided < :position',
          ExpressionAttributeValues: { ':position': position },
        }),
      )
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error
    }
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
              ProjectionExpression: 'address, #state, decided',
              ExpressionAttributeNames: { '#state': 'state' },
            },
          },
        }),
      )
      for (const { address, state, decided } of Responses?.[this.#table] ?? [])
        progress.set(address, { state, decided: decided ?? '' })
      keys = keys.concat(UnprocessedKeys?.[this.#table]?.Keys ?? [])
    }
    return progress
  }

  async #updateUnsettled(
    messageId: string,
    address: string,
    fields: Record<string, unknown>,
  ): Promise<boolean> {
    const names = Object.keys(fields)
    try {
      await this.#documents.send(
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
        }),
      )
      return true
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false
      throw error
    }
  }
}

/**
 * True when the recipient is deferred without an attempt. A deferral after a failed attempt is in the attempt's result.
 */
const isHeld = ({ action, reason }: Verdict): boolean =>
  action === 'Defer' && reason !== 'RetryLater' && reason !== 'OutboundTlsNotMet'

/** Fields that keep their first value. */
const writeOnceFields = new Set(['firstHeld'])

const assignment = (name: string): string =>
  writeOnceFields.has(name) ? `#${name} = if_not_exists(#${name}, :${name})` : `#${name} = :${name}`

function mapKeys<T>(names: readonly string[], entry: (name: string) => [string, T]): Record<string, T> {
  return Object.fromEntries(names.map(entry))
}
