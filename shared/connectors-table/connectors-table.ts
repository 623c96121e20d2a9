/** Reads the connectors table: one partition for each kind of item. */
import {
  type DynamoDBDocumentClient,
  GetCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/lib-dynamodb'
import type { AcceptedDomain, InboundConnector, OutboundConnector } from '../connectors/schema.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import type { ConnectorSet } from '../policy/snapshot.ts'
import type { ItemKind } from './change-log.ts'

export class ConnectorsTable {
  readonly documents: DynamoDBDocumentClient
  readonly name: string

  constructor(documents: DynamoDBDocumentClient, name: string) {
    this.documents = documents
    this.name = name
  }

  async get(pk: string, sk: string): Promise<Record<string, unknown> | undefined> {
    const { Item } = await this.documents.send(
      new GetCommand({ TableName: this.name, Key: { pk, sk }, ConsistentRead: true }),
    )
    return Item
  }

  /** Reads all items of a kind consistently. The items are not parsed, because only the repository writes them. */
  async all<T>(kind: ItemKind): Promise<T[]> {
    const items = queryItems(this.documents, this.#queryOf(kind))
    return Array.fromAsync(items, (item) => withoutKeys<T>(item))
  }

  /** Reads all connectors and accepted domains consistently. */
  async readAll(): Promise<Omit<ConnectorSet, 'version'>> {
    const [inbound, outbound, acceptedDomains] = await Promise.all([
      this.all<InboundConnector>('inbound-connector'),
      this.all<OutboundConnector>('outbound-connector'),
      this.all<AcceptedDomain>('accepted-domain'),
    ])
    return { inbound, outbound, acceptedDomains }
  }

  /**
   * Reads one page of a kind, in the order of the sort key.
   * @param after the sort key of the previous page's last item
   * @returns at most `limit` items, fewer when the items are large; `last` is this page's last sort key, or null when
   * no item follows
   */
  async page<T>(
    kind: ItemKind,
    after: string | null,
    limit: number,
  ): Promise<{ items: T[]; last: string | null }> {
    const start = after === null ? undefined : { pk: kind, sk: after }
    const { Items, LastEvaluatedKey } = await this.documents.send(
      new QueryCommand({ ...this.#queryOf(kind), ExclusiveStartKey: start, Limit: limit + 1 }),
    )
    const items = (Items ?? []).slice(0, limit)
    const hasMore = (Items ?? []).length > limit || LastEvaluatedKey !== undefined
    return { items: items.map((item) => withoutKeys<T>(item)), last: hasMore ? items.at(-1)?.sk : null }
  }

  #queryOf(kind: ItemKind): QueryCommandInput {
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
