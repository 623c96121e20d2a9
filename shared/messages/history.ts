/**
 * Reads the trace: one message, or the messages of a span of time, newest first. A day's messages are spread
 * over several index partitions, which are read side by side and merged. The work for one page is bounded: a
 * filter that matches little yields short or empty pages, each saying where the next one begins.
 */
import { BatchGetCommand, type DynamoDBDocumentClient, type QueryCommandInput } from '@aws-sdk/lib-dynamodb'
import { encodeTime } from 'ulid'
import { dayMs, hourMs } from '../contract/durations.ts'
import { Message, Recipient } from '../contract/message.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import { domainOf } from '../mail/address.ts'
import { normaliseDomain } from '../mail/domain.ts'
import type { ClaimKey } from './claims.ts'
import { type TraceEntry, type TraceItem, traceEntry } from './entry.ts'
import { bucketsOfDay, byTime, messageKey, recipientKey } from './keys.ts'
import type { RecipientState } from './trace.ts'

/** Times of receipt, from `since` inclusive to `until` exclusive. */
export interface Span {
  since: Date
  until: Date
}

export interface HistoryFilter extends Span {
  sender: AddressFilter | null
  /** With `state` and `connector`: a message is found when one of its recipients meets all that is asked. */
  recipient: AddressFilter | null
  state: RecipientState | null
  connector: string | null
}

export type AddressFilter = { kind: 'address'; address: string } | { kind: 'domain'; domain: string }

/** Where a page ended: messages of that day with a smaller id come next, then the days before. */
export interface HistoryPosition {
  /** `YYYY-MM-DD` */
  day: string
  before: string
}

export interface HistoryPage {
  entries: TraceEntry[]
  next: HistoryPosition | null
}

/** Messages by their positions, none of them loaded. */
export interface Found {
  found: HistoryPosition[]
  /** Where to go on, null when the span is exhausted. */
  stoppedAt: HistoryPosition | null
}

/** A message and how far its recipients have come, as whoever takes up its work needs them. */
export interface Undertaking {
  message: Message
  recipients: { recipient: Recipient; state: RecipientState; connectors: string[] }[]
}

/** A recipient as the index has it. */
export interface IndexRow {
  /** Message id. */
  pk: string
  /** `ID#ADDRESS` */
  order: string
  sender: string
  state: RecipientState
  connectors: string[]
}

const rowsPerQuery = 250
/** What DynamoDB reads in one request. */
const itemsPerRequest = 100
/** Octets of JSON after which a page ends; a function may answer 6 MB. */
const largestPage = 4_000_000
const entriesAtOnce = 8
/** An id may be made a little before or after the time of receipt; the span is exact, the index read is wider. */
const idSkewMs = hourMs

/**
 * @param text a mailbox, a domain, or `<>` for the null reverse path
 * @returns null when it is none of these
 */
export function parseAddressFilter(text: string): AddressFilter | null {
  if (text === '<>') return { kind: 'address', address: '' }
  if (text.includes('@')) return { kind: 'address', address: text }
  const domain = normaliseDomain(text)
  return domain === null ? null : { kind: 'domain', domain }
}

/** RFC 5321 §2.4: the local part keeps its letter case, the domain does not. */
export function addressMatches(address: string, filter: AddressFilter): boolean {
  if (filter.kind === 'domain') return domainOf(address) === filter.domain
  if (address === filter.address) return true
  const domain = domainOf(address)
  return (
    domain !== null && domain === domainOf(filter.address) && localPart(address) === localPart(filter.address)
  )
}

const localPart = (address: string): string => address.slice(0, address.lastIndexOf('@'))

export function rowMatches(row: IndexRow, { sender, recipient, state, connector }: HistoryFilter): boolean {
  return (
    (state === null || row.state === state) &&
    (connector === null || row.connectors.includes(connector)) &&
    (sender === null || addressMatches(row.sender, sender)) &&
    (recipient === null || addressMatches(row.order.slice(row.pk.length + 1), recipient))
  )
}

export class History {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #rowsPerPage: number

