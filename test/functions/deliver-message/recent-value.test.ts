import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recentValue } from '../../../functions/deliver-message/recent-value.ts'

test('a value is read again when its read is as old as permitted, once for all callers', async () => {
  let [nowMs, reads] = [0, 0]
  const value = await recentValue(
    async () => ++reads,
    5_000,
    () => nowMs,
  )
  assert.equal(await value(), 1)
  nowMs = 4_999
  assert.equal(await value(), 1)
  nowMs = 5_000
  assert.deepEqual(await Promise.all([value(), value()]), [2, 2])
  nowMs = 9_999
  assert.equal(await value(), 2)
})

test('a failed read is repeated by the next call', async () => {
  let [nowMs, reads] = [0, 0]
  const read = async () => {
    if (++reads === 2) throw new Error('throttled')
    return reads
  }
  const value = await recentValue(read, 5_000, () => nowMs)
  nowMs = 5_000
  await assert.rejects(value(), /throttled/)
  assert.equal(await value(), 3)
})

test('the first read must succeed', async () => {
  await assert.rejects(
    recentValue(() => Promise.reject(new Error('throttled')), 5_000),
    /throttled/,
  )
})
