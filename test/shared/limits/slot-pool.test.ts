import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { initialSessionLimit } from '../../../shared/limits/session-limit.ts'
import {
  type SlotLease,
  type SlotPool,
  type SlotRequest,
  updateSlots,
} from '../../../shared/limits/slot-pool.ts'

const nowMs = 10_000_000
const options = { initialLimit: 10, maxLimit: 100, maxHolders: 4, leaseMs: 10_000 }

const lease = (holder: string, slots: number, endMs = nowMs + 1): SlotLease => ({ holder, slots, endMs })
const pool = (limit: number, leases: SlotLease[], fields: Partial<SlotPool> = {}): SlotPool => ({
  ...initialSessionLimit(limit),
  leases,
  updatedAtMs: nowMs - 1_000,
  ...fields,
})
const request = (wanted: number, fields: Partial<SlotRequest> = {}): SlotRequest => ({
  holder: 'own',
  wanted,
  isEnd: false,
  report: null,
  ...fields,
})

describe('the slots that a worker gets', () => {
  const rows: [what: string, stored: SlotPool | null, request: SlotRequest, granted: number][] = [
    ['of a new destination are a quarter of ten', null, request(8), 3],
    ['are as many as it wants', null, request(2), 2],
    ['are those that the other workers leave', pool(10, [lease('a', 5), lease('b', 4)]), request(3), 1],
    ['are none when all are in use', pool(10, [lease('a', 5), lease('b', 5)]), request(1), 0],
    [
      'are none when as many workers deliver as may',
      pool(
        100,
        ['a', 'b', 'c', 'd'].map((holder) => lease(holder, 1)),
      ),
      request(1),
      0,
    ],
    ['include those of workers that died', pool(10, [lease('a', 5), lease('dead', 5, nowMs)]), request(3), 3],
    ['are at least one while it delivers', pool(2, [lease('a', 2), lease('own', 2)]), request(5), 1],
    [
      'are a quarter of ten after ten minutes without deliveries, whatever the limit was',
      pool(100, [], { updatedAtMs: nowMs - 600_001 }),
      request(10),
      3,
    ],
    ['are more when the limit has grown', pool(80, []), request(30), 20],
    [
      'are at most the maximum of the settings, which may have been lowered',
      pool(5_000, []),
      request(90),
      25,
    ],
  ]
  for (const [what, stored, wanted, granted] of rows)
    it(what, () => assert.equal(updateSlots(stored, wanted, options, nowMs).granted, granted))

  it('are in the pool until the end of its lease', () => {
    const { pool: updated } = updateSlots(pool(10, [lease('a', 5)]), request(2), options, nowMs)
    assert.deepEqual(updated.leases, [lease('a', 5), lease('own', 2, nowMs + 10_000)])
    const ended = updateSlots(updated, request(2, { isEnd: true }), options, nowMs)
    assert.deepEqual(ended.pool.leases, [lease('a', 5)])
  })

  it('leave the pool unchanged when there are none, so nothing is written', () => {
    const full = pool(10, [lease('a', 10)])
    assert.deepEqual(updateSlots(full, request(1), options, nowMs).pool, full)
  })
})

describe('a report', () => {
  const report = { accepted: 5, overloaded: 0 }
  const limitAfter = (stored: SlotPool, sent: SlotRequest) =>
    updateSlots(stored, sent, options, nowMs).pool.limit

  it('lets the limit grow when its worker wants more slots than it had', () =>
    assert.equal(limitAfter(pool(10, [lease('own', 3)]), request(9, { report, isEnd: true })), 13))

  it('lets the limit grow when half of it is in use', () =>
    assert.equal(
      limitAfter(pool(10, [lease('own', 1), lease('a', 4)]), request(1, { report, isEnd: true })),
      11,
    ))

  it('changes no limit of which less than half is in use', () =>
    assert.equal(limitAfter(pool(10, [lease('own', 1)]), request(1, { report, isEnd: true })), 10))
})

describe('slots are contended, so they must be returned at once', () => {
  const rows: [what: string, stored: SlotPool, wanted: number, isContended: boolean][] = [
    ['when the worker got fewer than it wants', pool(10, []), 9, true],
    ['when half of all are in use', pool(10, [lease('a', 4)]), 1, true],
    ['when half of the workers deliver that may', pool(90, [lease('a', 1)]), 1, true],
    ['but not for one message to a destination without others', pool(10, []), 1, false],
  ]
  for (const [what, stored, wanted, isContended] of rows)
    it(what, () =>
      assert.equal(updateSlots(stored, request(wanted), options, nowMs).isContended, isContended),
    )
})
