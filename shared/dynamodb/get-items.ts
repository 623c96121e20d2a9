/** Reads items by their keys, a hundred per call. */
import { setTimeout as delay } from 'node:timers/promises'
import {
  BatchGetCommand,
  type BatchGetCommandInput,
  type DynamoDBDocumentClient,
} from '@aws-sdk/lib-dynamodb'

/** DynamoDB's maximum for one BatchGetItem. */
export const maxKeysOfCall = 100

/** A throttled call answers with the keys that it has not read. The first wait before their next call, doubled each time. */
const firstDelayMs = 20
/** After this number of calls that read nothing. */
const maxEmptyCalls = 8

export type Key = Record<string, unknown>
export type GetOptions = Omit<NonNullable<BatchGetCommandInput['RequestItems']>[string], 'Keys'>

/**
 * @returns the items, in no order; those that do not exist are missing
 * @throws when the table fails, or reads nothing for about three seconds
 */
export async function getItems<T>(
  documents: Pick<DynamoDBDocumentClient, 'send'>,
  table: string,
  keys: readonly Key[],
  options: GetOptions = {},
): Promise<T[]> {
  const parts: Key[][] = []
  for (let start = 0; start < keys.length; start += maxKeysOfCall)
    parts.push(keys.slice(start, start + maxKeysOfCall))
  return (await Promise.all(parts.map((part) => getPart<T>(documents, table, part, options)))).flat()
}

async function getPart<T>(
  documents: Pick<DynamoDBDocumentClient, 'send'>,
  table: string,
  keys: Key[],
  options: GetOptions,
): Promise<T[]> {
  const items: T[] = []
  let remaining = keys
  for (let emptyCalls = 0, delayMs = firstDelayMs; ; delayMs *= 2) {
    const { Responses, UnprocessedKeys } = await documents.send(
      new BatchGetCommand({ RequestItems: { [table]: { ...options, Keys: remaining } } }),
    )
    const found = (Responses?.[table] ?? []) as T[]
    items.push(...found)
    remaining = UnprocessedKeys?.[table]?.Keys ?? []
    if (remaining.length === 0) return items
    emptyCalls = found.length > 0 ? 0 : emptyCalls + 1
    if (emptyCalls === maxEmptyCalls)
      throw new Error(`table ${table} is throttled: ${remaining.length} keys are not read`)
    if (found.length > 0) delayMs = firstDelayMs
    await delay(Math.random() * delayMs)
  }
}
