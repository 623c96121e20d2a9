/** The requests to the messages table. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import {
  BatchWriteCommand,
  type DynamoDBDocumentClient,
  PutCommand,
  ScanCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { splitIntoParts } from '../../shared/contract/parts.ts'
import { queryItems } from '../../shared/dynamodb/query-items.ts'

export interface Key {
  pk: string
  sk: string
}
export type Item = Key & Record<string, unknown>

/** Limit of BatchWriteItem. */
const maxWrites = 25
const maxTries = 10

export class MessagesTable {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** Yields all items of the table, up to 1 MB at a time. @param after the last key of an earlier page */
  async *scan(after: Key | null): AsyncGenerator<{ items: Item[]; last: Key | null }> {
    let start: Record<string, unknown> | undefined = after === null ? undefined : { ...after }
    do {
      const page = await this.#documents.send(
        new ScanCommand({ TableName: this.#table, ExclusiveStartKey: start }),
      )
      start = page.LastEvaluatedKey
      yield { items: (page.Items ?? []) as Item[], last: (start as Key | undefined) ?? null }
    } while (start !== undefined)
  }

  partition(pk: string): Promise<Item[]> {
    return Array.fromAsync(
      queryItems<Item>(this.#documents, {
        TableName: this.#table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': pk },
        ConsistentRead: true,
      }),
    )
  }

  async put(item: Item): Promise<void> {
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item: item }))
  }

  /**
   * Replaces attributes of an item that still has their earlier values.
   * @returns false if the item was changed meanwhile
   */
  async replace({ pk, sk, ...before }: Item, after: Readonly<Record<string, unknown>>): Promise<boolean> {
    const names = Object.keys(after)
    const indexed = names.map((name, index) => [`#n${index}`, `:a${index}`, `:b${index}`, name] as const)
    try {
      await this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: { pk, sk },
          UpdateExpression: `SET ${indexed.map(([name, value]) => `${name} = ${value}`).join(', ')}`,
          ConditionExpression: indexed.map(([name, , value]) => `${name} = ${value}`).join(' AND '),
          ExpressionAttributeNames: Object.fromEntries(indexed.map(([key, , , name]) => [key, name])),
          ExpressionAttributeValues: Object.fromEntries(
            indexed.flatMap(([, newValue, oldValue, name]) => [
              [newValue, after[name]],
              [oldValue, before[name]],
            ]),
          ),
        }),
      )
      return true
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false
      throw error
    }
  }

  async delete(keys: readonly Key[]): Promise<void> {
    const requests = keys.map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk, sk } } }))
    for (const part of splitIntoParts({ items: maxWrites, octets: Infinity }, requests, () => 0))
      await this.#write(part)
  }

  async #write(part: readonly Record<string, unknown>[]): Promise<void> {
    let requests = [...part]
    for (let tries = 0; requests.length > 0; tries++) {
      if (tries === maxTries) throw new Error(`the messages table did not delete ${requests.length} items`)
      const { UnprocessedItems } = await this.#documents.send(
        new BatchWriteCommand({ RequestItems: { [this.#table]: requests } }),
      )
      requests = UnprocessedItems?.[this.#table] ?? []
    }
  }
}
