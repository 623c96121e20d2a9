/** The item that every writer of connectors bumps after its write, and every reader compares before it acts. */
import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb'

export const versionKey = { pk: 'version', sk: 'current' }

/**
 * Strongly consistent.
 * @returns 0 before the first write
 */
export async function readVersion(documents: DynamoDBDocumentClient, table: string): Promise<number> {
  const { Item } = await documents.send(
    new GetCommand({ TableName: table, Key: versionKey, ConsistentRead: true }),
  )
  return Number(Item?.version ?? 0)
}
