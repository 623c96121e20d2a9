import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RateLimiter } from '../../../shared/limits/rate-limiter.ts'

const at = (seconds: number): Date => new Date(seconds * 1000)

test('a rate limiter limits each key separately, and a key has its whole limit again in a new window', () => {
  const limiter = new RateLimiter(2, 60_000)
  const events: [key: string, second: number, allowed: boolean][] = [
    ['a', 0, true],
    ['a', 10, true],
    ['a', 20, false],
    ['b', 30, true],
    ['a', 59, false],
    ['a', 60, true],
    ['b', 61, true],
    ['a', 62, true],
    // Its session began in the window before.
    ['c', 58, true],
    ['a', 63, false],
  ]
  for (const [key, second, allowed] of events) {
    assert.equal(limiter.isAllowed(key, at(second)), allowed, `${key} after ${second} s`)
    if (allowed) limiter.take(key, at(second))
  }
})

test('giveBack() lets a rate limiter allow an event in place of one that was taken', () => {
  const limiter = new RateLimiter(1, 60_000)
  limiter.take('a', at(0))
  limiter.giveBack('a')
  assert.ok(limiter.isAllowed('a', at(1)))
})

test('isAllowed() of a rate limiter takes no event', () => {
  const limiter = new RateLimiter(1, 60_000)
  assert.ok(limiter.isAllowed('a', at(0)))
  assert.ok(limiter.isAllowed('a', at(0)))
})
