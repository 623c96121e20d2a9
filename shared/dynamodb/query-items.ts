import { type DynamoDBDocumentClient, QueryCommand, type QueryCommandInput } from '@aws-sdk/lib-dynamodb'

/**
 * Yields every item of a query, page by page. `Limit` is the page size.
 * @throws when the table fails
 */
export async function* queryItems<Item = Record<string, unknown>>(
  documents: Pick<DynamoDBDocumentClient, 'send'>,
  query: QueryCommandInput,
): AsyncGenerator<Item> {
  let start = query.ExclusiveStartKey
  do {
    const command = new QueryCommand({ ...query, ExclusiveStartKey: start })
    const { Items = [], LastEvaluatedKey } = await documents.send(command)
    yield* Items as Item[]
    start = LastEvaluatedKey
  } while (start)
}
