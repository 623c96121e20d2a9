/** The text of a summary, from its counts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SummaryCounts, TlsCounts } from '../../../functions/send-summary/count-summary.ts'
import { periodsEndingWith, type SummaryPeriod } from '../../../functions/send-summary/summary-period.ts'
import { type Summary, summaryLines, summarySubject } from '../../../functions/send-summary/summary-text.ts'

const none: TlsCounts = { inClear: 0, tls12: 0, tls13: 0, unknown: 0, postQuantum: 0 }
const quiet: SummaryCounts = { inbound: none, outbound: none, inClear: [], refusals: [], bounces: [] }
const [day] = periodsEndingWith('2026-02-03') as [SummaryPeriod]
const week = periodsEndingWith('2026-02-08')[1] as SummaryPeriod

const summaryOf = (counts: Partial<SummaryCounts>, fields: Partial<Summary> = {}): Summary => ({
  period: day,
  hostname: 'mx.ours.example',
  counts: { ...quiet, ...counts },
  soFar: null,
  missing: 0,
  waiting: { recipients: 0, oldest: null },
  ...fields,
})

test('a summary has the counts, the partners in the clear, and the command of each report', () => {
  const summary = summaryOf(
    {
      inbound: { ...none, inClear: 12, tls12: 92, tls13: 1100 },
      outbound: { inClear: 3, tls12: 95, tls13: 800, unknown: 300, postQuantum: 600 },
      inClear: [
        { direction: 'Inbound', name: 'bank.example', count: 12 },
        { direction: 'Outbound', name: 'paper.example', count: 3 },
      ],
      refusals: [
        { name: 'InboundTlsRequired', count: 30 },
        { name: 'RelayingDenied', count: 7 },
      ],
      bounces: [{ name: '550 5.7.320', reason: 'OutboundTlsNotMet', count: 4 }],
    },
    { waiting: { recipients: 12, oldest: '2026-02-03T10:00:30.000Z' } },
  )
  assert.equal(
    summaryLines(summary).join('\n'),
    `Mail of 2026-02-03 (UTC) at mx.ours.example
Every hour is sealed, and no event is missing.

Accepted            1204  messages from clients
Delivered           1198  recipients, with those of the gateway's own messages
Bounced                4  recipients
Refused in session    37  times

In the clear
  Inbound   12  of 1204
  Outbound   3  of 1198
  Partners:
  12  Inbound   bank.example
   3  Outbound  paper.example
  npx mailflow report in-transit --since 2026-02-03 --until 2026-02-04

TLS
                      Inbound  Outbound
  in the clear             12         3
  TLSv1.2                  92        95
  TLSv1.3                1100       800
  through Amazon SES                300
  post-quantum                      600  67.0 % of those over TLS
  npx mailflow report connector-tls --since 2026-02-03 --until 2026-02-04
  npx mailflow report key-exchange --since 2026-02-03 --until 2026-02-04

Refused in session, by reason
  30  InboundTlsRequired
   7  RelayingDenied
  npx mailflow report rejected --since 2026-02-03 --until 2026-02-04

Bounced, by code and reason
  4  550 5.7.320  OutboundTlsNotMet
  npx mailflow report non-delivery --since 2026-02-03 --until 2026-02-04

Recipients that wait now: 12. The oldest message is of 2026-02-03 10:00.
  npx mailflow queues`,
  )
})

test('a summary of a day without mail has zeros', () => {
  const lines = summaryLines(summaryOf({}))
  assert.deepEqual(lines.slice(3, 7), [
    'Accepted            0  messages from clients',
    "Delivered           0  recipients, with those of the gateway's own messages",
    'Bounced             0  recipients',
    'Refused in session  0  times',
  ])
  assert.equal(lines.filter((line) => line === '  none').length, 2)
  assert.ok(lines.includes('No mail waits now.'))
  assert.ok(!lines.includes('  Partners:'))
})

const lists: [what: string, counts: (rows: { name: string; count: number }[]) => Partial<SummaryCounts>][] = [
  ['refusals', (rows) => ({ refusals: rows })],
  ['codes', (rows) => ({ bounces: rows.map((row) => ({ ...row, reason: 'Expired' })) })],
  ['partners', (rows) => ({ inClear: rows.map((row) => ({ ...row, direction: 'Inbound' })) })],
]
for (const [what, counts] of lists)
  test(`of ${what}, the ten largest are listed, and the others are added together`, () => {
    const rows = Array.from({ length: 13 }, (_, index) => ({
      name: `name${index}.example`,
      count: 20 - index,
    }))
    const lines = summaryLines(summaryOf(counts(rows)))
    const listed = lines.filter((line) => /name\d+\.example/.test(line))
    assert.equal(listed.length, 10)
    assert.match(listed[9] ?? '', /11 .*name9\.example/)
    assert.equal(lines.filter((line) => /^ {2}27 {2}\(others\)$/.test(line)).length, 1)
  })

const completeness: [what: string, fields: Partial<Summary>, lines: string[]][] = [
  ['sealed hours', {}, ['Every hour is sealed, and no event is missing.']],
  [
    'an hour that is not sealed',
    { soFar: Date.parse('2026-02-03T22:00:00Z') },
    ['Numbers from 2026-02-03 22:00 on may still grow: not every hour is sealed.'],
  ],
  ['missing events', { missing: 3 }, ['Events are missing, up to 3: the numbers may be too small.']],
  [
    'both',
    { soFar: Date.parse('2026-02-03T05:00:00Z'), missing: 1 },
    [
      'Numbers from 2026-02-03 05:00 on may still grow: not every hour is sealed.',
      'Events are missing, up to 1: the numbers may be too small.',
    ],
  ],
]
for (const [what, fields, expected] of completeness)
  test(`with ${what}, the text says after the title: ${expected[0]}`, () => {
    const lines = summaryLines(summaryOf({}, fields))
    assert.deepEqual(lines.slice(1, lines.indexOf('')), expected)
  })

test('the subject and the commands of a week have its first and its last day', () => {
  const summary = summaryOf({}, { period: week })
  assert.equal(summarySubject(summary), 'mailflow: week 2026-02-02 to 2026-02-08, mx.ours.example')
  assert.equal(summarySubject(summaryOf({})), 'mailflow: day 2026-02-03, mx.ours.example')
  const lines = summaryLines(summary)
  assert.equal(lines[0], 'Mail of 2026-02-02 to 2026-02-08 (UTC) at mx.ours.example')
  assert.ok(lines.includes('  npx mailflow report rejected --since 2026-02-02 --until 2026-02-09'))
})

test('only a day that is a Sunday ends a week, which begins on Monday', () => {
  const kinds = (date: string) => periodsEndingWith(date).map(({ kind, first }) => [kind, first])
  assert.deepEqual(kinds('2026-02-07'), [['Day', '2026-02-07']])
  assert.deepEqual(kinds('2026-03-01'), [
    ['Day', '2026-03-01'],
    ['Week', '2026-02-23'],
  ])
})

test('mail that waits and could not be read is not said to be none', () => {
  assert.ok(summaryLines(summaryOf({}, { waiting: null })).includes('What waits now could not be read.'))
})

test('a character of a name that is not visible does not change the lines', () => {
  const inClear = [{ direction: 'Inbound', name: 'a\r\nb\u202e\u2028c.example', count: 1 }]
  assert.ok(summaryLines(summaryOf({ inClear })).includes('  1  Inbound  a??b??c.example'))
})
