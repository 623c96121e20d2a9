/**
 * The version of the connectors: the number of their writes, which every reader compares before a decision. Each write
 * changes all copies in its transaction, so a strongly consistent read of any copy finds a write that was confirmed.
 */
import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb'
import { versionPartitions } from '../contract/connectors-version.ts'

export interface TableVersion {
  /** 0 before the first write. */
  version: number
  /** The time of the last write, in ISO 8601; '' when it is unknown. */
  at: string
}

export const versionKeys = versionPartitions.map((pk) => ({ pk, sk: 'current' }))

/** The copy under whose condition a write is made. Earlier releases have only this one. */
const [firstKey] = versionKeys as [(typeof versionKeys)[number]]

/** Reads the copy under whose condition a write is made, consistently. */
export async function readTableVersion(
  documents: DynamoDBDocumentClient,
  table: string,
): Promise<TableVersion> {
  return (await readCopy(documents, table, firstKey)) ?? { version: 0, at: '' }
}

/**
 * Returns a function that reads the version consistently, each time from another copy. The result never decreases, so a
 * copy that a writer of an earlier release left behind is noticed only once.
 * @param random from 0 to below 1
 */
export function createVersionReader(
  documents: DynamoDBDocumentClient,
  table: string,
  random: () => number = Math.random,
): () => Promise<number> {
  let last = 0
  return async () => {
    const key = versionKeys[Math.floor(random() * versionKeys.length)] ?? firstKey
    // The first write of this release makes the other copies.
    const { version } = (await readCopy(documents, table, key)) ?? (await readTableVersion(documents, table))
    last = Math.max(last, version)
    return last
  }
}

async function readCopy(
  documents: DynamoDBDocumentClient,
  table: string,
  key: (typeof versionKeys)[number],
): Promise<TableVersion | null> {
  const { Item } = await documents.send(new GetCommand({ TableName: table, Key: key, ConsistentRead: true }))
  return Item ? { version: Number(Item.version), at: String(Item.at ?? '') } : null
}
