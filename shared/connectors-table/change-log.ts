/**
 * The log of changes: an item for each write of a connector or accepted domain, in the transaction of that write. The
 * sort key is the version of the table after the write, so the log has no gap since its first entry. Times never
 * decrease from one entry to the next. Lists of recipients are named by their version; the log has no addresses.
 */
import { type DynamoDBDocumentClient, QueryCommand, type QueryCommandInput } from '@aws-sdk/lib-dynamodb'
import * as z from 'zod'
import { parseJson } from '../contract/parse-json.ts'
import { queryItems } from '../dynamodb/query-items.ts'

export const ItemKind = z.enum(['inbound-connector', 'outbound-connector', 'accepted-domain'])
export type ItemKind = z.output<typeof ItemKind>

type Fields = Readonly<Record<string, unknown>>

export interface Change {
  /** Version of the table after the change. */
  version: number
  /** ISO 8601 in UTC. */
  at: string
  /** IAM principal, or subject of a token. */
  actor: string
  kind: ItemKind
  /** Id of the connector, or the domain. */
  key: string
  /** Name of the connector after the change, or the domain. */
  name: string
  /** The fields that changed, with their values before; null for a creation. A field that did not exist is absent. */
  before: Fields | null
  /** The fields that changed, with their values after; null for a deletion. A field that no longer exists is absent. */
  after: Fields | null
}

/** A change with the whole item after it; null when the item was deleted. */
export interface LoggedChange extends Change {
  item: Fields | null
}

export const changesPartition = 'changes'

const sortKey = (version: number): string => String(version).padStart(12, '0')

const versionText = ({ sk }: Fields): string => String(sk).slice(0, 12)

/** Before and after every sort key, also those of further items. */
const [first, last] = ['0', '~']

/** Octets. A larger change continues in further items, because DynamoDB allows 400 KB per item. */
const maxTextOctets = 300_000

/** Fields that each write changes, and results of validations: they are no part of the configuration. */
const isConfiguration = (name: string): boolean => !['version', 'updatedAt', 'validation'].includes(name)

/**
 * Compares an item before and after a write.
 * @param before null for a creation
 * @param after null for a deletion
 */
export function changedFields(
  before: Fields | null,
  after: Fields | null,
): Pick<LoggedChange, 'before' | 'after' | 'item'> {
  if (before === null || after === null)
    return {
      before: withoutValidation(before),
      after: withoutValidation(after),
      item: withoutValidation(after),
    }
  const isChanged = (name: string) =>
    isConfiguration(name) && JSON.stringify(before[name]) !== JSON.stringify(after[name])
  const select = (item: Fields) =>
    Object.fromEntries(Object.entries(item).filter(([name]) => isChanged(name)))
  return { before: select(before), after: select(after), item: withoutValidation(after) }
}

function withoutValidation(item: Fields | null): Fields | null {
  if (item === null) return null
  const { validation: _, ...fields } = item
  return fields
}

/** The items of a change. A field of a large change has an item of its own, after the first. */
export function changeItems({ version, before, after, item, ...change }: LoggedChange): Fields[] {
  const texts = {
    before: before && JSON.stringify(before),
    after: after && JSON.stringify(after),
    // The fields of a creation are the item.
    ...(before !== null && item !== null && { item: JSON.stringify(item) }),
  }
  const first = { pk: changesPartition, sk: sortKey(version), ...change }
  const octets = Object.values(texts).reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0)
  if (octets <= maxTextOctets) return [{ ...first, ...texts }]
  const parts = Object.entries(texts).flatMap(([field, text]) => (text === null ? [] : [{ field, text }]))
  return [
    { ...first, before: null, after: null, parts: parts.length },
    ...parts.map(({ field, text }) => ({ pk: changesPartition, sk: `${first.sk}#${field}`, [field]: text })),
  ]
}

const json = z.string().transform(parseJson).pipe(z.record(z.string(), z.unknown()))

const StoredChange = z.object({
  sk: z.string(),
  at: z.string(),
  actor: z.string(),
  kind: ItemKind,
  key: z.string(),
  name: z.string(),
  before: json.nullable(),
  after: json.nullable(),
  item: json.optional(),
})

