import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  initialSessionLimit,
  type LoadReport,
  nextSessionLimit,
  type SessionLimit,
} from '../../../shared/limits/session-limit.ts'

const nowMs = 1_000_000
const at = (limit: number, fields: Partial<SessionLimit> = {}): SessionLimit => ({
  ...initialSessionLimit(limit),
  ...fields,
})

describe('the limit of concurrent deliveries to a destination', () => {
  const rows: [
    what: string,
    current: SessionLimit,
    report: LoadReport,
    use: { slots: number; isInUse: boolean },
    expected: Partial<SessionLimit>,
  ][] = [
    [
      'grows by the slots of a successful worker below the threshold',
      at(10),
      { accepted: 40, overloaded: 0 },
      { slots: 3, isInUse: true },
      { limit: 13 },
    ],
    [
      'grows to the threshold at once, and not beyond',
      at(10, { threshold: 12 }),
      { accepted: 40, overloaded: 0 },
      { slots: 5, isInUse: true },
      { limit: 12 },
    ],
    [
      "grows above the threshold by the worker's part of one",
      at(20, { threshold: 20 }),
      { accepted: 40, overloaded: 0 },
      { slots: 5, isInUse: true },
      { limit: 20.25 },
    ],
    [
      'does not grow above the maximum',
      at(98),
      { accepted: 1, overloaded: 0 },
      { slots: 10, isInUse: true },
      { limit: 100 },
    ],
    [
      'does not grow while it is not used',
      at(10),
      { accepted: 40, overloaded: 0 },
      { slots: 3, isInUse: false },
      { limit: 10 },
    ],
    [
      'does not grow without an accepted message',
      at(10),
      { accepted: 0, overloaded: 0 },
      { slots: 3, isInUse: true },
      { limit: 10 },
    ],
    [
      'halves after overload, although most messages were accepted',
      at(40),
      { accepted: 99, overloaded: 1 },
      { slots: 5, isInUse: true },
      { limit: 20, threshold: 20, reducedAtMs: nowMs },
    ],
    [
      'halves once for the overload that several workers report at the same time',
      at(20, { threshold: 20, reducedAtMs: nowMs - 4_999 }),
      { accepted: 0, overloaded: 7 },
      { slots: 5, isInUse: true },
      { limit: 20 },
    ],
    [
      'halves again when the overload lasts',
      at(20, { threshold: 20, reducedAtMs: nowMs - 5_000 }),
      { accepted: 0, overloaded: 7 },
      { slots: 5, isInUse: true },
      { limit: 10, threshold: 10, reducedAtMs: nowMs },
    ],
    [
      'is never below 1',
      at(1),
      { accepted: 0, overloaded: 7 },
      { slots: 1, isInUse: true },
      { limit: 1, threshold: 1, reducedAtMs: nowMs },
    ],
  ]
  for (const [what, current, report, use, expected] of rows)
    it(what, () =>
      assert.deepEqual(nextSessionLimit(current, report, { ...use, maxLimit: 100 }, nowMs), {
        ...current,
        ...expected,
      }),
    )
})
