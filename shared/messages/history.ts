/**
 * Reads the trace: one message, or the messages of a time span, newest first. A day's messages are spread over several
 * index partitions, which are read in parallel and merged. The work for one page is limited: a filter with few matches
 * yields short or empty pages, each with the position at which the next page starts.
 */
import type { DynamoDBDocumentClient, QueryCommandInput } from '@aws-sdk/lib-dynamodb'
import { dayMs } from '../contract/durations.ts'
import { Attempt, type Message, Recipient } from '../contract/message.ts'
import { type GetOptions, getItems, type Key, maxKeysOfCall } from '../dynamodb/get-items.ts'
import { queryItems, queryPages } from '../dynamodb/query-items.ts'
import { domainOf } from '../mail/address.ts'
import { type MailboxFilter, mailboxMatches } from '../mail/mailbox-filter.ts'
import { KeptRequirement } from '../policy/kept-requirement.ts'
import { ContentAddressedStore } from './content-addressed-store.ts'
import { searchedMessageId } from './header-message-id.ts'
import { findMessages, type MatchedRow, type MatchingMessages } from './matching-messages.ts'
import { type MessageFilter, messageCheck } from './message-filter.ts'
import {
  type MessageFacts,
  type MessageItem,
  messageFactsOf,
  messageOfItem,
  SharedCertificate,
} from './message-item.ts'
import {
  attemptKey,
  bucketsOfDay,
  byTime,
  isRecipientKey,
  messageKey,
  recipientKey,
  recipientOf,
  ulidTime,
} from './message-keys.ts'
import { unpackDetail } from './packed-detail.ts'
import type { RecipientDetail, RecipientItem, RecipientState } from './recipient-item.ts'
import { type TraceEntry, type TraceItem, traceEntry } from './trace-entry.ts'

/** Times of receipt, from `since` inclusive to `until` exclusive. */
export interface TimeSpan {
  since: Date
  until: Date
}

export interface HistoryFilter extends TimeSpan, MessageFilter {
  sender: MailboxFilter | null
  /** One recipient must match this filter together with `domain`, `state` and `connector`. */
  recipient: MailboxFilter | null
  /** The sender's domain or the recipient's, as `normaliseDomain` returns it. */
  domain: string | null
  state: RecipientState | null
  connector: string | null
  clientIp: string | null
}

/** Which messages to find. One recipient must match `matches` and `states`. */
export interface Search extends TimeSpan {
  matches(row: IndexRow): boolean
  /** Absent: any state. */
  states?: readonly RecipientState[]
  /** Absent: any message. */
  matchesMessage?(message: MessageFacts): boolean
  /** Attributes of the rows. DynamoDB compares them, so more rows can be read for a page. */
  equal?: { clientIp?: string; headerMessageId?: string }
}

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

/** A message and the states of its recipients, for a worker that continues with them. */
export interface MessageWithRecipients {
  message: Message
  recipients: {
    recipient: Recipient
    state: RecipientState
    /** Ids of the connectors of the last decision. */
    connectors: { inbound: string | null; outbound: string | null }
    /** The reason of the last decision. */
    reason: string
    /** Ids of the inbound connectors despite whose violation it was released. */
    waivedConnectors: readonly string[]
    /** The result of an attempt after the last decision. Null when there is none. Its report may be lost with its queue. */
    undecidedAttempt: Attempt | null
  }[]
}

/** A recipient in the index. */
export type IndexRow = Pick<RecipientItem, 'pk' | 'sk' | 'exception' | 'clientIp' | 'headerMessageId'> & {
  /** Position of the message. All its rows are in one partition. */
  order: string
  sender: string
  connectors: string[]
}

/** A row, or the position up to which an index partition was read without another match. */
interface ReadRow {
  order: string
  /** Number of rows that were read for it. */
  scanned: number
  row: IndexRow | null
}

type DatedRow = ReadRow & { day: string }

interface CheckedRows {
  rows: readonly IndexRow[]
  /** Number of items of the table that were read. */
  checked: number
}

const maxQueryRows = 250
/** While DynamoDB compares attributes, this many times more rows are read for a page. */
const serverFilterFactor = 20
/** Octets of JSON after which a page ends; a Lambda response may have 6 MB. */
const maxPageOctets = 4_000_000
const maxConcurrentEntries = 8

const rowMatches = (
  row: IndexRow,
  {
    sender,
    recipient,
    domain,
    connector,
  }: Pick<HistoryFilter, 'sender' | 'recipient' | 'domain' | 'connector'>,
): boolean =>
  (connector === null || row.connectors.includes(connector)) &&
  (sender === null || mailboxMatches(row.sender, sender)) &&
  (recipient === null || mailboxMatches(recipientOf(row), recipient)) &&
  (domain === null || domainOf(row.sender) === domain || domainOf(recipientOf(row)) === domain)

