/** Lists rejected sessions of the last days, newest first. The work for one page is limited. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { dayMs } from '../contract/durations.ts'
import { type MailEvent, maxEventShards } from '../contract/events.ts'
import { byTime } from '../contract/messages-index.ts'
import { getItems } from '../dynamodb/get-items.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import { domainOf } from '../mail/address.ts'
import { type MailboxFilter, mailboxMatches } from '../mail/mailbox-filter.ts'
import { type HistoryFilter, mergeNewestFirst } from './history.ts'
import { hasMessageId } from './message-filter.ts'
import { ulidTime } from './message-keys.ts'
import { rejectedBucket, rejectedKey } from './rejected-keys.ts'

/**
 * The filters of messages that a rejection can have. The direction is known from RCPT TO on, the Message-ID at the end of
 * data. Rejections that are counted together have lost their details.
 */
export type RejectedFilter = Omit<HistoryFilter, 'state' | 'minSize'>

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

type RejectedColumns = Pick<
  MailEvent,
  | 'sender'
  | 'recipient'
  | 'inboundConnector'
  | 'clientIp'
  | 'count'
  | 'direction'
  | 'tlsVersion'
  | 'headerMessageId'
>

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

  /** @returns null when there is no such rejection, or when it has been deleted */
  async get(id: string): Promise<MailEvent | null> {
    const [item] = await getItems<{ event: MailEvent }>(this.#documents, this.#table, [rejectedKey(id)])
    return item?.event ?? null
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
  event: RejectedColumns,
  { sender, recipient, domain, connector, clientIp, ...details }: Omit<RejectedFilter, 'since' | 'until'>,
): boolean {
  return (
    isOf(event.sender, sender) &&
    isOf(event.recipient, recipient) &&
    (domain === null ||
      [event.sender, event.recipient].some((address = '') => domainOf(address) === domain)) &&
    (connector === null || event.inboundConnector === connector) &&
    (clientIp === null || event.clientIp === clientIp) &&
    detailsMatch(event, details)
  )
}

const isOf = (address: string | undefined, filter: MailboxFilter | null): boolean =>
  filter === null || (address !== undefined && mailboxMatches(address, filter))

function detailsMatch(
  event: RejectedColumns,
  { direction, tlsVersion, messageId }: Pick<RejectedFilter, 'direction' | 'tlsVersion' | 'messageId'>,
): boolean {
  // The events of an attack have a count instead of details: a version that is absent does not mean the clear.
  const clientTls = event.tlsVersion ?? (event.count === undefined ? 'None' : null)
  return (
    (direction === null || event.direction === direction) &&
    (tlsVersion === null || clientTls === tlsVersion) &&
    (messageId === null || hasMessageId(event.headerMessageId, messageId))
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
