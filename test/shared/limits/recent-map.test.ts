import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecentMap } from '../../../shared/limits/recent-map.ts'

test('in a full map, a new entry replaces the entry that was set first', () => {
  const map = new RecentMap<string, number>(2)
  for (const [index, key] of ['a', 'b', 'c'].entries()) map.set(key, index)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => map.get(key)),
    [undefined, 1, 2],
  )
})

test('in a full map, an entry that was set again stays, and an entry that was only read is replaced', () => {
  const map = new RecentMap<string, number>(2)
  map.set('a', 0)
  map.set('b', 1)
  map.set('a', 2)
  map.get('b')
  map.set('c', 3)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => map.get(key)),
    [2, undefined, 3],
  )
})

test('a deleted entry makes room for a new entry, so no other entry is replaced', () => {
  const map = new RecentMap<string, number>(2)
  map.set('a', 0)
  map.set('b', 1)
  map.delete('b')
  map.set('c', 2)
  assert.deepEqual([map.get('a'), map.get('b'), map.get('c')], [0, undefined, 2])
})
