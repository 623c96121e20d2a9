/** Formats a report as a table, with its period above and notes below. Pure. */

import { columnHeading } from '../../shared/event-queries/reports/column-heading.ts'
import { formatLocalTime } from '../input/time-zone.ts'
import { displayWidth } from '../text/display-width.ts'
import { formatTime, printable } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'
import type { Report, ReportColumn, ReportValue } from './report-schema.ts'

/**
 * Without `allSamples`, each row has its first sample if the table then fits the terminal.
 * @param width columns of the terminal; undefined: each row is one line, and no cell is cut
 */
export function reportText(report: Report, width: number | undefined, allSamples: boolean): string {
  const { title, from, to, timeZone, soFar, rows } = report
  const localTime = (iso: string) => formatLocalTime(Date.parse(iso), timeZone)
  return [
    `${printable(title)}, ${localTime(from)} to ${localTime(to)} (${printable(timeZone)})`,
    '',
    ...(rows.length === 0 ? ['No entries found.'] : tableLines(report, width, allSamples)),
    ...(soFar === null ? [] : [`Numbers from ${localTime(soFar)} on may still grow.`]),
  ].join('\n')
}

interface Cells {
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly string[])[]
}

function tableLines(report: Report, width: number | undefined, allSamples: boolean): string[] {
  const cells = cellsOf(report)
  const count = Math.max(...report.samples.map(({ length }) => length))
  const sampled = count > 0 ? withSamples(cells, report.samples, allSamples ? count : 1) : cells
  const hasSamples = count > 0 && (allSamples || fits(sampled, width))
  const whole = hasSamples ? sampled : cells
  const left = fits(whole, width) ? [] : zeroColumns(whole)
  const { columns, rows } = withoutColumns(whole, left)
  return [
    table(columns, rows, width),
    '',
    ...(left.length === 0
      ? []
      : [`0 in each row, and not shown: ${left.map((index) => whole.columns[index]?.heading).join(', ')}`]),
    ...(hasSamples ? ['To show a sample: npx mailflow messages ID'] : []),
    ...(count > 0 && !hasSamples ? ['To print ids of messages of each row, add --samples.'] : []),
  ]
}

function cellsOf({ columns, rows }: Report): Cells {
  const cells = rows.map((row) => columns.map(({ name, type }) => cellText(row[name] ?? null, type)))
  return {
    columns: columns.map(({ name, type }, index) => ({
      heading: columnHeading(name),
      ...(type === 'number' && { isRightAligned: true }),
      ...(type === 'text' && { minWidth: minWidth(cells.map((row) => row[index] ?? '')) }),
    })),
    rows: cells,
  }
}

function cellText(value: ReportValue, type: ReportColumn['type']): string {
  if (value === null) return ''
  return type === 'time' ? formatTime(String(value)) : String(value)
}

/** A cut sentence is of no use. A cut name often is. */
const minWidth = (texts: readonly string[]): number =>
  texts.some((text) => text.length > 40 && text.includes(' ')) ? 60 : 16

/** Each sample is a column, so that a narrow terminal has as many on a line as fit. */
const withSamples = ({ columns, rows }: Cells, samples: Report['samples'], count: number): Cells => ({
  columns: [
    ...columns,
    ...Array.from({ length: count }, (_, index) => ({ heading: index === 0 ? sampleHeading(count) : '' })),
  ],
  rows: rows.map((row, index) => [
    ...row,
    ...Array.from({ length: count }, (_, number) => samples[index]?.[number] ?? ''),
  ]),
})

const sampleHeading = (count: number): string => (count === 1 ? 'Sample' : 'Samples')

/** Indexes of the columns that a narrow terminal can do without. */
const zeroColumns = ({ columns, rows }: Cells): number[] =>
  [...columns.keys()].filter(
    (index) => columns[index]?.isRightAligned && rows.every((row) => row[index] === '0'),
  )

const withoutColumns = ({ columns, rows }: Cells, left: readonly number[]): Cells => ({
  columns: columns.filter((_, index) => !left.includes(index)),
  rows: rows.map((row) => row.filter((_, index) => !left.includes(index))),
})

function fits({ columns, rows }: Cells, width: number | undefined): boolean {
  if (width === undefined) return true
  return table(columns, rows, undefined)
    .split('\n')
    .every((line) => displayWidth(line) <= width)
}
