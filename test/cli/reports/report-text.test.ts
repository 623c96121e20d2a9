import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Report } from '../../../cli/reports/report-schema.ts'
import { reportText } from '../../../cli/reports/report-text.ts'
import { displayWidth } from '../../../cli/text/display-width.ts'
import { columnHeading } from '../../../shared/event-queries/reports/column-heading.ts'

const ids = [1, 2, 3, 4, 5].map((number) => `01M8QXTS1WQHC8JXPAZ5P5VW1${number}`)

const column = (name: string, type: string) => ({ name, type, description: '' })
const report: Report = {
  title: 'Connector report',
  from: '2026-11-24T00:00:00.000Z',
  to: '2026-11-30T22:00:00.000Z',
  timeZone: 'UTC',
  soFar: null,
  columns: [
    column('date', 'date'),
    column('connector', 'text'),
    column('inClear', 'number'),
    column('tls12', 'number'),
    column('lastMail', 'time'),
  ],
  rows: [
    { date: '2026-11-30', connector: 'From the bank', inClear: 12, tls12: 0, lastMail: null },
    { date: '2026-11-30', connector: null, inClear: 7, tls12: 0, lastMail: '2026-11-30T11:22:33.444Z' },
  ],
  samples: [ids, ids.slice(0, 1)],
}
const period = 'Connector report, 2026-11-24 00:00 to 2026-11-30 22:00 (UTC)'
const hint = 'To show a sample: npx mailflow messages ID'

describe('the text of a report', () => {
  const cases: { name: string; changes?: Partial<Report>; width?: number; all?: boolean; lines: string[] }[] =
    [
      {
        name: 'has a sample of each row, numbers at the right, and nothing for null',
        lines: [
          period,
          '',
          'Date        Connector      In the clear  TLS 1.2  Last mail             Sample',
          `2026-11-30  From the bank            12        0                        ${ids[0]}`,
          `2026-11-30                            7        0  2026-11-30 11:22:33Z  ${ids[0]}`,
          '',
          hint,
        ],
      },
      {
        name: 'has no sample if the table then does not fit the terminal',
        width: 80,
        lines: [
          period,
          '',
          'Date        Connector      In the clear  TLS 1.2  Last mail',
          '2026-11-30  From the bank            12        0',
          '2026-11-30                            7        0  2026-11-30 11:22:33Z',
          '',
          'To print ids of messages of each row, add --samples.',
        ],
      },
      {
        name: 'has no column of zeros if the table with it does not fit, and names it',
        width: 64,
        lines: [
          period,
          '',
          'Date        Connector      In the clear  Last mail',
          '2026-11-30  From the bank            12',
          '2026-11-30                            7  2026-11-30 11:22:33Z',
          '',
          '0 in each row, and not shown: TLS 1.2',
          'To print ids of messages of each row, add --samples.',
        ],
      },
      {
        name: 'has all samples that it is asked for, as many on a line as fit',
        width: 80,
        all: true,
        changes: { columns: report.columns.slice(0, 2) },
        lines: [
          period,
          '',
          'Date        Connector      Samples',
          `2026-11-30  From the bank  ${ids[0]}`,
          `  ${ids[1]}  ${ids[2]}`,
          `  ${ids[3]}  ${ids[4]}`,
          `2026-11-30                 ${ids[0]}`,
          '',
          hint,
        ],
      },
      {
        name: 'names the times in the time zone, and from when on numbers may grow',
        changes: { timeZone: 'Europe/Berlin', soFar: '2026-11-30T20:00:00.000Z', rows: [], samples: [] },
        lines: [
          'Connector report, 2026-11-24 01:00 to 2026-11-30 23:00 (Europe/Berlin)',
          '',
          'No entries found.',
          'Numbers from 2026-11-30 21:00 on may still grow.',
        ],
      },
      {
        name: 'of rows without samples does not mention them',
        changes: { columns: report.columns.slice(0, 1), samples: [[], []] },
        lines: [period, '', 'Date', '2026-11-30', '2026-11-30', ''],
      },
    ]
  for (const { name, changes = {}, width, all = false, lines } of cases)
    test(name, () => assert.deepEqual(reportText({ ...report, ...changes }, width, all).split('\n'), lines))

  test('cuts long names in a narrow terminal, but sentences only when they are longer than a line', () => {
    const sentence = 'Create an outbound connector for the domain with your mail server.'
    const text = reportText(
      {
        ...report,
        columns: [column('helo', 'text'), column('domain', 'text'), column('howToFix', 'text')],
        rows: [{ helo: 'h'.repeat(70), domain: 'd'.repeat(60), howToFix: sentence }],
      },
      80,
      false,
    )
    assert.ok(text.includes(sentence), text)
    assert.match(text, /^h+… {2}d+…$/m)
    for (const line of text.split('\n')) assert.ok(displayWidth(line) <= 80, line)
  })
})

describe('the heading of a column', () => {
  const rows: [name: string, heading: string][] = [
    ['date', 'Date'],
    ['howToFix', 'How to fix'],
    ['requiredLevel', 'Required level'],
    ['inClear', 'In the clear'],
    ['tls', 'TLS'],
    ['tls13', 'TLS 1.3'],
  ]
  for (const [name, heading] of rows) test(name, () => assert.equal(columnHeading(name), heading))
})