/** The states that a recipient with this attribute of the index may have. Only `Bounced` is final there. */
const possibleStates: Record<'none' | 'Deferred' | 'Bounced', readonly RecipientState[]> = {
  none: ['Pending', 'Delivered'],
  Deferred: ['Deferred', 'Pending', 'Delivered'],
  Bounced: ['Bounced'],
}

const mayHaveState = ({ exception }: IndexRow, states: readonly RecipientState[] | undefined): boolean =>
  states === undefined || possibleStates[exception ?? 'none'].some((state) => states.includes(state))

export class History {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #rowsPerPage: number
  readonly #requirements: ContentAddressedStore<KeptRequirement>
  readonly #certificates: ContentAddressedStore<SharedCertificate>

  /** @param rowsPerPage index rows, and items to check them, read for one page, rounded up to a whole message */
  constructor(documents: DynamoDBDocumentClient, table: string, rowsPerPage = 5000) {
    this.#documents = documents
    this.#table = table
    this.#rowsPerPage = rowsPerPage
    this.#requirements = new ContentAddressedStore(documents, table, 'requirement', KeptRequirement)
    this.#certificates = new ContentAddressedStore(documents, table, 'client-certificate', SharedCertificate)
  }

  /** @returns null when there is no such message, or when it has been deleted */
  async entry(id: string): Promise<TraceEntry | null> {
    const items: TraceItem[] = []
    const messageQuery = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': id } }
    for await (const item of this.#query<TraceItem>({ ...messageQuery, ConsistentRead: true }))
      items.push(item)
    const [message] = await this.#messagesOf(items)
    if (message === undefined) return null
    const digests = items.flatMap(({ requirement }) => requirement?.digest ?? [])
    return this.#addDsnStates(traceEntry(message, items, await this.#requirements.read(digests)))
  }

  /** Adds the state of each DSN. No DSN reports that a DSN failed, so only the trace shows the failure. */
  async #addDsnStates(entry: TraceEntry): Promise<TraceEntry> {
    const { envelope, recipients } = entry
    const dsns = new Set(
      recipients.flatMap(({ notifications }) => notifications.flatMap(({ message }) => message ?? [])),
    )
    const items = await this.#items<RecipientItem>(
      [...dsns].map((dsn) => recipientKey(dsn, envelope.mailFrom)),
      onlyState,
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
   * Reads a message and its recipients, consistently, with the last attempt of each recipient.
   * @returns null when there is no such message, or when it has been deleted
   */
  async messageWithRecipients(id: string): Promise<MessageWithRecipients | null> {
    const items: RecipientItem[] = []
    const query = {
      // Sort keys put attempts and DSNs before the message, and recipients after it.
      KeyConditionExpression: 'pk = :pk AND sk >= :sk',
      ExpressionAttributeValues: { ':pk': id, ':sk': messageKey(id).sk },
      ConsistentRead: true,
    }
    for await (const item of this.#query<RecipientItem>(query)) items.push(item)
    const [message] = await this.#messagesOf(items)
    if (message === undefined) return null
    const decided = items.filter(({ sk, detail }) => isRecipientKey(sk) && detail !== undefined)
    const lastAttempts = await this.#lastAttempts(id, decided)
    const recipients = decided.map((item) => {
      const { recipient, verdict } = unpackDetail(item.detail as Uint8Array) as RecipientDetail
      return {
        recipient: Recipient.parse({
          ...recipient,
          address: recipientOf(item),
          lastAttempt: lastAttempts.get(item.sk) ?? null,
        }),
        state: item.state ?? 'Pending',
        connectors: verdict.connectors,
        reason: verdict.reason,
        waivedConnectors: item.waived?.connectors ?? [],
        undecidedAttempt: undecidedAttemptOf(item),
      }
    })
    return { message, recipients }
  }

  /** @returns the attempts before the recipients' last verdicts, by sort key of the recipient */
  async #lastAttempts(id: string, recipients: readonly RecipientItem[]): Promise<Map<string, Attempt>> {
    const attempted = recipients.filter(({ attempts = 0 }) => attempts > 0)
    const keyOf = (item: RecipientItem) => attemptKey(id, recipientOf(item), item.attempts ?? 0)
    const consistently = { ConsistentRead: true }
    const items = await this.#items<{ sk: string; detail: Uint8Array }>(attempted.map(keyOf), consistently)
    const attempts = new Map(items.map(({ sk, detail }) => [sk, Attempt.parse(unpackDetail(detail))]))
    return new Map(
      attempted.map((item) => {
        const attempt = attempts.get(keyOf(item).sk)
        if (attempt === undefined)
          throw new Error(`the last attempt of ${id} is missing from the messages table`)
        return [item.sk, attempt]
      }),
    )
  }

  /** @returns the existing messages, unordered */
  async messages(ids: readonly string[]): Promise<Message[]> {
    return this.#messagesOf(await this.#items<MessageItem & { pk: string; sk: string }>(ids.map(messageKey)))
  }

  async #messagesOf(items: readonly { pk: string; sk: string; detail?: Uint8Array }[]): Promise<Message[]> {
    const messages = items.filter(isMessage)
    const digests = messages.flatMap(({ certificate }) => certificate ?? [])
    const certificates = await this.#certificates.read(digests)
    return messages.map((item) => messageOfItem(item, certificates))
  }

