import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  Holding,
  largeMessageOctets,
  MemoryBudget,
  messageMemory,
} from '../../../functions/smtp-ingress/memory.ts'

test('the smallest task has room for a thousand sessions and for large messages beside small ones', () => {
  const { small, large } = messageMemory(512, 1000)
  assert.equal(small.left, large.left)
  assert.equal(Math.floor(large.left / largeMessageOctets), 2)
})

test('more memory is more mail at once, more sessions less', () => {
  assert.ok(messageMemory(1024, 1000).small.left > messageMemory(512, 1000).small.left)
  assert.ok(messageMemory(1024, 2000).small.left < messageMemory(1024, 1000).small.left)
})

test('a task that is too small for its sessions does not start', () =>
  assert.throws(
    () => messageMemory(512, 5000),
    /^Error: 512 MiB of memory are not enough for 5000 sessions$/,
  ))

test('a message holds what it last asked for, of one budget, and all comes back', () => {
  const [small, large] = [new MemoryBudget(100), new MemoryBudget(100)]
  const holding = new Holding(small)
  assert.equal(holding.hold(60), true)
  assert.equal(holding.hold(101), false)
  assert.equal(small.left, 40, 'a refusal changes nothing')
  assert.equal(holding.hold(100), true)
  assert.equal(small.left, 0)
  assert.equal(holding.hold(80, large), true)
  assert.deepEqual([small.left, large.left], [100, 20])
  holding.release()
  holding.release()
  assert.deepEqual([small.left, large.left], [100, 100])
})

test('whatever messages hold and release, no more is held than there is', () => {
  const step = fc.record({
    message: fc.nat(4),
    octets: fc.nat(80),
    to: fc.constantFrom('small', 'large', null),
  })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const budgets = { small: new MemoryBudget(100), large: new MemoryBudget(100) }
      const holdings = Array.from({ length: 5 }, () => new Holding(budgets.small))
      for (const { message, octets, to } of steps) {
        if (to === null) holdings[message]?.release()
        else holdings[message]?.hold(octets, budgets[to])
        for (const { left } of Object.values(budgets)) assert.ok(left >= 0 && left <= 100)
      }
      for (const holding of holdings) holding.release()
      assert.deepEqual([budgets.small.left, budgets.large.left], [100, 100])
    }),
  )
})
