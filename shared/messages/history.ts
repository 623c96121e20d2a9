/**
 * Reads the trace: one message, or the messages of a time span, newest first. A day's messages are spread over several
 * index partitions, which are read in parallel and merged. The work for one page is limited: a filter with few matches
 * yields short or empty pages, each with the position at which the next page starts.
 */
import { BatchGetCommand, type DynamoDBDocumentClient, type QueryCommandInput } from '@aws-sdk/lib-dynamodb'
import { dayMs, hourMs } from '../contract/durations.ts'
import { Message, Recipient } from '../contract/message.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import { domainOf } from '../mail/address.ts'
import { normaliseDomain } from '../mail/domain.ts'
import type { ClaimKey } from './claims.ts'
import { bucketsOfDay, byTime, messageKey, recipientKey, ulidTime } from './message-keys.ts'
import { RequirementStore } from './requirement-store.ts'
import type { RecipientState } from './trace.ts'
import { type TraceEntry, type TraceItem, traceEntry } from './trace-entry.ts'

/** Times of receipt, from `since` inclusive to `until` exclusive. */
export interface TimeSpan {
  since: Date
  until: Date
}

export interface HistoryFilter extends TimeSpan {
  sender: AddressFilter | null
  /** One recipient must match this filter together with `state` and `connector`. */
  recipient: AddressFilter | null
  state: RecipientState | null
  connector: string | null
}

export type AddressFilter = { kind: 'address'; address: string } | { kind: 'domain'; domain: string }

/**
 * The position of a message in the list: its day and, as `before`, its position in the index. After a page that ends
 * with this message, the next page continues with smaller positions of that day, then with earlier days.
 */
export interface HistoryPosition {
  /** `YYYY-MM-DD` */
  day: string
  /** A ULID with the time of receipt. */
  before: string
}

export interface HistoryPage {
  entries: TraceEntry[]
  next: HistoryPosition | null
}

/** A matching message, which is not loaded. */
interface MatchingMessage {
  id: string
  position: HistoryPosition
}

export interface MatchingMessages {
  messages: MatchingMessage[]
  /** The position from which the next search continues; null at the end of the span. */
  next: HistoryPosition | null
}

/** A message and the states of its recipients, for a worker that continues with them. */
export interface MessageWithRecipients {
  message: Message
  recipients: {
    recipient: Recipient
    state: RecipientState
    /** Ids of the connectors of the last decision. */
    connectors: { inbound: string | null; outbound: string | null }
    keepsRequirement: boolean
  }[]
}

/** A recipient in the index. */
export interface IndexRow {
  /** Message id. */
  pk: string
  /** `POSITION#ADDRESS`; the position has the length of an id. */
  order: string
  sender: string
  state: RecipientState
  connectors: string[]
}

const maxQueryRows = 250
/** Limit of BatchGetItem. */
const maxBatchGetKeys = 100
/** Octets of JSON after which a page ends; a Lambda response may have 6 MB. */
const maxPageOctets = 4_000_000
const maxConcurrentEntries = 8
/**
 * An earlier release ordered the index by message id. An id may be created shortly before or after receipt, so the
 * index is read for a span that is longer by this time at each end.
 */
const idSkewMs = hourMs

/**
 * @param text a mailbox, a domain, or `<>` for the null reverse path
 * @returns null for any other text
 */
export function parseAddressFilter(text: string): AddressFilter | null {
  if (text === '<>') return { kind: 'address', address: '' }
  if (text.includes('@')) return { kind: 'address', address: text }
  const domain = normaliseDomain(text)
  return domain === null ? null : { kind: 'domain', domain }
}

/**
 * Ignores letter case, also of the local part: RFC 5321 §2.4 lets a server distinguish it, but who searches rarely knows
 * how the sender wrote it.
 */
export function addressMatches(address: string, filter: AddressFilter): boolean {
  if (filter.kind === 'domain') return domainOf(address) === filter.domain
  if (address === filter.address) return true
  const domain = domainOf(address)
  return (
    domain !== null && domain === domainOf(filter.address) && localPart(address) === localPart(filter.address)
  )
}

const localPart = (address: string): string => address.slice(0, address.lastIndexOf('@')).toLowerCase()

