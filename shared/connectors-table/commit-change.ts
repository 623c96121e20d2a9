/**
 * Writes an item, its change in the log, and the version of the table in one transaction. So no reader finds a version
 * without its change, and a writer that dies leaves either everything or nothing.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import {
  type DynamoDBDocumentClient,
  TransactWriteCommand,
  type TransactWriteCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { changedFields, changeItems, type ItemKind } from './change-log.ts'
import { readTableVersion, type TableVersion, versionKeys } from './version.ts'

type Write = NonNullable<TransactWriteCommandInput['TransactItems']>[number]
type Fields = Readonly<Record<string, unknown>>

export interface NewChange {
  kind: ItemKind
  key: string
  name: string
  actor: string
  /** The stored item; null for a creation. */
  before: Fields | null
  /** The item to store; null for a deletion. */
  after: Fields | null
  /** The condition on the item. */
  condition: {
    ConditionExpression: string
    ExpressionAttributeNames?: Record<string, string>
    ExpressionAttributeValues?: Record<string, unknown>
  }
}

/** With 32 concurrent writers, the last one needs about 15 attempts. */
const maxAttempts = 40
const maxDelayMs = 200

/** Codes of a cancelled transaction that another attempt may avoid. */
const temporaryCodes: ReadonlySet<string | undefined> = new Set([
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
])

/**
 * @param now milliseconds since the epoch
 * @returns false when the condition on the item is not met
 * @throws when the table fails, or other writers changed the version at each attempt
 */
export async function commitChange(
  documents: DynamoDBDocumentClient,
  table: string,
  change: NewChange,
  now: () => number,
): Promise<boolean> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const current = await readTableVersion(documents, table)
    const TransactItems = writesOf(table, change, current, new Date(now()))
    try {
      await documents.send(new TransactWriteCommand({ TransactItems }))
      return true
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error
      const [ofItem, ...others] = (error.CancellationReasons ?? []).map(({ Code }) => Code)
      if (ofItem === 'ConditionalCheckFailed') return false
      // Only the version has a condition, too.
      const isContended = others.includes('ConditionalCheckFailed')
      if (!isContended && ![ofItem, ...others].some((code) => temporaryCodes.has(code))) throw error
    }
    await delay(Math.random() * Math.min(maxDelayMs, 10 * 2 ** attempt))
  }
  throw Object.assign(new Error(`Other writers changed the connectors at each of ${maxAttempts} attempts`), {
    $retryable: { throttling: true },
  })
}

function writesOf(
  table: string,
  { kind, key, before, after, condition, ...change }: NewChange,
  current: TableVersion,
  now: Date,
): Write[] {
  const itemKey = { pk: kind, sk: key }
  const version = current.version + 1
  // The clocks of writers differ. The log is searched by time, so its times must not decrease.
  const at = new Date(Math.max(now.getTime(), Date.parse(current.at) || 0)).toISOString()
  const logged = { version, at, kind, key, ...change, ...changedFields(before, after) }
  const [first, ...copies] = versionKeys.map((versionKey) => ({
    TableName: table,
    Item: { ...versionKey, version, at },
  }))
  return [
    after === null
      ? { Delete: { TableName: table, Key: itemKey, ...condition } }
      : { Put: { TableName: table, Item: { ...itemKey, ...after }, ...condition } },
    ...changeItems(logged).map((Item) => ({ Put: { TableName: table, Item } })),
    { Put: { ...first, ...unlessVersionChanged(current) } as Write['Put'] },
    ...copies.map((copy) => ({ Put: copy })),
  ]
}

const unlessVersionChanged = ({ version }: TableVersion) =>
  version === 0
    ? { ConditionExpression: 'attribute_not_exists(pk)' }
    : {
        ConditionExpression: '#version = :version',
        ExpressionAttributeNames: { '#version': 'version' },
        ExpressionAttributeValues: { ':version': version },
      }
