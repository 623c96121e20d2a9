/**
 * The connectors table. A partition a kind, plus the version item that every writer bumps after its write and
 * every reader compares before it decides.
 */
import {
  type DynamoDBDocumentClient,
  GetCommand,
  QueryCommand,
  type QueryCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { queryItems } from '../dynamodb/query-items.ts'
import { readVersion, versionKey } from './version.ts'

export type Kind = 'inbound-connector' | 'outbound-connector' | 'accepted-domain'

export class ConnectorsTable {
  readonly documents: DynamoDBDocumentClient
  readonly name: string

  constructor(documents: DynamoDBDocumentClient, name: string) {
    this.documents = documents
    this.name = name
  }

  version(): Promise<number> {
    return readVersion(this.documents, this.name)
  }

  /** Tells every reader to load again. */
  async bumpVersion(): Promise<void> {
    await this.documents.send(
      new UpdateCommand({
        TableName: this.name,
        Key: versionKey,
        UpdateExpression: 'ADD #version :one',
        ExpressionAttributeNames: { '#version': 'version' },
        ExpressionAttributeValues: { ':one': 1 },
      }),
    )
  }

  async get(pk: string, sk: string): Promise<Record<string, unknown> | undefined> {
    const { Item } = await this.documents.send(
      new GetCommand({ TableName: this.name, Key: { pk, sk }, ConsistentRead: true }),
    )
    return Item
  }

  /** Everything of one kind, strongly consistent. Items are as the repository wrote them, the only writer. */
  async all<T>(kind: Kind): Promise<T[]> {
    const items = queryItems(this.documents, this.#queryOf(kind))
    return Array.fromAsync(items, (item) => withoutKeys<T>(item))
  }

  /**
   * One page of a kind, in the order of the sort key.
   * @param after the sort key of the last item of the page before
   * @returns at most `limit` items, fewer where they are large; `last` is set exactly when more follow
   */
  async page<T>(
    kind: Kind,
    after: string | null,
    limit: number,
  ): Promise<{ items: T[]; last: string | null }> {
    const start = after === null ? undefined : { pk: kind, sk: after }
    const { Items, LastEvaluatedKey } = await this.documents.send(
      new QueryCommand({ ...this.#queryOf(kind), ExclusiveStartKey: start, Limit: limit + 1 }),
    )
    const items = (Items ?? []).slice(0, limit)
    const more = (Items ?? []).length > limit || LastEvaluatedKey !== undefined
    return { items: items.map((item) => withoutKeys<T>(item)), last: more ? items.at(-1)?.sk : null }
  }

  #queryOf(kind: Kind): QueryCommandInput {
    return {
      TableName: this.name,
      KeyConditionExpression: 'pk = :kind',
      ExpressionAttributeValues: { ':kind': kind },
      ConsistentRead: true,
    }
  }
}

export function withoutKeys<T>({ pk: _pk, sk: _sk, ...value }: Record<string, unknown>): T {
  return value as T
}
