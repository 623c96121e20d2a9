/**
 * Rejected sessions in the messages table, for the list of the last days. Each is an item of its own partition, and in
 * the index `byTime` under its day. The ingress limits their number: it counts the rejections of an attack together.
 */
import { BatchWriteCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { daySeconds } from '../contract/durations.ts'
import type { MailEvent } from '../contract/events.ts'
import { splitIntoParts } from '../contract/parts.ts'
import { expiryAfter } from '../dynamodb/expiry-after.ts'
import { rejectedIndexKeys, rejectedKey } from './rejected-keys.ts'

/** An event with at least these columns; the item holds all columns that the event has. */
type StoredEvent = Pick<MailEvent, 'id' | 'at'> & Partial<Record<string, unknown>>

/** Limit of BatchWriteItem. */
const maxWrites = 25
/** Tries of the items that a throttled table did not take. The batch of events is retried afterwards. */
const maxTries = 10

export class RejectedSessions {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #retentionDays: number

  constructor(documents: DynamoDBDocumentClient, table: string, retentionDays: number) {
    this.#documents = documents
    this.#table = table
    this.#retentionDays = retentionDays
  }

  /** Puts the events. A repetition puts the same items again. */
  async store(events: readonly StoredEvent[]): Promise<void> {
    // One request must not contain a key twice.
    const items = [...new Map(events.map((event) => [event.id, this.#itemOf(event)])).values()]
    const parts = splitIntoParts({ items: maxWrites, octets: Infinity }, items, () => 0)
    await Promise.all(parts.map((part) => this.#put(part)))
  }

  #itemOf(event: StoredEvent): Record<string, unknown> {
    const { id, at, sender, clientIp, inboundConnector } = event
    const time = new Date(at)
    return {
      ...rejectedKey(id),
      ...rejectedIndexKeys(id, time),
      event,
      // Attributes of the index by which all its lists are filtered.
      ...(typeof sender === 'string' && { sender }),
      ...(typeof clientIp === 'string' && { clientIp }),
      connectors: typeof inboundConnector === 'string' ? [inboundConnector] : [],
      expiresAt: expiryAfter(time, this.#retentionDays * daySeconds),
    }
  }

  async #put(items: readonly Record<string, unknown>[]): Promise<void> {
    let requests: Record<string, unknown>[] = items.map((Item) => ({ PutRequest: { Item } }))
    for (let tries = 0; requests.length > 0; tries++) {
      if (tries === maxTries) throw new Error(`the messages table did not take ${requests.length} items`)
      const { UnprocessedItems } = await this.#documents.send(
        new BatchWriteCommand({ RequestItems: { [this.#table]: requests } }),
      )
      requests = UnprocessedItems?.[this.#table] ?? []
    }
  }
}
