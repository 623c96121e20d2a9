/** The numbers of the overview. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ObservedCertificates, QueueList } from '../../../../../../functions/console/app/api/types.ts'
import {
  alarmLinks,
  atRisk,
  expiringCertificates,
  shareText,
  tlsCounts,
  waitingSummary,
} from '../../../../../../functions/console/app/screens/overview/overview-numbers.ts'
import type { PartnerRow } from '../../../../../../functions/console/app/screens/partners/partner-rows.ts'

test('each alarm with links is an alarm of the stack', () => {
  const page = readFileSync(
    join(import.meta.dirname, '../../../../../../docs/generated/metrics-and-alarms.md'),
    'utf8',
  )
  for (const title of Object.keys(alarmLinks)) assert.ok(page.includes(`[${title}](`), title)
})

test('partners at risk are those with warnings, most warnings first', () => {
  const row = (title: string, count: number) =>
    ({ title, warnings: Array.from({ length: count }, () => ({ short: '', long: '' })) }) as PartnerRow
  assert.deepEqual(
    atRisk([row('b', 1), row('none', 0), row('c', 2), row('a', 1)]).map(({ title }) => title),
    ['c', 'a', 'b'],
  )
})

test('held and deferred mail is counted apart, with its reasons', () => {
  const group = (reason: string, recipients: number, day: number) => ({
    ...{ reason, recipients },
    oldest: `2026-12-0${day}T00:00:00.000Z`,
    expires: `2026-12-0${day + 1}T00:00:00.000Z`,
  })
  const list = {
    items: [
      group('InboundTlsRequired', 1, 2),
      group('RetryLater', 2, 1),
      group('OutboundTlsNotMet', 4, 3),
      group('RetryLater', 3, 4),
    ],
    omitted: 0,
    complete: true,
  } as unknown as QueueList
  assert.deepEqual(waitingSummary(list, 'Held'), {
    recipients: 1,
    oldest: '2026-12-02T00:00:00.000Z',
    expires: '2026-12-03T00:00:00.000Z',
    reasons: [{ reason: 'InboundTlsRequired', count: 1 }],
    mayBeMore: false,
  })
  const { recipients, oldest, reasons } = waitingSummary(list, 'Deferred')
  assert.deepEqual([recipients, oldest], [9, '2026-12-01T00:00:00.000Z'])
  assert.deepEqual(reasons, [
    { reason: 'RetryLater', count: 5 },
    { reason: 'OutboundTlsNotMet', count: 4 },
  ])
  assert.deepEqual(
    [
      waitingSummary({ ...list, omitted: 1 }, 'Held'),
      waitingSummary({ ...list, complete: false }, 'Held'),
    ].map(({ mayBeMore }) => mayBeMore),
    [true, true],
  )
})

test('mail is counted by TLS version, with shares that are never rounded to none or all', () => {
  const rows = [
    { direction: 'Inbound', tls13: 999, inClear: 1 },
    { direction: 'Outbound', tls12: 1, tls13: 3 },
  ]
  const inbound = tlsCounts({ rows }, 'Inbound')
  assert.deepEqual(inbound, { tls13: 999, tls12: 0, inClear: 1, unknown: 0 })
  assert.deepEqual(
    [999, 1, 0].map((count) => shareText(count, inbound)),
    ['(over 99\u00a0%)', '(under 1\u00a0%)', '(0\u00a0%)'],
  )
  assert.equal(shareText(3, tlsCounts({ rows }, 'Outbound')), '(75\u00a0%)')
})

test('of each host, the certificate in use that expires first is listed, the fewest days first', () => {
  const host = (name: string, ...daysLeft: number[]) =>
    ({
      host: name,
      connector: null,
      certificates: daysLeft.map((days) => ({ use: days < 0 ? 'Superseded' : 'InUse', daysLeft: days })),
    }) as unknown as ObservedCertificates
  assert.deepEqual(
    expiringCertificates([host('a', 20, 9), host('b', 5), host('c', -1)]).map(({ host: name, daysLeft }) => [
      name,
      daysLeft,
    ]),
    [
      ['b', 5],
      ['a', 9],
    ],
  )
})