  /** @param rowsPerPage index rows looked at for one page, rounded up to a whole message */
  constructor(documents: DynamoDBDocumentClient, table: string, rowsPerPage = 5000) {
    this.#documents = documents
    this.#table = table
    this.#rowsPerPage = rowsPerPage
  }

  /** @returns null when there is no such message, or none any more */
  async entry(id: string): Promise<TraceEntry | null> {
    const items: TraceItem[] = []
    const ofMessage = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': id } }
    for await (const item of this.#query<TraceItem>({ ...ofMessage, ConsistentRead: true })) items.push(item)
    const entry = traceEntry(items)
    return entry && this.#withStatesOfDsns(entry)
  }

  /** A DSN is a message of its own, to the sender; its failure is told to nobody, so it is shown with what it tells of. */
  async #withStatesOfDsns(entry: TraceEntry): Promise<TraceEntry> {
    const { envelope, recipients } = entry
    const dsns = new Set(
      recipients.flatMap(({ notifications }) => notifications.flatMap(({ message }) => message ?? [])),
    )
    const items = await this.#items<TraceItem & { pk: string }>(
      [...dsns].map((dsn) => recipientKey(dsn, envelope.mailFrom)),
    )
    const states = new Map(items.map(({ pk, state }) => [pk, state ?? null]))
    const withState = <T extends { message: string | null }>(notification: T) => ({
      ...notification,
      state: states.get(notification.message ?? '') ?? null,
    })
    return {
      ...entry,
      recipients: recipients.map((recipient) => ({
        ...recipient,
        notifications: recipient.notifications.map(withState),
      })),
    }
  }

  /**
   * Read consistently, and without the attempts, of which there may be many more.
   * @returns null when there is no such message, or none any more
   */
  async undertaking(id: string): Promise<Undertaking | null> {
    const items: TraceItem[] = []
    const query = {
      // In the order of their sort keys the attempts and DSNs come before the message, its recipients after it.
      KeyConditionExpression: 'pk = :pk AND sk >= :sk',
      ExpressionAttributeValues: { ':pk': id, ':sk': messageKey(id).sk },
      ConsistentRead: true,
    }
    for await (const item of this.#query<TraceItem>(query)) items.push(item)
    const message = items.find((item) => item.message)?.message
    if (!message) return null
    const recipients = items.flatMap(({ recipient, state = 'Pending', connectors = [] }) =>
      recipient ? [{ recipient: Recipient.parse(recipient), state, connectors }] : [],
    )
    return { message: Message.parse(message), recipients }
  }

  /** @returns the messages that there are, in no order */
  async messages(ids: readonly string[]): Promise<Message[]> {
    const items = await this.#items<{ message?: unknown }>(ids.map(messageKey))
    return items.map(({ message }) => Message.parse(message))
  }

  /** @returns the items that there are, in no order */
  async #items<T>(keys: readonly ClaimKey[]): Promise<T[]> {
    const parts: ClaimKey[][] = []
    for (let start = 0; start < keys.length; start += itemsPerRequest)
      parts.push(keys.slice(start, start + itemsPerRequest))
    return (await Promise.all(parts.map((part) => this.#itemsOfRequest<T>(part)))).flat()
  }

  async #itemsOfRequest<T>(given: readonly ClaimKey[]): Promise<T[]> {
    const items: T[] = []
    let keys: Record<string, unknown>[] = given.map((key) => ({ ...key }))
    while (keys.length > 0) {
      const { Responses, UnprocessedKeys } = await this.#documents.send(
        new BatchGetCommand({ RequestItems: { [this.#table]: { Keys: keys } } }),
      )
      items.push(...((Responses?.[this.#table] ?? []) as T[]))
      keys = UnprocessedKeys?.[this.#table]?.Keys ?? []
    }
    return items
  }

  /** @param from where the page before ended, null for the first */
  async page(filter: HistoryFilter, from: HistoryPosition | null, limit: number): Promise<HistoryPage> {
    const { found, stoppedAt } = await this.find(filter, (row) => rowMatches(row, filter), from, limit)
    const entries: TraceEntry[] = []
    let size = 0
    for (let start = 0; start < found.length; start += entriesAtOnce) {
      const some = found.slice(start, start + entriesAtOnce)
      const loaded = await Promise.all(some.map(({ before }) => this.entry(before)))
      const wanted = loaded.filter((entry) => entry !== null && isWithin(entry, filter)) as TraceEntry[]
      entries.push(...wanted)
      size += JSON.stringify(wanted).length
      const last = some.at(-1)
      if (size > largestPage && last && last !== found.at(-1)) return { entries, next: last }
    }
    return { entries, next: stoppedAt }
  }

  /**
   * Messages with a row that matches; their times of receipt are still to be held against the span.
   * @param from where the search before stopped, null for the first
   */
  async find(
    span: Span,
    matches: (row: IndexRow) => boolean,
    from: HistoryPosition | null,
    limit: number,
  ): Promise<Found> {
    const found: HistoryPosition[] = []
    let rows = 0
    let current = null as HistoryPosition | null
    for await (const { day, row } of this.#rows(span, from)) {
      if (current?.before !== row.pk) {
        // Only between messages: the rest of a message's recipients must be looked at with the first.
        if (found.length === limit || rows >= this.#rowsPerPage) return { found, stoppedAt: current }
        current = { day, before: row.pk }
      }
      rows += 1
      if (found.at(-1) !== current && matches(row)) found.push(current)
    }
    return { found, stoppedAt: null }
  }

  async *#rows(
    { since, until }: Span,
    from: HistoryPosition | null,
  ): AsyncGenerator<{ day: string; row: IndexRow }> {
    const low = idPrefix(since.getTime() - idSkewMs)
    const high = idPrefix(until.getTime() + idSkewMs)
    for (const day of daysBetween(since, until)) {
      if (from && day > from.day) continue
      const end = from?.day === day && from.before < high ? from.before : high
      if (end < low) return
      const shards = bucketsOfDay(day).map((bucket) => this.#shard(bucket, low, end))
      for await (const row of newestFirst(shards)) yield { day, row }
    }
  }

  /** Rows of one index partition, `low` <= order < `high`: no order is as short as an id. */
  #shard(bucket: string, low: string, high: string): AsyncGenerator<IndexRow> {
    return this.#query<IndexRow>({
      IndexName: byTime,
      KeyConditionExpression: '#bucket = :bucket AND #order BETWEEN :low AND :high',
      ExpressionAttributeNames: { '#bucket': 'bucket', '#order': 'order' },
      ExpressionAttributeValues: { ':bucket': bucket, ':low': low, ':high': high },
      ScanIndexForward: false,
      Limit: rowsPerQuery,
    })
  }

  #query<T>(query: Omit<QueryCommandInput, 'TableName'>): AsyncGenerator<T> {
    return queryItems<T>(this.#documents, { ...query, TableName: this.#table })
  }
}

/** Merges generators that each yield in descending order; all are begun at once. */
export async function* newestFirst<T extends { order: string }>(
  shards: AsyncGenerator<T>[],
): AsyncGenerator<T> {
  const heads = await Promise.all(shards.map(async (shard) => ({ shard, next: await shard.next() })))
  for (;;) {
    const open = heads.filter(({ next }) => !next.done)
    if (open.length === 0) return
    const newest = open.reduce((one, other) => (other.next.value.order > one.next.value.order ? other : one))
    yield newest.next.value
    newest.next = await newest.shard.next()
  }
}

/** What the ids made at a time begin with. @param at milliseconds since the epoch, before which there are no ids */
const idPrefix = (at: number): string => encodeTime(Math.max(0, at), 10)

/** The UTC days that the span touches, newest first. */
function daysBetween(since: Date, until: Date): string[] {
  const days: string[] = []
  const first = Math.floor(since.getTime() / dayMs)
  for (let day = Math.floor((until.getTime() - 1) / dayMs); day >= first; day--)
    days.push(new Date(day * dayMs).toISOString().slice(0, 10))
  return days
}

export const isWithin = ({ receivedAt }: { receivedAt: string }, { since, until }: Span): boolean =>
  Date.parse(receivedAt) >= since.getTime() && Date.parse(receivedAt) < until.getTime()
