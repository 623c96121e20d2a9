/** Reads the mark of a message of which an address was erased. */
import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb'
import { erasedKey } from './message-keys.ts'

/** Whether an address, and with it the content, was erased of the message. All its recipients were settled. */
export async function isErased(
  documents: DynamoDBDocumentClient,
  table: string,
  messageId: string,
): Promise<boolean> {
  const { Item } = await documents.send(
    new GetCommand({ TableName: table, Key: erasedKey(messageId), ConsistentRead: true }),
  )
  return Item !== undefined
}