/** Returns nothing for an entry that is not complete, or that this release cannot read. */
function readStored(items: readonly Fields[]): LoggedChange[] {
  const [first, ...parts] = items.toSorted((a, b) => (String(a.sk) < String(b.sk) ? -1 : 1))
  if (parts.length !== Number(first?.parts ?? 0)) return []
  const { data } = StoredChange.safeParse(Object.assign({}, first, ...parts.map(textOf)))
  if (data === undefined) return []
  const { sk, item, ...change } = data
  return [{ version: Number(sk), ...change, item: item ?? change.after }]
}

const textOf = ({ pk: _pk, sk: _sk, ...text }: Fields): Fields => text

interface Span {
  /** The lowest version. */
  from: number
  /** The highest version. */
  to: number
  isNewestFirst?: boolean
  /** False may miss the latest changes. @default true */
  isConsistent?: boolean
}

/**
 * Yields the changes between two versions, both included, without those that this release cannot read.
 * @throws when the table fails
 */
export async function* readChanges(
  documents: DynamoDBDocumentClient,
  table: string,
  { from, to, isNewestFirst = false, isConsistent = true }: Span,
): AsyncGenerator<LoggedChange> {
  if (from > to) return
  const query = queryOf(table, sortKey(from), `${sortKey(to)}${last}`)
  let items: Fields[] = []
  for await (const item of queryItems<Fields>(documents, {
    ...query,
    ScanIndexForward: !isNewestFirst,
    ConsistentRead: isConsistent,
  })) {
    if (items[0] !== undefined && versionText(item) !== versionText(items[0])) {
      yield* readStored(items)
      items = []
    }
    items.push(item)
  }
  yield* readStored(items)
}

const queryOf = (table: string, low: string, high: string): QueryCommandInput => ({
  TableName: table,
  KeyConditionExpression: 'pk = :changes AND sk BETWEEN :low AND :high',
  ExpressionAttributeValues: { ':changes': changesPartition, ':low': low, ':high': high },
})

/**
 * Finds the first version whose change was at or after a time, by binary search: about 20 reads among a million.
 * @param current version of the table
 * @returns `current + 1` when all changes were earlier
 */
async function firstVersionAt(
  documents: DynamoDBDocumentClient,
  table: string,
  time: Date,
  current: number,
): Promise<number> {
  let [low, high] = [1, current + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const found = await firstChangeFrom(documents, table, middle)
    if (found === null || found.at >= time.toISOString()) high = middle
    else low = found.version + 1
  }
  return low
}

/** Returns the first change of this version or a later one. Versions of earlier releases have no changes. */
async function firstChangeFrom(
  documents: DynamoDBDocumentClient,
  table: string,
  version: number,
): Promise<{ version: number; at: string } | null> {
  const { Items = [] } = await documents.send(
    new QueryCommand({ ...queryOf(table, sortKey(version), last), ConsistentRead: true, Limit: 1 }),
  )
  const [item] = Items
  return item ? { version: Number(item.sk), at: String(item.at) } : null
}

/** Returns the version of the latest change; 0 for an empty log. */
async function latestVersion(documents: DynamoDBDocumentClient, table: string): Promise<number> {
  const { Items = [] } = await documents.send(
    new QueryCommand({
      ...queryOf(table, first, last),
      ConsistentRead: true,
      ScanIndexForward: false,
      Limit: 1,
    }),
  )
  return Items[0] ? Number(versionText(Items[0])) : 0
}

/** The log, for readers who go back in time. */
export class ChangeLog {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** Yields the changes up to a version, the newest first. */
  async *newestFirst(to: number): AsyncGenerator<Change> {
    const span = { from: 1, to, isNewestFirst: true }
    for await (const { item: _, ...change } of readChanges(this.#documents, this.#table, span)) yield change
  }

  /**
   * Returns the first version whose change was at or after a time; the version that the next change will have, if all
   * changes were earlier.
   * @param time null for the next change
   */
  async versionAt(time: Date | null): Promise<number> {
    const latest = await latestVersion(this.#documents, this.#table)
    return time === null ? latest + 1 : firstVersionAt(this.#documents, this.#table, time, latest)
  }
}

/**
 * Returns the changes of a period, oldest first.
 * @param since the first time
 * @param until the time after the last
 */
export async function changesBetween(
  documents: DynamoDBDocumentClient,
  table: string,
  since: Date,
  until: Date,
): Promise<Change[]> {
  const to = await latestVersion(documents, table)
  const from = await firstVersionAt(documents, table, since, to)
  const changes: Change[] = []
  for await (const { item: _, ...change } of readChanges(documents, table, { from, to })) {
    if (change.at >= until.toISOString()) break
    changes.push(change)
  }
  return changes
}