  /** @returns the existing items, unordered */
  #items<T>(keys: readonly Key[], options?: GetOptions): Promise<T[]> {
    return getItems<T>(this.#documents, this.#table, keys, options)
  }

  /** @param from end of the previous page, null for the first */
  async page(filter: HistoryFilter, from: HistoryPosition | null, limit: number): Promise<HistoryPage> {
    const { since, until, state, messageId, clientIp } = filter
    const matchesMessage = messageCheck(filter)
    const { messages: found, next: stoppedAt } = await this.find(
      {
        since,
        until,
        matches: (row) => rowMatches(row, filter),
        ...(state !== null && { states: [state] }),
        ...(matchesMessage !== null && { matchesMessage }),
        equal: {
          ...(clientIp !== null && { clientIp }),
          ...(messageId !== null && { headerMessageId: searchedMessageId(messageId) }),
        },
      },
      from,
      limit,
    )
    const entries: TraceEntry[] = []
    let size = 0
    for (let start = 0; start < found.length; start += maxConcurrentEntries) {
      const batch = found.slice(start, start + maxConcurrentEntries)
      const loaded = await Promise.all(batch.map(({ id }) => this.entry(id)))
      const existing = loaded.filter((entry) => entry !== null)
      entries.push(...existing)
      size += JSON.stringify(existing).length
      const last = batch.at(-1)
      if (size > maxPageOctets && last && last !== found.at(-1)) return { entries, next: last.position }
    }
    return { entries, next: stoppedAt }
  }

  /**
   * Finds messages with a matching recipient.
   * @param from end of the previous search, null for the first
   */
  find(
    search: Search,
    from: HistoryPosition | null,
    limit: number,
  ): Promise<MatchingMessages<HistoryPosition>> {
    const maxScanned = this.#rowsPerPage * (hasEntries(search.equal) ? serverFilterFactor : 1)
    return findMessages(this.#matchedRows(search, from), limit, { maxScanned, maxChecked: this.#rowsPerPage })
  }

  /** Checks many rows together when the search needs items of the table. */
  async *#matchedRows(
    search: Search,
    from: HistoryPosition | null,
  ): AsyncGenerator<MatchedRow<HistoryPosition>> {
    const { states, matches, matchesMessage } = search
    if (states === undefined && matchesMessage === undefined) {
      for await (const read of this.#rows(search, from))
        yield matchedRow(read, read.row !== null && matches(read.row), 0)
      return
    }
    let batch: DatedRow[] = []
    for await (const read of this.#rows(search, from)) {
      batch.push(read)
      if (batch.length < maxKeysOfCall) continue
      yield* await this.#checkedRows(batch, search)
      batch = []
    }
    yield* await this.#checkedRows(batch, search)
  }

  /** The last row counts the items that were read for all. */
  async #checkedRows(
    reads: readonly DatedRow[],
    { states, matches, matchesMessage }: Search,
  ): Promise<MatchedRow<HistoryPosition>[]> {
    const candidates = reads.flatMap(({ row }) =>
      row !== null && matches(row) && mayHaveState(row, states) ? [row] : [],
    )
    const inState =
      states === undefined ? { rows: candidates, checked: 0 } : await this.#rowsInState(candidates, states)
    const ofMessages =
      matchesMessage === undefined
        ? { rows: inState.rows, checked: 0 }
        : await this.#rowsOfMessages(inState.rows, matchesMessage)
    const matching = new Set(ofMessages.rows)
    const checked = inState.checked + ofMessages.checked
    return reads.map((read, index) =>
      matchedRow(read, read.row !== null && matching.has(read.row), index === reads.length - 1 ? checked : 0),
    )
  }

