import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { maxAge, sessionEnd, warningMs } from '../../../../../functions/console/app/sign-in/session-end.ts'

const now = Date.parse('2026-02-03T12:00:00Z')
const minuteMs = 60_000

describe('a session', () => {
  test('counts from the authentication, by the clock of the provider', () => {
    const iat = now / 1000 + 9000
    assert.equal(sessionEnd({ auth_time: iat - 600, iat }, 60, now), now + 50 * minuteMs)
  })

  test('is over if the authentication is older than its length', () =>
    assert.ok(sessionEnd({ auth_time: 0, iat: 3601 }, 60, now) <= now))

  test('counts from the sign-in if the provider does not say when it authenticated the person', () =>
    assert.equal(sessionEnd({ iat: 0 }, 60, now), now + 60 * minuteMs))

  test('is not longer if the authentication seems to be in the future', () =>
    assert.equal(sessionEnd({ auth_time: 5000, iat: 0 }, 60, now), now + 60 * minuteMs))

  test('has its length in seconds in the request, as a whole number', () =>
    assert.deepEqual([maxAge(480), maxAge(0.06)], [28_800, 3]))

  test('warns five minutes before its end, or half of a short session', () =>
    assert.deepEqual([warningMs(480), warningMs(6)], [5 * minuteMs, 3 * minuteMs]))
})
