/** The rows of a report for its table, its chart and its file. Pure. */
import { columnHeading } from '../../../../../shared/event-queries/reports/column-heading.ts'
import { csvText } from '../../../../../shared/http-api/csv.ts'
import type { Report } from '../../api/types.ts'
import { dayOf, daysBetween } from '../../components/period.ts'
import type { ViewState } from '../../use-view-state.ts'
import { reportFacts } from './report-facts.ts'

export type ReportColumn = Report['columns'][number]

export interface ReportRow {
  /** Place in the API's order. */
  index: number
  values: Report['rows'][number]
  samples: readonly string[]
}

export const reportRows = ({ rows, samples }: Pick<Report, 'rows' | 'samples'>): readonly ReportRow[] =>
  rows.map((values, index) => ({ index, values, samples: samples[index] ?? [] }))

/**
 * @param state of the address: the values of the columns by which rows are selected
 * @returns the report with the selected rows and their samples
 */
export function withSelectedRows(report: Report, state: ViewState): Report {
  const selected = reportFacts[report.name].selected.filter(({ parameter }) => state[parameter] !== undefined)
  if (selected.length === 0) return report
  const isWanted = (index: number) =>
    selected.every(({ parameter, column }) => report.rows[index]?.[column] === state[parameter])
  return {
    ...report,
    rows: report.rows.filter((_, index) => isWanted(index)),
    samples: report.samples.filter((_, index) => isWanted(index)),
  }
}

/** Columns of numbers that are 0 in each row take room and say nothing. */
export function shownColumns({ name: report, columns, rows }: Pick<Report, 'name' | 'columns' | 'rows'>): {
  shown: readonly ReportColumn[]
  zero: readonly ReportColumn[]
} {
  const isZero = ({ name, type }: ReportColumn) =>
    type === 'number' && rows.length > 0 && rows.every((row) => row[name] === 0)
  const { hidden } = reportFacts[report]
  return {
    shown: columns.filter((column) => !isZero(column) && !hidden.includes(column.name)),
    zero: columns.filter(isZero),
  }
}

/** @returns the sums of the main numbers of all rows, such as `Sent 1,234`; empty for less than two rows */
export function sumsOf({ name, rows }: Pick<Report, 'name' | 'rows'>): string[] {
  if (rows.length < 2) return []
  return reportFacts[name].charted.flatMap((column) => {
    const sum = rows.reduce((total, row) => total + Number(row[column] ?? 0), 0)
    return sum > 0 ? [`${columnHeading(column)} ${sum.toLocaleString()}`] : []
  })
}

export interface ChartSeries {
  column: string
  title: string
  data: readonly { x: string; y: number }[]
}

/** @returns a series for each main number by day; null if the report has no days or counts nothing */
export function chartSeries(
  report: Pick<Report, 'name' | 'columns' | 'rows' | 'from' | 'to' | 'timeZone'>,
): { days: readonly string[]; series: readonly ChartSeries[] } | null {
  const { name, columns, rows, timeZone } = report
  const { charted } = reportFacts[name]
  if (!columns.some((column) => column.name === 'date' && column.type === 'date')) return null
  const days = daysBetween(
    dayOf(Date.parse(report.from), timeZone),
    dayOf(Date.parse(report.to) - 1, timeZone),
  )
  const byDay = Map.groupBy(rows, ({ date }) => String(date))
  const series = charted
    .map((column) => ({
      column,
      title: columnHeading(column),
      data: days.map((x) => ({
        x,
        y: (byDay.get(x) ?? []).reduce((sum, row) => sum + Number(row[column] ?? 0), 0),
      })),
    }))
    .filter(({ data }) => data.some(({ y }) => y > 0))
  return series.length === 0 ? null : { days, series }
}

/** The file that the API itself gives for this report. */
export const reportCsv = ({ columns, rows, samples }: Pick<Report, 'columns' | 'rows' | 'samples'>): string =>
  csvText(
    [...columns.map(({ name }) => name), 'samples'],
    rows.map((row, index) => ({ ...row, samples: (samples[index] ?? []).join(' ') })),
  )

const [characterPx, paddingPx, maxCharacters] = [7, 14, 16]

/** Between words, and between the parts of a name. */
const wordBreak = /[ @_/:-]|\.(?=[A-Za-z])/

/** The width in which the longest word of a column is not broken, unless it is very long. */
export function minTextWidth(values: readonly (string | number | null | undefined)[]): number {
  const words = values.flatMap((value) => String(value ?? '').split(wordBreak))
  const characters = words.reduce((count, { length }) => Math.min(maxCharacters, Math.max(count, length)), 0)
  return paddingPx + characterPx * characters
}
