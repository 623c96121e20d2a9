import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assessCertificateUse, daysLeft, dueNoticeDay } from '../../../../shared/tls/observed/expiry.ts'
import type { ObservedCertificate } from '../../../../shared/tls/observed/observation.ts'
import { daysAfter, observation } from '../../../support/observed.ts'

const now = new Date('2026-01-15T06:00:00.000Z')
const daysAgo = (days: number): string => daysAfter(-days, now).toISOString()
const daysAhead = (days: number): string => daysAfter(days, now).toISOString()

for (const [certificateText, certificates, expectedUses] of [
  ['a certificate that was observed today', [{ lastSeen: daysAgo(0) }], ['InUse']],
  ['a certificate that was last observed 30 days ago', [{ lastSeen: daysAgo(30) }], ['InUse']],
  ['a certificate that was last observed more than 30 days ago', [{ lastSeen: daysAgo(30.1) }], ['NotSeen']],
  [
    'a certificate and its predecessor, last observed two days ago,',
    [
      { firstSeen: daysAgo(1), lastSeen: daysAgo(0) },
      { firstSeen: daysAgo(90), lastSeen: daysAgo(2) },
    ],
    ['InUse', 'Superseded'],
  ],
  [
    'two certificates that were both observed today',
    [
      { firstSeen: daysAgo(5), lastSeen: daysAgo(0) },
      { firstSeen: daysAgo(90), lastSeen: daysAgo(0.1) },
    ],
    ['InUse', 'InUse'],
  ],
  [
    'an old certificate that was observed today, and a newer one of four days ago,',
    [
      { firstSeen: daysAgo(90), lastSeen: daysAgo(0) },
      { firstSeen: daysAgo(5), lastSeen: daysAgo(4) },
    ],
    ['InUse', 'InUse'],
  ],
] as const)
  test(`the use of ${certificateText} is ${expectedUses.join(' and ')}`, () => {
    const stored = observation(
      certificates.map((one, index) => ({
        fingerprint256: String(index).repeat(64),
        firstSeen: daysAgo(100),
        ...one,
      })),
    )
    assert.deepEqual(
      stored.certificates.map((one) => assessCertificateUse(one, stored, now)),
      expectedUses,
    )
  })

test('daysLeft is a whole number, and negative after expiry', () => {
  const remainingDays = (days: number) => daysLeft({ notAfter: daysAhead(days) }, now)
  assert.deepEqual(
    [remainingDays(10.9), remainingDays(10), remainingDays(0.1), remainingDays(-0.1), remainingDays(-9)],
    [10, 10, 0, -1, -9],
  )
})

const dueNotice = (
  remainingDays: number,
  lifetimeDays: number,
  replacedExpiry: string | null = null,
): number | null => {
  const notAfter = daysAhead(remainingDays)
  const notBefore = daysAfter(remainingDays - lifetimeDays, now).toISOString()
  const stored = observation([{ fingerprint256: 'b'.repeat(64), notBefore, notAfter }])
  const [certificate] = stored.certificates as [ObservedCertificate]
  const compared = { ...certificate, notAfter: replacedExpiry ?? '' }
  const changes =
    replacedExpiry === null ? [] : [{ at: daysAgo(5), what: [], from: compared, to: certificate }]
  return dueNoticeDay(certificate, { changes }, now)
}

for (const [remainingDays, expected] of [
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
  test(`${remainingDays} days before a one-year certificate expires, ${expected === null ? 'no notice' : `the ${expected}-day notice`} is due`, () => {
    assert.equal(dueNotice(remainingDays, 365), expected)
  })

const tenDaysAhead = daysAhead(10)
const tenDaysAgo = daysAgo(10)
for (const [lifetimeDays, remainingDays, replacedExpiry, expected] of [
  // There is no earlier certificate, so it is unknown when the endpoint renews.
  [90, 29, null, 30],
  [6, 5, null, 14],
  // The endpoint renews in time, in the last third.
  [90, 29, tenDaysAhead, 30],
  [89, 29, tenDaysAhead, null],
  [89, 14, tenDaysAhead, 14],
  [45, 14, tenDaysAhead, 14],
  [6, 5, tenDaysAhead, null],
  [6, 2, tenDaysAhead, 2],
  [365, 30, tenDaysAhead, 30],
  // The endpoint did not renew in time.
  [89, 29, tenDaysAgo, 30],
  [6, 5, tenDaysAgo, 14],
] as const)
  test(`${expected === null ? 'no notice' : `the ${expected}-day notice`} is due for a certificate of ${lifetimeDays} days with ${remainingDays} left, ${replacedExpiry === null ? 'which replaced none' : `which replaced another one ${replacedExpiry === tenDaysAhead ? 'before' : 'after'} its expiry`}`, () => {
    assert.equal(dueNotice(remainingDays, lifetimeDays, replacedExpiry), expected)
  })
