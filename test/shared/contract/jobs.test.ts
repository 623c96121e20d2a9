import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inParts } from '../../../shared/contract/jobs.ts'

test('parts hold at most a hundred items, in their order', () => {
  const items = Array.from({ length: 250 }, (_, index) => index)
  const parts = inParts(items)
  assert.deepEqual(
    parts.map((part) => part.length),
    [100, 100, 50],
  )
  assert.deepEqual(parts.flat(), items)
})

test('parts hold no more octets than a job has room for, and an item that is larger stands alone', () => {
  const sizes = [50_000, 50_000, 50_000, 200_000, 10]
  const parts = inParts(sizes.map((size) => '\u00e9'.repeat(size / 2)))
  assert.deepEqual(
    parts.map((part) => part.length),
    [2, 1, 1, 1],
  )
})

test('nothing is no part', () => {
  assert.deepEqual(inParts([]), [])
})
