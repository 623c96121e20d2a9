import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryDelaySeconds } from '../../../shared/lambda/retry-delay.ts'

const cases: [receives: number, minimum: number, maximum: number][] = [
  [1, 15, 30],
  [2, 30, 60],
  [3, 60, 120],
  [5, 240, 480],
  [6, 450, 900],
  [1000, 450, 900],
]
for (const [receives, minimum, maximum] of cases)
  test(`a job that was received ${receives} times waits from ${minimum} to ${maximum} seconds`, () => {
    assert.equal(retryDelaySeconds(receives, 0), minimum)
    assert.equal(retryDelaySeconds(receives, 1 - Number.EPSILON), maximum)
  })
