/** Reading items by key, also from a table that answers only a part of each call. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BatchGetCommand } from '@aws-sdk/lib-dynamodb'
import { getItems, type Key } from '../../../shared/dynamodb/get-items.ts'

const keys = (count: number): Key[] => Array.from({ length: count }, (_, index) => ({ pk: `item ${index}` }))

/** @param answered number of keys that each call reads, by the number of the call */
function tableThatAnswers(answered: (call: number) => number) {
  const calls: number[] = []
  return {
    calls,
    documents: {
      async send({ input }: BatchGetCommand) {
        const { Keys = [], ...options } = input.RequestItems?.items ?? {}
        const read = answered(calls.push(Keys.length) - 1)
        return {
          Responses: { items: Keys.slice(0, read) },
          UnprocessedKeys: read < Keys.length ? { items: { ...options, Keys: Keys.slice(read) } } : {},
        }
      },
    } as unknown as Parameters<typeof getItems>[0],
  }
}

const cases: [name: string, count: number, answered: (call: number) => number, calls: number[]][] = [
  ['no key', 0, () => 100, []],
  ['a hundred keys in one call', 100, () => 100, [100]],
  ['more keys in several calls', 250, () => 100, [100, 100, 50]],
  ['the rest of a call that is throttled', 10, (call) => (call === 0 ? 4 : 100), [10, 6]],
  ['again after a call that read nothing', 3, (call) => (call < 2 ? 0 : 100), [3, 3, 3]],
]
for (const [name, count, answered, calls] of cases)
  test(`reads ${name}`, async () => {
    const table = tableThatAnswers(answered)
    assert.deepEqual(await getItems(table.documents, 'items', keys(count)), keys(count))
    assert.deepEqual(table.calls, calls)
  })

test('fails when the table reads nothing', async () => {
  const { documents, calls } = tableThatAnswers(() => 0)
  await assert.rejects(getItems(documents, 'items', keys(2)), /items is throttled: 2 keys are not read/)
  assert.equal(calls.length, 8)
})
