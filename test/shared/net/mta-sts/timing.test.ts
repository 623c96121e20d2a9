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
    it(`of ${maxAge} s, ${age} ms old, ${isActive ? 'applies' : 'has expired'}${isDue ? ' and is renewed' : ''}`, () => {
      const policy = storedPolicy({ maxAge })
      assert.deepEqual([isValid(policy, begin + age), isRenewalDue(policy, begin + age)], [isActive, isDue])
    })
})

describe('after a failed fetch', () => {
  const rows: [id: string, age: number, paused: boolean][] = [
    ['a1', 0, true],
    ['a1', 5 * minute - 1, true],
    ['a1', 5 * minute, false],
    ['b2', minute - 1, true],
    ['b2', minute, false],
  ]
  for (const [id, age, paused] of rows)
    it(`${id === 'a1' ? 'the same' : 'another'} id is ${paused ? 'not fetched' : 'fetched'} ${age} ms later`, () =>
      assert.equal(isRetryPaused(failed(), id, begin + age), paused))

  it('an id without a failure is fetched immediately', () =>
    assert.equal(isRetryPaused(null, 'a1', begin), false))
})

describe('the states of two workers', () => {
  const older = storedPolicy()
  const newer = storedPolicy({ id: 'b2', fetchedAt: begin + hour })
  const early = failed({ at: begin - hour })
  const between = failed({ at: begin + 1 })
  const late = failed({ at: begin + 2 * hour })
  const rows = [
    [emptyDomainState, emptyDomainState, emptyDomainState],
    [{ policy: older, failure: null }, emptyDomainState, { policy: older, failure: null }],
    [
      { policy: older, failure: null },
      { policy: newer, failure: null },
      { policy: newer, failure: null },
    ],
    [{ policy: older, failure: between }, emptyDomainState, { policy: older, failure: between }],
    [
      { policy: older, failure: between },
      { policy: newer, failure: null },
      { policy: newer, failure: null },
    ],
    [
      { policy: newer, failure: null },
      { policy: older, failure: late },
      { policy: newer, failure: late },
    ],
    [
      { policy: null, failure: early },
      { policy: null, failure: late },
      { policy: null, failure: late },
    ],
    [
      { policy: null, failure: early },
      { policy: older, failure: null },
      { policy: older, failure: null },
    ],
  ] as const
  for (const [index, [first, second, expected]] of rows.entries())
    it(`merge into the later policy and failure (case ${index})`, () => {
      assert.deepEqual(mergeLater(first, second), expected)
      assert.deepEqual(mergeLater(second, first), expected)
    })
})

describe('the cache', () => {
  const state = { policy: storedPolicy(), failure: null }

  it('is fresh for five minutes, and keeps the state after that', () => {
    const cached = new PolicyCache()
    cached.set('a.example', state, begin)
    assert.equal(cached.getFresh('a.example', begin + 5 * minute - 1), state)
    assert.equal(cached.getFresh('a.example', begin + 5 * minute), null)
    assert.equal(cached.getLast('a.example'), state)
    assert.equal(cached.getLast('b.example'), emptyDomainState)
  })

  it('holds the thousand domains used last', () => {
    const cached = new PolicyCache()
    for (let n = 0; n < 1_000; n += 1) cached.set(`${n}.example`, state, begin)
    cached.set('0.example', state, begin)
    for (let n = 1_000; n < 1_999; n += 1) cached.set(`${n}.example`, state, begin)
    assert.equal(cached.getFresh('0.example', begin), state)
    assert.equal(cached.getFresh('999.example', begin), null)
    assert.equal(cached.getFresh('1000.example', begin), state)
  })

  it('holds no policy with more than a hundred patterns', () => {
    const cached = new PolicyCache()
    const mx = Array.from({ length: 101 }, (_, n) => `mx${n}.example`)
    cached.set('a.example', state, begin)
    cached.set('a.example', { policy: storedPolicy({ mx }), failure: null }, begin)
    assert.equal(cached.getFresh('a.example', begin), null)
    cached.set('a.example', { policy: storedPolicy({ mx: mx.slice(1) }), failure: null }, begin)
    assert.equal(cached.getFresh('a.example', begin)?.policy?.mx.length, 100)
  })
})
