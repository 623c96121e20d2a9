/** The rows of the table of partners. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ObservedCertificates, QueueList } from '../../../../../../functions/console/app/api/types.ts'
import { pairConnectors } from '../../../../../../functions/console/app/screens/partners/partner-pairs.ts'
import {
  filterRows,
  type Numbers,
  partnerRows,
  sortRows,
} from '../../../../../../functions/console/app/screens/partners/partner-rows.ts'
import { inboundOf, outboundOf } from './connectors.ts'

const pairs = pairConnectors(
  [inboundOf()],
  [
    outboundOf(),
    outboundOf({
      name: 'To the clinic',
      recipientDomains: ['clinic.example'],
      mode: 'ReportOnly',
      warnings: [{ path: 'mode', message: 'no requirement is enforced: violations are only recorded' }],
    }),
  ],
)
const numbers: Numbers = {
  tls: {
    rows: [
      {
        ...{ direction: 'Inbound', connector: 'From the bank', inClear: 0, tls12: 1, tls13: 2, unknown: 0 },
        lastMail: '2026-11-30T10:00:00.000Z',
      },
      {
        ...{ direction: 'Inbound', connector: 'From the bank', inClear: 0, tls12: 0, tls13: 0, refused: 1 },
        lastMail: null,
      },
      {
        direction: 'Outbound',
        connector: 'To the bank',
        inClear: 0,
        tls12: 0,
        tls13: 1,
        unknown: 4,
        refused: 2,
      },
      { direction: 'Outbound', connector: 'To the clinic', inClear: 3, tls12: 0, tls13: 0, unknown: 0 },
      { direction: 'Outbound', connector: null, inClear: 9, tls12: 0, tls13: 0, unknown: 0 },
    ],
  },
  rejected: {
    rows: [
      { connector: 'From the bank', count: 5 },
      { connector: null, count: 7 },
    ],
  },
  queues: {
    items: [{ connector: 'OUT-To the bank', recipients: 6 }] as QueueList['items'],
  },
  certificates: [
    {
      connector: { id: 'OUT-To the bank', name: 'To the bank' },
      certificates: [
        { use: 'InUse', daysLeft: 10 },
        { use: 'Superseded', daysLeft: 2 },
      ],
    },
  ] as unknown as ObservedCertificates[],
}
const rows = partnerRows(pairs, numbers)
const [bank, clinic] = rows

test('a row has the numbers of both connectors, and of no other', () => {
  const { mailIn, mailOut, tls13, inClear, refused, tlsNotMet, waiting, daysLeft } =
    bank as (typeof rows)[number]
  assert.deepEqual(
    { mailIn, mailOut, tls13, inClear, refused, tlsNotMet, waiting, daysLeft },
    { mailIn: 3, mailOut: 5, tls13: 0.75, inClear: 0, refused: 5, tlsNotMet: 2, waiting: 6, daysLeft: 10 },
  )
})

test('a row has the warnings of its connectors, and of what was measured', () => {
  const shortOf = (row: (typeof rows)[number] | undefined) => row?.warnings.map(({ short }) => short)
  assert.deepEqual(shortOf(bank), ['certificate expires'])
  assert.deepEqual(clinic?.warnings, [
    {
      short: 'no requirement is enforced: violations are only recorded',
      long: 'To the clinic: mode: no requirement is enforced: violations are only recorded',
    },
  ])
  const failed = { at: '2026-11-29T12:00:00.000Z', succeeded: false } as never
  const [unvalidated] = partnerRows(pairConnectors([inboundOf()], [outboundOf({ validation: failed })]), {
    ...numbers,
    certificates: [],
  })
  assert.deepEqual(shortOf(unvalidated), ['validation failed'])
})

test('a row has the last mail of each direction', () => {
  assert.deepEqual([bank?.lastIn, bank?.lastOut], ['2026-11-30T10:00:00.000Z', null])
})

test('a row without mail of known TLS has no share of TLS 1.3', () => {
  const [row] = partnerRows(pairs, { ...numbers, tls: { rows: [] } })
  assert.equal(row?.tls13, null)
})

describe('the table', () => {
  const titles = (shown: typeof rows) => shown.map(({ title }) => title)

  test('finds rows by domain, connector, level, stage and warning', () => {
    for (const text of ['CLINIC', 'to the clinic', 'reportonly', 'only recorded'])
      assert.deepEqual(titles(filterRows(rows, text)), ['clinic.example'], text)
    assert.equal(filterRows(rows, 'encryptiononly').length, 2)
    assert.deepEqual(filterRows(rows, 'clinic bank'), [])
  })

  test('is sorted by a column, then by partner', () => {
    assert.deepEqual(titles(sortRows(rows, 'partner', true)), ['clinic.example', 'bank.example'])
    assert.deepEqual(titles(sortRows(rows, 'clear', true)), ['clinic.example', 'bank.example'])
    assert.deepEqual(titles(sortRows(rows, 'certificate', false)), ['bank.example', 'clinic.example'])
    assert.deepEqual(titles(sortRows(rows, 'level', true)), ['bank.example', 'clinic.example'])
    assert.deepEqual(titles(sortRows(rows, 'warnings', true)), ['bank.example', 'clinic.example'])
  })
})
