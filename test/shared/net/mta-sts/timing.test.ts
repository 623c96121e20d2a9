import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PolicyCache } from '../../../../shared/net/mta-sts/policy-cache.ts'
import {
  emptyDomainState,
  type FailedFetch,
  type StoredPolicy,
} from '../../../../shared/net/mta-sts/policy-store.ts'
import { isRenewalDue, isRetryPaused, isValid, mergeLater } from '../../../../shared/net/mta-sts/timing.ts'

const minute = 60_000
const hour = 3_600_000
const day = 86_400_000
const begin = Date.parse('2026-11-25T00:00:00Z')

const storedPolicy = (fields: Partial<StoredPolicy> = {}): StoredPolicy => {
  const { maxAge = 604_800, fetchedAt = begin } = fields
  const validUntil = fetchedAt + maxAge * 1000
  return { id: 'a1', mode: 'enforce', mx: ['mx.partner.example'], maxAge, fetchedAt, validUntil, ...fields }
}
const failed = (fields: Partial<FailedFetch> = {}): FailedFetch => ({
  id: 'a1',
  at: begin,
  result: 'sts-policy-fetch-error',
  detail: 'The policy host answered 404',
  ...fields,
})

describe('a stored policy', () => {
  const rows: [maxAge: number, age: number, holds: boolean, isDue: boolean][] = [
    [604_800, 0, true, false],
    [604_800, day - 1, true, false],
    [604_800, day, true, true],
    [604_800, 7 * day - 1, true, true],
    [604_800, 7 * day, false, true],
    [31_557_600, day, true, true],
    [172_800, day - 1, true, false],
    [86_400, day / 2 - 1, true, false],
    [86_400, day / 2, true, true],
    [60, 29_999, true, false],
    [60, 30_000, true, true],
    [0, 0, false, true],
  ]
  for (const [maxAge, age, isActive, isDue] of rows)
    it(`with max_age ${maxAge}, ${age} ms old, ${isActive ? 'applies' : 'has expired'} and is ${isDue ? 'due' : 'not due'} for renewal`, () => {
      const policy = storedPolicy({ maxAge })
      assert.deepEqual([isValid(policy, begin + age), isRenewalDue(policy, begin + age)], [isActive, isDue])
    })
})

describe('after a failed fetch of an MTA-STS policy', () => {
  const rows: [id: string, age: number, paused: boolean][] = [
    ['a1', 0, true],
    ['a1', 5 * minute - 1, true],
    ['a1', 5 * minute, false],
    ['b2', minute - 1, true],
    ['b2', minute, false],
  ]
  for (const [id, age, paused] of rows)
    it(`the policy with ${id === 'a1' ? 'the same' : 'another'} id may ${paused ? 'not ' : ''}be fetched ${age} ms later`, () =>
      assert.equal(isRetryPaused(failed(), id, begin + age), paused))

  it('a policy whose fetch has not failed is fetched immediately', () =>
    assert.equal(isRetryPaused(null, 'a1', begin), false))
})

describe('two states of a domain', () => {
  const older = storedPolicy()
  const newer = storedPolicy({ id: 'b2', fetchedAt: begin + hour })
  const early = failed({ at: begin - hour })
  const between = failed({ at: begin + 1 })
  const late = failed({ at: begin + 2 * hour })
  const rows = [
    ['both empty: empty', emptyDomainState, emptyDomainState, emptyDomainState],
    [
      'a policy and empty: the policy',
      { policy: older, failure: null },
      emptyDomainState,
      { policy: older, failure: null },
    ],
    [
      'two policies: the newer policy',
      { policy: older, failure: null },
      { policy: newer, failure: null },
      { policy: newer, failure: null },
    ],
    [
      'a policy with a failure and empty: the policy with the failure',
      { policy: older, failure: between },
      emptyDomainState,
      { policy: older, failure: between },
    ],
    [
      'an older policy with a failure and a policy newer than both: the newer policy',
      { policy: older, failure: between },
      { policy: newer, failure: null },
      { policy: newer, failure: null },
    ],
    [
      'a newer policy and an older one with a still later failure: the newer policy with the failure',
      { policy: newer, failure: null },
      { policy: older, failure: late },
      { policy: newer, failure: late },
    ],
    [
      'two failures: the later failure',
      { policy: null, failure: early },
      { policy: null, failure: late },
      { policy: null, failure: late },
    ],
    [
      'a failure and a later policy: the policy',
      { policy: null, failure: early },
      { policy: older, failure: null },
      { policy: older, failure: null },
    ],
  ] as const
  for (const [name, first, second, expected] of rows)
    it(`are merged in either order, ${name}`, () => {
      assert.deepEqual(mergeLater(first, second), expected)
      assert.deepEqual(mergeLater(second, first), expected)
    })
})

describe('the cache of MTA-STS policies', () => {
  const state = { policy: storedPolicy(), failure: null }

  it("returns a domain's state as fresh for five minutes, and as last state after that", () => {
    const cached = new PolicyCache()
    cached.set('a.example', state, begin)
    assert.equal(cached.getFresh('a.example', begin + 5 * minute - 1), state)
    assert.equal(cached.getFresh('a.example', begin + 5 * minute), null)
    assert.equal(cached.getLast('a.example'), state)
    assert.equal(cached.getLast('b.example'), emptyDomainState)
  })

  it('holds the thousand domains that were set last', () => {
    const cached = new PolicyCache()
    for (let n = 0; n < 1_000; n += 1) cached.set(`${n}.example`, state, begin)
    cached.set('0.example', state, begin)
    for (let n = 1_000; n < 1_999; n += 1) cached.set(`${n}.example`, state, begin)
    assert.equal(cached.getFresh('0.example', begin), state)
    assert.equal(cached.getFresh('999.example', begin), null)
    assert.equal(cached.getFresh('1000.example', begin), state)
  })

  it('holds no state of a domain whose policy has more than a hundred patterns', () => {
    const cached = new PolicyCache()
    const mx = Array.from({ length: 101 }, (_, n) => `mx${n}.example`)
    cached.set('a.example', state, begin)
    cached.set('a.example', { policy: storedPolicy({ mx }), failure: null }, begin)
    assert.equal(cached.getFresh('a.example', begin), null)
    cached.set('a.example', { policy: storedPolicy({ mx: mx.slice(1) }), failure: null }, begin)
    assert.equal(cached.getFresh('a.example', begin)?.policy?.mx.length, 100)
  })
})
