/**
 * The message trace: what happened to each recipient and why. `evaluate-policy` writes verdicts. A delivery
 * writes `Delivered`, as does `evaluate-policy` when a delivery reports it. An attempt's own record is its claim
 * (claims.ts). A final state is never overwritten, so duplicates and stragglers cannot bring a settled recipient back.
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
import { indexKeys, messageKey, recipientKey } from './keys.ts'

export type RecipientState = 'Pending' | 'Delivered' | 'Deferred' | 'Bounced'

/** The state a verdict leads to; `Delivered` is a fact, not a verdict. */
const stateOf = { Deliver: 'Pending', Defer: 'Deferred', Bounce: 'Bounced' } as const

/** How far a recipient has come. */
export interface Progress {
  state: RecipientState
  /** Position of the last job that was decided upon and passed on; empty before any. */
  decided: string
}

/**
 * Where a job stands among those of its recipient, as text that sorts: an outcome of an attempt before the timers
 * that follow it, a timer before later ones.
 * @param notBefore of a timer, null of an outcome
 */
export function positionOf(attempts: number, notBefore: string | null): string {
  return `${String(attempts).padStart(5, '0')}#${notBefore ?? ''}`
}

/** When a verdict was reached, by which state of the connectors, and which of them were considered. */
export interface Circumstances {
  at: Date
  connectorsVersion: number
  considered(verdict: Verdict): Considered[]
}

const notFinal = '(attribute_not_exists(#state) OR #state IN (:pending, :deferred))'
const notOvertaken = '(attribute_not_exists(attempts) OR attempts <= :attempts)'
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
   * Keeps a verdict with the state it leads to, unless the recipient is settled or has come further.
   * @returns the verdict to follow: the given one; or the bounce that settled the recipient before, since whoever
   * recorded that may have died before it was passed on; or null when nothing more is to happen
   */
  async recordVerdict(
    message: Message,
    verdict: Verdict,
    { at, connectorsVersion, considered }: Circumstances,
    expiresAt: number,
  ): Promise<Verdict | null> {
    const { recipient, action, reason, explanation, connectors, reportOnly, decidedBy } = verdict
    const keys = indexKeys(message.id, message.receivedAt, recipient.address)
    const recorded = await this.#updateOpen(message.id, recipient.address, {
      state: stateOf[action],
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

  /** @returns the bounce that settled the recipient of this verdict, or null when none has */
  async recordedBounce(messageId: string, { recipient }: Verdict): Promise<Verdict | null> {
    const key = recipientKey(messageId, recipient.address)
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    return Item?.state === 'Bounced' ? { ...Item.verdict, ...Item.bounced, recipient } : null
  }

  async recordDelivered(messageId: string, address: string): Promise<void> {
    await this.#updateOpen(messageId, address, { state: 'Delivered', until: null, givenUpAt: null, address })
  }

  /** What the job of this position led to has been passed on. Positions only ever advance. */
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

  /** @returns by address, how far each recipient has come; one that was never evaluated is missing */
  async progress(messageId: string, addresses: readonly string[]): Promise<Map<string, Progress>> {
    const found = new Map<string, Progress>()
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
        found.set(address, { state, decided: decided ?? '' })
      keys = keys.concat(UnprocessedKeys?.[this.#table]?.Keys ?? [])
    }
    return found
  }

  async #updateOpen(messageId: string, address: string, fields: Record<string, unknown>): Promise<boolean> {
    const names = Object.keys(fields)
    try {
      await this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: recipientKey(messageId, address),
          UpdateExpression: `SET ${names.map(assignment).join(', ')}`,
          ConditionExpression: names.includes('attempts') ? `${notFinal} AND ${notOvertaken}` : notFinal,
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

/** Waits for a connector, not for the next attempt after one whose own record speaks of it. */
const isHeld = ({ action, reason }: Verdict): boolean =>
  action === 'Defer' && reason !== 'RetryLater' && reason !== 'OutboundTlsNotMet'

/** What stays as it was written first. */
const kept = new Set(['firstHeld'])

const assignment = (name: string): string =>
  kept.has(name) ? `#${name} = if_not_exists(#${name}, :${name})` : `#${name} = :${name}`

function mapKeys<T>(names: readonly string[], entry: (name: string) => [string, T]): Record<string, T> {
  return Object.fromEntries(names.map(entry))
}
