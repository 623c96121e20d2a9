/**
 * The message trace: what happened to each recipient and why. `evaluate-policy` writes verdicts, a delivery
 * writes `Delivered`; an attempt's own record is its claim (claims.ts). A final state is never overwritten, so
 * duplicates and stragglers cannot bring a settled recipient back.
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
import type { Verdict } from '../policy/evaluate.ts'
import { indexKeys, messageKey, recipientKey } from './keys.ts'

export type RecipientState = 'Pending' | 'Delivered' | 'Deferred' | 'Bounced'

/** The state a verdict leads to; `Delivered` is a fact, not a verdict. */
export const stateOf = { Deliver: 'Pending', Defer: 'Deferred', Bounce: 'Bounced' } as const

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
   * @returns the state the recipient is in now
   */
  async recordVerdict(message: Message, verdict: Verdict, expiresAt: number): Promise<RecipientState> {
    const { recipient, action, reason, explanation, connectors, reportOnly } = verdict
    const keys = indexKeys(message.id, message.receivedAt, recipient.address)
    const recorded = await this.#updateOpen(message.id, recipient.address, {
      state: stateOf[action],
      verdict: { action, reason, explanation, connectors, reportOnly },
      until: action === 'Defer' ? verdict.until.toISOString() : null,
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
    })
    return recorded ? stateOf[action] : this.#state(message.id, recipient.address)
  }

  async recordDelivered(messageId: string, address: string): Promise<void> {
    await this.#updateOpen(messageId, address, { state: 'Delivered', until: null })
  }

  /** The outcome of the `attempts`-th attempt has been decided upon and passed on. */
  async recordDecided(messageId: string, address: string, attempts: number): Promise<void> {
    await this.#documents.send(
      new UpdateCommand({
        TableName: this.#table,
        Key: recipientKey(messageId, address),
        UpdateExpression: 'SET decidedAttempts = :attempts',
        ExpressionAttributeValues: { ':attempts': attempts },
      }),
    )
  }

  /** @returns by address, how many attempts were known when an outcome was last decided upon */
  async decidedAttempts(messageId: string, addresses: readonly string[]): Promise<Map<string, number>> {
    const decided = new Map<string, number>()
    let keys: Record<string, unknown>[] = addresses.map((address) => recipientKey(messageId, address))
    while (keys.length > 0) {
      const { Responses, UnprocessedKeys } = await this.#documents.send(
        new BatchGetCommand({
          RequestItems: {
            [this.#table]: {
              Keys: keys.splice(0, 100),
              ConsistentRead: true,
              ProjectionExpression: 'address, decidedAttempts',
            },
          },
        }),
      )
      for (const { address, decidedAttempts } of Responses?.[this.#table] ?? [])
        decided.set(address, decidedAttempts ?? 0)
      keys = keys.concat(UnprocessedKeys?.[this.#table]?.Keys ?? [])
    }
    return decided
  }

  async #state(messageId: string, address: string): Promise<RecipientState> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: recipientKey(messageId, address), ConsistentRead: true }),
    )
    if (!Item) throw new Error(`recipient ${address} of ${messageId} vanished from the trace`)
    return Item.state
  }

  async #updateOpen(messageId: string, address: string, fields: Record<string, unknown>): Promise<boolean> {
    const names = Object.keys(fields)
    try {
      await this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: recipientKey(messageId, address),
          UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(', ')}`,
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

function mapKeys<T>(names: readonly string[], entry: (name: string) => [string, T]): Record<string, T> {
  return Object.fromEntries(names.map(entry))
}
