/** Lists rejected sessions of the last days, newest first. The work for one page is limited. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { dayMs } from '../contract/durations.ts'
import { type MailEvent, maxEventShards } from '../contract/events.ts'
import { byTime } from '../contract/messages-index.ts'
import { getItems } from '../dynamodb/get-items.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import { type AddressFilter, addressMatches, mergeNewestFirst } from './history.ts'
import { ulidTime } from './message-keys.ts'
import { rejectedBucket } from './rejected-keys.ts'

export interface RejectedFilter {
  since: Date
  until: Date
  sender: AddressFilter | null
  recipient: AddressFilter | null
  connector: string | null
  clientIp?: string | null
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
  sk: string
  order: string
}

/** Limit of BatchGetItem. */
const maxReads = 100
const rowsPerQuery = 250
/** A page ends after this number of events, so that a filter with few matches does not read a whole day. */
const maxRowsPerPage = 5000

export class RejectedList {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** @param from the position where the previous page ended, null for the first */
  async page(filter: RejectedFilter, from: RejectedPosition | null, limit: number): Promise<RejectedPage> {
    const events: MailEvent[] = []
    let read = 0
    let rows: { day: string; row: IndexRow }[] = []
    const take = async (): Promise<RejectedPosition | null> => {
      const loaded = await this.#load(rows.map(({ row }) => row))
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
      const buckets = Array.from({ length: maxEventShards }, (_, shard) => rejectedBucket(day, shard))
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

  /** @returns the events by `pk` */
  async #load(rows: readonly IndexRow[]): Promise<Map<string, MailEvent>> {
    const keys = rows.map(({ pk, sk }) => ({ pk, sk }))
    const items = await getItems<{ pk: string; event: MailEvent }>(this.#documents, this.#table, keys)
    return new Map(items.map(({ pk, event }) => [pk, event]))
  }
}

export function rejectedMatches(
  event: Pick<MailEvent, 'sender' | 'recipient' | 'inboundConnector' | 'clientIp'>,
  { sender, recipient, connector, clientIp = null }: Omit<RejectedFilter, 'since' | 'until'>,
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