  async #rowsInState(rows: readonly IndexRow[], states: readonly RecipientState[]): Promise<CheckedRows> {
    const keyOf = ({ pk, sk }: Pick<IndexRow, 'pk' | 'sk'>) => ({ pk, sk })
    const unknown = rows.filter(({ exception }) => exception !== 'Bounced')
    const items = await this.#items<RecipientItem>(unknown.map(keyOf), onlyState)
    const stateOf = new Map(items.map(({ pk, sk, state }) => [`${pk} ${sk}`, state]))
    const inState = rows.filter(({ pk, sk, exception }) => {
      const state = exception === 'Bounced' ? exception : stateOf.get(`${pk} ${sk}`)
      return state !== undefined && states.includes(state)
    })
    return { rows: inState, checked: unknown.length }
  }

  async #rowsOfMessages(
    rows: readonly IndexRow[],
    matches: NonNullable<Search['matchesMessage']>,
  ): Promise<CheckedRows> {
    const ids = [...new Set(rows.map(({ pk }) => pk))]
    const items = await this.#items<MessageItem & { pk: string }>(ids.map(messageKey))
    const matching = new Set(items.flatMap((item) => (matches(messageFactsOf(item)) ? [item.pk] : [])))
    return { rows: rows.filter(({ pk }) => matching.has(pk)), checked: ids.length }
  }

  async *#rows({ since, until, equal = {} }: Search, from: HistoryPosition | null): AsyncGenerator<DatedRow> {
    const low = ulidTime(since.getTime())
    const high = ulidTime(until.getTime())
    for (const day of daysBetween(since, until)) {
      if (from && day > from.day) continue
      const end = from?.day === day && from.before < high ? from.before : high
      if (end < low) return
      const shards = bucketsOfDay(day).map((bucket) => this.#shard(bucket, low, end, equal))
      for await (const read of mergeNewestFirst(shards)) yield { ...read, day }
    }
  }

  /** Reads the rows of one index partition with `low` <= order < `end`. `BETWEEN` includes `end`. */
  async *#shard(
    bucket: string,
    low: string,
    end: string,
    equal: NonNullable<Search['equal']>,
  ): AsyncGenerator<ReadRow> {
    const names = Object.keys(equal)
    const pages = queryPages<IndexRow>(this.#documents, {
      TableName: this.#table,
      IndexName: byTime,
      KeyConditionExpression: '#bucket = :bucket AND #order BETWEEN :low AND :end',
      ExpressionAttributeNames: { '#bucket': 'bucket', '#order': 'order' },
      ExpressionAttributeValues: {
        ...{ ':bucket': bucket, ':low': low, ':end': end },
        ...Object.fromEntries(Object.entries(equal).map(([name, value]) => [`:${name}`, value])),
      },
      ScanIndexForward: false,
      ...(names.length > 0
        ? { FilterExpression: names.map((name) => `${name} = :${name}`).join(' AND ') }
        : { Limit: maxQueryRows }),
    })
    for await (const { items, scanned, lastKey } of pages) {
      for (const row of items) if (row.order !== end) yield { order: row.order, scanned: 1, row }
      if (names.length > 0 && lastKey !== null)
        yield { order: String(lastKey.order), scanned: scanned - items.length, row: null }
    }
  }

  #query<T>(query: Omit<QueryCommandInput, 'TableName'>): AsyncGenerator<T> {
    return queryItems<T>(this.#documents, { ...query, TableName: this.#table })
  }
}

function undecidedAttemptOf({ claimed = 0, attempts = 0, result }: RecipientItem): Attempt | null {
  return claimed > attempts && result !== undefined ? Attempt.parse(unpackDetail(result)) : null
}

const matchedRow = (
  { day, order, scanned, row }: DatedRow,
  isMatch: boolean,
  checked: number,
): MatchedRow<HistoryPosition> => ({
  ...{ order, scanned, checked, isMatch, id: row?.pk ?? null },
  position: { day, before: order },
})

const isMessage = <Item extends { pk: string; sk: string }>(item: Item): item is Item & MessageItem =>
  item.sk === messageKey(item.pk).sk

const onlyState = {
  ProjectionExpression: 'pk, sk, #state',
  ExpressionAttributeNames: { '#state': 'state' },
}

const hasEntries = (fields: object = {}): boolean => Object.keys(fields).length > 0

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

/** Returns the UTC days of the span, newest first. */
function daysBetween(since: Date, until: Date): string[] {
  const days: string[] = []
  const first = Math.floor(since.getTime() / dayMs)
  for (let day = Math.floor((until.getTime() - 1) / dayMs); day >= first; day--)
    days.push(new Date(day * dayMs).toISOString().slice(0, 10))
  return days
}