export function rowMatches(row: IndexRow, { sender, recipient, state, connector }: HistoryFilter): boolean {
  return (
    (state === null || row.state === state) &&
    (connector === null || row.connectors.includes(connector)) &&
    (sender === null || addressMatches(row.sender, sender)) &&
    (recipient === null || addressMatches(recipientOf(row), recipient))
  )
}

export class History {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #rowsPerPage: number
  readonly #requirements: RequirementStore

  /** @param rowsPerPage index rows read for one page, rounded up to a whole message */
  constructor(documents: DynamoDBDocumentClient, table: string, rowsPerPage = 5000) {
    this.#documents = documents
    this.#table = table
    this.#rowsPerPage = rowsPerPage
    this.#requirements = new RequirementStore(documents, table)
  }

  /** @returns null when there is no such message, or when it has been deleted */
  async entry(id: string): Promise<TraceEntry | null> {
    const items: TraceItem[] = []
    const messageQuery = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': id } }
    for await (const item of this.#query<TraceItem>({ ...messageQuery, ConsistentRead: true }))
      items.push(item)
    const digests = items.flatMap(({ requirement }) => requirement?.digest ?? [])
    const entry = traceEntry(items, await this.#requirements.read(digests))
    return entry && this.#addDsnStates(entry)
  }

  /** Adds the state of each DSN. No DSN reports that a DSN failed, so only the trace shows the failure. */
  async #addDsnStates(entry: TraceEntry): Promise<TraceEntry> {
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
   * Reads consistently, without the attempts, which may be many.
   * @returns null when there is no such message, or when it has been deleted
   */
  async messageWithRecipients(id: string): Promise<MessageWithRecipients | null> {
    const items: TraceItem[] = []
    const query = {
      // Sort keys put attempts and DSNs before the message, and recipients after it.
      KeyConditionExpression: 'pk = :pk AND sk >= :sk',
      ExpressionAttributeValues: { ':pk': id, ':sk': messageKey(id).sk },
      ConsistentRead: true,
    }
    for await (const item of this.#query<TraceItem>(query)) items.push(item)
    const message = items.find((item) => item.message)?.message
    if (!message) return null
    const recipients = items.flatMap(({ recipient, state = 'Pending', verdict, requirement }) =>
      recipient
        ? [
            {
              recipient: Recipient.parse(recipient),
              state,
              connectors: verdict?.connectors ?? { inbound: null, outbound: null },
              keepsRequirement: requirement !== undefined,
            },
          ]
        : [],
    )
    return { message: Message.parse(message), recipients }
  }

  /** @returns the existing messages, unordered */
  async messages(ids: readonly string[]): Promise<Message[]> {
    const items = await this.#items<{ message?: unknown }>(ids.map(messageKey))
    return items.map(({ message }) => Message.parse(message))
  }

  /** @returns the existing items, unordered */
  async #items<T>(keys: readonly ClaimKey[]): Promise<T[]> {
    const parts: ClaimKey[][] = []
    for (let start = 0; start < keys.length; start += maxBatchGetKeys)
      parts.push(keys.slice(start, start + maxBatchGetKeys))
    return (await Promise.all(parts.map((part) => this.#batchGet<T>(part)))).flat()
  }

  async #batchGet<T>(requested: readonly ClaimKey[]): Promise<T[]> {
    const items: T[] = []
    let keys: Record<string, unknown>[] = requested.map((key) => ({ ...key }))
    while (keys.length > 0) {
      const { Responses, UnprocessedKeys } = await this.#documents.send(
        new BatchGetCommand({ RequestItems: { [this.#table]: { Keys: keys } } }),
      )
      items.push(...((Responses?.[this.#table] ?? []) as T[]))
      keys = UnprocessedKeys?.[this.#table]?.Keys ?? []
    }
    return items
  }

  /** @param from end of the previous page, null for the first */
  async page(filter: HistoryFilter, from: HistoryPosition | null, limit: number): Promise<HistoryPage> {
    const { messages: found, next: stoppedAt } = await this.find(
      filter,
      (row) => rowMatches(row, filter),
      from,
      limit,
    )
    const entries: TraceEntry[] = []
    let size = 0
    for (let start = 0; start < found.length; start += maxConcurrentEntries) {
      const batch = found.slice(start, start + maxConcurrentEntries)
      const loaded = await Promise.all(batch.map(({ id }) => this.entry(id)))
      const matching = loaded.filter((entry) => entry !== null && isWithinSpan(entry, filter)) as TraceEntry[]
      entries.push(...matching)
      size += JSON.stringify(matching).length
      const last = batch.at(-1)
      if (size > maxPageOctets && last && last !== found.at(-1)) return { entries, next: last.position }
    }
    return { entries, next: stoppedAt }
  }

  /**
   * Finds messages with a matching row. The caller still compares their times of receipt with the span.
   * @param from end of the previous search, null for the first
   */
  async find(
    span: TimeSpan,
    matches: (row: IndexRow) => boolean,
    from: HistoryPosition | null,
    limit: number,
  ): Promise<MatchingMessages> {
    const found: MatchingMessage[] = []
    let rows = 0
    let current = null as MatchingMessage | null
    for await (const { day, row } of this.#rows(span, from)) {
      if (current?.id !== row.pk) {
        // A page ends only between messages, because all recipients of a message must be checked together.
        if (found.length === limit || rows >= this.#rowsPerPage)
          return { messages: found, next: current?.position ?? null }
        current = { id: row.pk, position: { day, before: positionOf(row) } }
      }
      rows += 1
      if (found.at(-1) !== current && matches(row)) found.push(current)
    }
    return { messages: found, next: null }
  }

  async *#rows(
    { since, until }: TimeSpan,
    from: HistoryPosition | null,
  ): AsyncGenerator<{ day: string; row: IndexRow }> {
    const low = ulidTime(since.getTime() - idSkewMs)
    const high = ulidTime(until.getTime() + idSkewMs)
    for (const day of daysBetween(since, until)) {
      if (from && day > from.day) continue
      const end = from?.day === day && from.before < high ? from.before : high
      if (end < low) return
      const shards = bucketsOfDay(day).map((bucket) => this.#shard(bucket, low, end))
      for await (const row of mergeNewestFirst(shards)) yield { day, row }
    }
  }

  /**
   * Reads the rows of one index partition with `low` <= order < `high`. `BETWEEN` includes `high`, but an order is
   * longer than a position and so never equals `high`.
   */
  #shard(bucket: string, low: string, high: string): AsyncGenerator<IndexRow> {
    return this.#query<IndexRow>({
      IndexName: byTime,
      KeyConditionExpression: '#bucket = :bucket AND #order BETWEEN :low AND :high',
      ExpressionAttributeNames: { '#bucket': 'bucket', '#order': 'order' },
      ExpressionAttributeValues: { ':bucket': bucket, ':low': low, ':high': high },
      ScanIndexForward: false,
      Limit: maxQueryRows,
    })
  }

  #query<T>(query: Omit<QueryCommandInput, 'TableName'>): AsyncGenerator<T> {
    return queryItems<T>(this.#documents, { ...query, TableName: this.#table })
  }
}

/** Merges generators that each yield in descending order, and starts all of them in parallel. */
export async function* mergeNewestFirst<T extends { order: string }>(
  shards: AsyncGenerator<T>[],
): AsyncGenerator<T> {
  const heads = await Promise.all(shards.map(async (shard) => ({ shard, next: await shard.next() })))
  for (;;) {
    const open = heads.filter(({ next }) => !next.done)
    if (open.length === 0) return
    const newest = open.reduce((first, second) =>
      second.next.value.order > first.next.value.order ? second : first,
    )
    yield newest.next.value
    newest.next = await newest.shard.next()
  }
}

/** The recipient's address. */
export const recipientOf = ({ pk, order }: Pick<IndexRow, 'pk' | 'order'>): string =>
  order.slice(pk.length + 1)

const positionOf = ({ pk, order }: IndexRow): string => order.slice(0, pk.length)

/** Returns the UTC days of the span, newest first. */
function daysBetween(since: Date, until: Date): string[] {
  const days: string[] = []
  const first = Math.floor(since.getTime() / dayMs)
  for (let day = Math.floor((until.getTime() - 1) / dayMs); day >= first; day--)
    days.push(new Date(day * dayMs).toISOString().slice(0, 10))
  return days
}

export const isWithinSpan = ({ receivedAt }: { receivedAt: string }, { since, until }: TimeSpan): boolean =>
  Date.parse(receivedAt) >= since.getTime() && Date.parse(receivedAt) < until.getTime()
