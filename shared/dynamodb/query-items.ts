import { type DynamoDBDocumentClient, QueryCommand, type QueryCommandInput } from '@aws-sdk/lib-dynamodb'

/**
 * Yields every item of a query and reads the next page when the one before is used up. `Limit` is the size of a page.
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
