/**
 * The version item: incremented after each write on which a decision depends, and compared by every reader before a
 * decision.
 */
import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb'

export const versionKey = { pk: 'version', sk: 'current' }

/**
 * Reads consistently.
 * @returns 0 before the first write
 */
export async function readVersion(documents: DynamoDBDocumentClient, table: string): Promise<number> {
  const { Item } = await documents.send(
    new GetCommand({ TableName: table, Key: versionKey, ConsistentRead: true }),
  )
  return Number(Item?.version ?? 0)
}
