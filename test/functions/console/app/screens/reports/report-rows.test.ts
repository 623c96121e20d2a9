import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Report } from '../../../../../../functions/console/app/api/types.ts'
import { reportFacts } from '../../../../../../functions/console/app/screens/reports/report-facts.ts'
import { reportQuery } from '../../../../../../functions/console/app/screens/reports/report-query.ts'
import {
  chartSeries,
  minTextWidth,
  reportCsv,
  shownColumns,
  sumsOf,
  withSelectedRows,
} from '../../../../../../functions/console/app/screens/reports/report-rows.ts'
import { countedReports } from '../../../../../../shared/event-queries/reports/counted-reports.ts'
import { ReportName } from '../../../../../../shared/event-queries/reports/report-schemas.ts'
import { tlsReportColumns } from '../../../../../../shared/event-queries/reports/tls-report-trend.ts'

const column = (name: string, type: Report['columns'][number]['type']) => ({ name, type, description: '' })

const report: Report = {
  name: 'in-transit',
  title: 'Messages in transit security',
  from: '2026-02-02T00:00:00.000Z',
  to: '2026-02-04T00:00:00.000Z',
  timeZone: 'UTC',
  soFar: null,
  columns: [
    column('date', 'date'),
    column('domain', 'text'),
    column('sent', 'number'),
    column('blocked', 'number'),
  ],
  rows: [
    { date: '2026-02-03', domain: '=cmd()', sent: 2, blocked: 0 },
    { date: '2026-02-03', domain: 'b.example', sent: 3, blocked: 0 },
  ],
  samples: [['A', 'B'], []],
}

describe('a report', () => {
  test('shows the rows of one value with their samples, in a report that selects by it', () => {
    const rows = [
      { tls: 'TLSv1.3', sent: 2 },
      { tls: 'None', sent: 1 },
    ]
    const selected = withSelectedRows({ ...report, rows }, { rows: 'None' })
    assert.deepEqual([selected.rows, selected.samples], [[{ tls: 'None', sent: 1 }], [[]]])
    assert.equal(withSelectedRows(report, {}), report)
    const other = { ...report, name: 'rejected' as const }
    assert.equal(withSelectedRows(other, { rows: 'None' }), other)
  })

  test('selects rows by two columns', () => {
    const rows = [
      { tls: 'None', direction: 'Inbound', sent: 2 },
      { tls: 'None', direction: 'Outbound', sent: 1 },
    ]
    const { rows: selected } = withSelectedRows({ ...report, rows }, { rows: 'None', direction: 'Outbound' })
    assert.deepEqual(selected, [rows[1]])
  })

  test('has the sums of its main numbers', () => {
    assert.deepEqual(sumsOf({ ...report, rows: [{ sent: 1200 }, { sent: 34, blocked: 0 }] }), [
      `Sent ${(1234).toLocaleString()}`,
    ])
    assert.deepEqual(sumsOf({ ...report, rows: [{ sent: 1 }] }), [])
  })

  test('has a chart with the sum of each day, without numbers that are 0', () =>
    assert.deepEqual(chartSeries(report), {
      days: ['2026-02-02', '2026-02-03'],
      series: [
        {
          column: 'sent',
          title: 'Sent',
          data: [
            { x: '2026-02-02', y: 0 },
            { x: '2026-02-03', y: 5 },
          ],
        },
      ],
    }))
  test('has no chart without days, or without numbers', () => {
    assert.equal(chartSeries({ ...report, columns: report.columns.slice(1) }), null)
    assert.equal(chartSeries({ ...report, rows: [] }), null)
  })
  test('leaves out columns that are 0 in each row', () => {
    const names = (columns: Report['columns']) => columns.map(({ name }) => name)
    const { shown, zero } = shownColumns(report)
    assert.deepEqual([names([...shown]), names([...zero])], [['date', 'domain', 'sent'], ['blocked']])
    assert.deepEqual(shownColumns({ ...report, rows: [] }).zero, [])
  })
  test('is a file without formulas', () =>
    assert.equal(
      reportCsv(report),
      "date,domain,sent,blocked,samples\r\n2026-02-03,'=cmd(),2,0,A B\r\n2026-02-03,b.example,3,0,\r\n",
    ))
  test('breaks names between their words only', () => {
    assert.ok(minTextWidth(['mail.ours.example', null]) < minTextWidth(['EncryptionOnly']))
  })
})

describe('each report', () => {
  for (const name of ReportName.options)
    test(`${name} has a question`, () => assert.match(reportFacts[name].question, /^[A-Z].*\?$/))
  const columns = {
    ...Object.fromEntries(Object.entries(countedReports).map(([name, { columns }]) => [name, columns])),
    'tls-rpt': tlsReportColumns,
  }
  for (const [name, known] of Object.entries(columns))
    test(`${name} has the columns of its chart`, () => {
      const { charted } = reportFacts[name as ReportName]
      assert.deepEqual(
        charted.filter((each) => !known.some((column) => column.name === each && column.type === 'number')),
        [],
      )
    })
})

describe('the request for a report', () => {
  const now = Date.parse('2026-12-01T08:35:00Z')
  test('is for the last 7 days of UTC by default', () =>
    assert.deepEqual(reportQuery('rejected', {}, now), {
      from: '2026-11-25T00:00:00.000Z',
      to: undefined,
      timeZone: 'UTC',
      partner: undefined,
      connector: undefined,
    }))
  test('has no filter that the report does not have', () => {
    const state = { connector: 'A', days: '30', zone: 'Nowhere' }
    assert.deepEqual(Object.keys(reportQuery('domain-status', state, now)), [
      'from',
      'to',
      'timeZone',
      'partner',
    ])
    assert.deepEqual(Object.keys(reportQuery('queued', state, now)), ['partner', 'connector'])
  })
})
