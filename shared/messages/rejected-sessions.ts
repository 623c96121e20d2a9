/**
 * Rejected sessions in the messages table, for the list of the last days. Each is an item of its own partition, and in
 * the index `byTime` under its day. The ingress limits their number: it counts the rejections of an attack together.
 */
import { BatchGetCommand, BatchWriteCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { dayMs, daySeconds } from '../contract/durations.ts'
import { type MailEvent, maxEventShards, shardOfMessage } from '../contract/events.ts'
import { splitIntoParts } from '../contract/parts.ts'
import { expiryAfter } from '../dynamodb/expiry-after.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import { type AddressFilter, addressMatches, mergeNewestFirst } from './history.ts'
import { byTime, ulidTime } from './message-keys.ts'

/** An event with at least these columns; the item holds all columns that the event has. */
type StoredEvent = Pick<MailEvent, 'id' | 'at'> & Partial<Record<string, unknown>>

export interface RejectedFilter {
  since: Date
  until: Date
  sender: AddressFilter | null
  recipient: AddressFilter | null
  connector: string | null
  clientIp: string | null
}

/** The position of an event: its day, and its order in the index. */
export interface RejectedPosition {
  /** `YYYY-MM-DD` */
  day: string
  before: string
}

export interface RejectedPage {
  events: MailEvent[]
  next: RejectedPosition | null
}

interface IndexRow {
  pk: string
  order: string
}

const sk = 'event'
const partitionKey = (id: string): string => `rejected#${id}`
const bucketOf = (day: string, shard: number): string => `rejected#${day}#${String(shard).padStart(2, '0')}`

/** Limits of BatchWriteItem and BatchGetItem. */
const maxWrites = 25
const maxReads = 100
const rowsPerQuery = 250
/** A page ends after this number of events, so that a filter with few matches does not read a whole day. */
const maxRowsPerPage = 5000

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
      pk: partitionKey(id),
      sk,
      bucket: bucketOf(time.toISOString().slice(0, 10), shardOfMessage(id)),
      order: `${ulidTime(time.getTime())}#${id}`,
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

  /** @param from the position where the previous page ended, null for the first */
  async page(filter: RejectedFilter, from: RejectedPosition | null, limit: number): Promise<RejectedPage> {
    const events: MailEvent[] = []
    let read = 0
    let rows: { day: string; row: IndexRow }[] = []
    const take = async (): Promise<RejectedPosition | null> => {
      const loaded = await this.#load(rows.map(({ row }) => row.pk))
      for (const { day, row } of rows) {
        const event = loaded.get(row.pk)
        if (event !== undefined && rejectedMatches(event, filter)) events.push(event)
        if (events.length === limit) return { day, before: row.order }
      }
      rows = []
      return null
    }
    for await (const row of this.#rows(filter, from)) {
      rows.push(row)
      read += 1
      if (rows.length < maxReads && read < maxRowsPerPage) continue
      const next = await take()
      if (next !== null) return { events, next }
      if (read >= maxRowsPerPage) return { events, next: { day: row.day, before: row.row.order } }
    }
    return { events, next: await take() }
  }

  async *#rows(
    { since, until }: Pick<RejectedFilter, 'since' | 'until'>,
    from: RejectedPosition | null,
  ): AsyncGenerator<{ day: string; row: IndexRow }> {
    const low = ulidTime(since.getTime())
    const high = ulidTime(until.getTime())
    for (const day of daysOf(since, until)) {
      if (from && day > from.day) continue
      const end = from?.day === day && from.before < high ? from.before : high
      if (end < low) return
      const buckets = Array.from({ length: maxEventShards }, (_, shard) => bucketOf(day, shard))
      const shards = buckets.map((bucket) => this.#bucket(bucket, low, end))
      for await (const row of mergeNewestFirst(shards)) if (row.order < end) yield { day, row }
    }
  }

  #bucket(bucket: string, low: string, end: string): AsyncGenerator<IndexRow> {
    return queryItems<IndexRow>(this.#documents, {
      TableName: this.#table,
      IndexName: byTime,
      KeyConditionExpression: '#bucket = :bucket AND #order BETWEEN :low AND :end',
      ExpressionAttributeNames: { '#bucket': 'bucket', '#order': 'order' },
      ExpressionAttributeValues: { ':bucket': bucket, ':low': low, ':end': end },
      ScanIndexForward: false,
      Limit: rowsPerQuery,
    })
  }

  async #load(partitions: readonly string[]): Promise<Map<string, MailEvent>> {
    const events = new Map<string, MailEvent>()
    let keys: Record<string, unknown>[] = partitions.map((pk) => ({ pk, sk }))
    while (keys.length > 0) {
      const { Responses, UnprocessedKeys } = await this.#documents.send(
        new BatchGetCommand({ RequestItems: { [this.#table]: { Keys: keys } } }),
      )
      for (const item of Responses?.[this.#table] ?? []) events.set(item.pk, item.event)
      keys = UnprocessedKeys?.[this.#table]?.Keys ?? []
    }
    return events
  }
}

/** Tries of the items that a throttled table did not take. The batch of events is retried afterwards. */
const maxTries = 10

export function rejectedMatches(
  event: Pick<MailEvent, 'sender' | 'recipient' | 'inboundConnector' | 'clientIp'>,
  { sender, recipient, connector, clientIp }: Omit<RejectedFilter, 'since' | 'until'>,
): boolean {
  const matches = (address: string | undefined, filter: AddressFilter | null) =>
    filter === null || (address !== undefined && addressMatches(address, filter))
  return (
    matches(event.sender, sender) &&
    matches(event.recipient, recipient) &&
    (connector === null || event.inboundConnector === connector) &&
    (clientIp === null || event.clientIp === clientIp)
  )
}

/** Returns the UTC days of the span, newest first. */
function daysOf(since: Date, until: Date): string[] {
  const first = Math.floor(since.getTime() / dayMs)
  const last = Math.floor((until.getTime() - 1) / dayMs)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) =>
    new Date((last - index) * dayMs).toISOString().slice(0, 10),
  )
}
