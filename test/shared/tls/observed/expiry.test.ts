import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateUse, daysLeft, noticeDue } from '../../../../shared/tls/observed/expiry.ts'
import type { ObservedCertificate } from '../../../../shared/tls/observed/observation.ts'
import { daysAfter, observation } from '../../../support/observed.ts'

const now = new Date('2026-01-15T06:00:00.000Z')
const ago = (days: number): string => daysAfter(-days, now).toISOString()
const ahead = (days: number): string => daysAfter(days, now).toISOString()

for (const [what, certificates, uses] of [
  ['a certificate seen today', [{ lastSeen: ago(0) }], ['InUse']],
  ['a certificate not seen for 30 days', [{ lastSeen: ago(30) }], ['InUse']],
  ['a certificate not seen for longer', [{ lastSeen: ago(30.1) }], ['NotSeen']],
  [
    'a certificate that another followed',
    [
      { firstSeen: ago(1), lastSeen: ago(0) },
      { firstSeen: ago(90), lastSeen: ago(2) },
    ],
    ['InUse', 'Superseded'],
  ],
  [
    'each of two certificates that are still seen',
    [
      { firstSeen: ago(5), lastSeen: ago(0) },
      { firstSeen: ago(90), lastSeen: ago(0.1) },
    ],
    ['InUse', 'InUse'],
  ],
  [
    'a certificate that came back after another',
    [
      { firstSeen: ago(90), lastSeen: ago(0) },
      { firstSeen: ago(5), lastSeen: ago(4) },
    ],
    ['InUse', 'InUse'],
  ],
] as const)
  test(`${what} is ${uses.join(', ')}`, () => {
    const seen = observation(
      certificates.map((one, index) => ({
        fingerprint256: String(index).repeat(64),
        firstSeen: ago(100),
        ...one,
      })),
    )
    assert.deepEqual(
      seen.certificates.map((one) => certificateUse(one, seen, now)),
      uses,
    )
  })

test('days left are whole, and negative from the moment of expiry', () => {
  const left = (days: number) => daysLeft({ notAfter: ahead(days) }, now)
  assert.deepEqual([left(10.9), left(10), left(0.1), left(-0.1), left(-9)], [10, 10, 0, -1, -9])
})

const due = (left: number, life: number, replaced: string | null = null): number | null => {
  const notAfter = ahead(left)
  const notBefore = daysAfter(left - life, now).toISOString()
  const seen = observation([{ fingerprint256: 'b'.repeat(64), notBefore, notAfter }])
  const [certificate] = seen.certificates as [ObservedCertificate]
  const compared = { ...certificate, notAfter: replaced ?? '' }
  const changes = replaced === null ? [] : [{ at: ago(5), what: [], from: compared, to: certificate }]
  return noticeDue(certificate, { changes }, now)
}

for (const [left, expected] of [
  [30.1, null],
  [30, 30],
  [14.1, 30],
  [14, 14],
  [10, 14],
  [3.1, 14],
  [3, 3],
  [0, 3],
  [-400, 3],
] as const)
  test(`${left} days before a certificate of a year expires, the notice of ${expected ?? 'no'} days is due`, () => {
    assert.equal(due(left, 365), expected)
  })

const intime = ahead(10)
const late = ago(10)
for (const [life, left, replaced, expected] of [
  // Unknown renewal practice of the endpoint.
  [90, 29, null, 30],
  [6, 5, null, 14],
  // The endpoint renews in time, in the last third.
  [90, 29, intime, 30],
  [89, 29, intime, null],
  [89, 14, intime, 14],
  [45, 14, intime, 14],
  [6, 5, intime, null],
  [6, 2, intime, 2],
  [365, 30, intime, 30],
  // The endpoint did not renew in time.
  [89, 29, late, 30],
  [6, 5, late, 14],
] as const)
  test(`a certificate of ${life} days with ${left} left, ${replaced === null ? 'the first' : replaced === intime ? 'renewed in time' : 'renewed late'}: ${expected}`, () => {
    assert.equal(due(left, life, replaced), expected)
  })
