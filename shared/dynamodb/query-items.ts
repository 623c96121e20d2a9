import { type DynamoDBDocumentClient, QueryCommand, type QueryCommandInput } from '@aws-sdk/lib-dynamodb'

export interface QueryPage<Item> {
  items: Item[]
  /** Number of items that were read, including those that a filter removed. */
  scanned: number
  /** The key of the last item that was read; null on the last page. */
  lastKey: Record<string, unknown> | null
}

/**
 * Yields the pages of a query. `Limit` is the number of items that are read for a page.
 * @throws when the table fails
 */
export async function* queryPages<Item = Record<string, unknown>>(
  documents: Pick<DynamoDBDocumentClient, 'send'>,
  query: QueryCommandInput,
): AsyncGenerator<QueryPage<Item>> {
  let start = query.ExclusiveStartKey
  do {
    const command = new QueryCommand({ ...query, ExclusiveStartKey: start })
    const { Items = [], ScannedCount = Items.length, LastEvaluatedKey } = await documents.send(command)
    yield { items: Items as Item[], scanned: ScannedCount, lastKey: LastEvaluatedKey ?? null }
    start = LastEvaluatedKey
  } while (start)
}

/** Yields every item of a query, page by page. */
export async function* queryItems<Item = Record<string, unknown>>(
  documents: Pick<DynamoDBDocumentClient, 'send'>,
  query: QueryCommandInput,
): AsyncGenerator<Item> {
  for await (const { items } of queryPages<Item>(documents, query)) yield* items
}
