import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import type { DynamoDBDocumentClient, QueryCommand, QueryCommandInput } from '@aws-sdk/lib-dynamodb'
import { queryItems } from '../../../shared/dynamodb/query-items.ts'
import { unlessConditionFails } from '../../../shared/dynamodb/unless-condition-fails.ts'

const query = { TableName: 'table', KeyConditionExpression: 'pk = :pk', Limit: 2 }

/** Creates a table that returns these pages in order. */
function tableOf(...pages: { Items?: { sk: string }[]; LastEvaluatedKey?: { sk: string } }[]) {
  const queries: QueryCommandInput[] = []
  const send = async ({ input }: QueryCommand) => pages[queries.push(input) - 1]
  return { documents: { send } as unknown as DynamoDBDocumentClient, queries }
}

describe('queryItems', () => {
  test('yields the items of every page, also after an empty page', async () => {
    const { documents, queries } = tableOf(
      { Items: [{ sk: 'a' }, { sk: 'b' }], LastEvaluatedKey: { sk: 'b' } },
      { Items: [], LastEvaluatedKey: { sk: 'c' } },
      { LastEvaluatedKey: { sk: 'd' } },
      { Items: [{ sk: 'e' }] },
    )
    const items = await Array.fromAsync(queryItems<{ sk: string }>(documents, query))
    assert.deepEqual(
      items.map(({ sk }) => sk),
      ['a', 'b', 'e'],
    )
    assert.deepEqual(
      queries.map(({ ExclusiveStartKey }) => ExclusiveStartKey?.sk),
      [undefined, 'b', 'c', 'd'],
    )
    assert.deepEqual(queries[3], { ...query, ExclusiveStartKey: { sk: 'd' } })
  })

  test('starts after ExclusiveStartKey and reads a page only when its items are needed', async () => {
    const { documents, queries } = tableOf(
      { Items: [{ sk: 'b' }], LastEvaluatedKey: { sk: 'b' } },
      { Items: [{ sk: 'c' }] },
    )
    for await (const { sk } of queryItems(documents, { ...query, ExclusiveStartKey: { sk: 'a' } })) {
      assert.equal(sk, 'b')
      break
    }
    assert.deepEqual(queries, [{ ...query, ExclusiveStartKey: { sk: 'a' } }])
  })
})

describe('unlessConditionFails', () => {
  const failed = new ConditionalCheckFailedException({ message: 'The condition failed', $metadata: {} })
  test('returns true when the write succeeds and false when its condition fails', async () => {
    assert.equal(await unlessConditionFails(Promise.resolve({})), true)
    assert.equal(await unlessConditionFails(Promise.reject(failed)), false)
  })
  test('throws an error of the write that is not a failed condition', async () => {
    const fault = new Error('the table is down')
    await assert.rejects(unlessConditionFails(Promise.reject(fault)), fault)
  })
})
