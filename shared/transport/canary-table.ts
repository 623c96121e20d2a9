/**
 * The ids of the last canary that was sent and of the last that arrived, in one item. ULIDs sort by time. The item does
 * not expire.
 */
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { canaryKey } from './keys.ts'

export class CanaryTable {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** Call this before the canary is sent. @throws when the table fails */
  async recordSent(id: string): Promise<void> {
    await this.#documents.send(
      new UpdateCommand({
        TableName: this.#table,
        Key: canaryKey,
        UpdateExpression: 'SET sent = :id',
        ExpressionAttributeValues: { ':id': id },
      }),
    )
  }

  /** @returns the id of the last canary that was sent; null before the first. @throws when the table fails */
  async lastSent(): Promise<string | null> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: canaryKey, ConsistentRead: true }),
    )
    return Item?.sent ?? null
  }

  /**
   * @returns false when this canary or a later one has arrived already, or when this one was not sent
   * @throws when the table fails
   */
  recordArrival(id: string): Promise<boolean> {
    return unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: canaryKey,
          UpdateExpression: 'SET arrived = :id',
          ConditionExpression: 'sent >= :id AND (attribute_not_exists(arrived) OR arrived < :id)',
          ExpressionAttributeValues: { ':id': id },
        }),
      ),
    )
  }
}
