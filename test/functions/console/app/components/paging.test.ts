import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { pageOf, sortedBy } from '../../../../../functions/console/app/components/paging.ts'

describe('a page', () => {
  const items = [1, 2, 3, 4, 5]
  for (const [text, number, shown] of [
    [undefined, 1, [1, 2]],
    ['2', 2, [3, 4]],
    ['9', 3, [5]],
    ['-1', 1, [1, 2]],
    ['two', 1, [1, 2]],
  ] as const)
    test(`of the address ${text} is number ${number}`, () =>
      assert.deepEqual(pageOf(items, text, 2), { items: shown, number, count: 3 }))
  test('exists without items', () => assert.deepEqual(pageOf([], '1', 2), { items: [], number: 1, count: 1 }))
})

describe('sorted rows', () => {
  test('have numbers by value, and null last in both orders', () => {
    const values = [10, null, 9]
    assert.deepEqual(
      sortedBy(values, (value) => value, false),
      [9, 10, null],
    )
    assert.deepEqual(
      sortedBy(values, (value) => value, true),
      [10, 9, null],
    )
  })
  test('keep the order of equal values', () =>
    assert.deepEqual(
      sortedBy(['b1', 'a1', 'b2'], (text) => text.charAt(0), true),
      ['b1', 'b2', 'a1'],
    ))
})
