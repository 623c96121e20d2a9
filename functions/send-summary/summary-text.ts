/** Writes the text of a summary from its counts. Pure. */
import { mapInvisible } from '../../shared/contract/visible-text.ts'
import type { NamedCount, SummaryCounts, TlsCounts } from './count-summary.ts'
import { dayAfter, type SummaryPeriod } from './summary-period.ts'

export interface Summary {
  period: SummaryPeriod
  /** Name of the gateway. */
  hostname: string
  counts: SummaryCounts
  /** From this time on the numbers may still grow, in milliseconds since the epoch; null: they are complete. */
  soFar: number | null
  /** Missing events that seals have found. */
  missing: number
  /** Mail that waits now; null if it could not be read. */
  waiting: WaitingMail | null
}

export interface WaitingMail {
  recipients: number
  /** Time of receipt of the oldest message, ISO 8601; null if none waits. */
  oldest: string | null
}

/** Rows of a list; the others are added together. */
const maxListed = 10

const daysText = ({ first, last }: SummaryPeriod): string => (first === last ? first : `${first} to ${last}`)

export const summarySubject = ({ period, hostname }: Pick<Summary, 'period' | 'hostname'>): string =>
  `mailflow: ${period.kind.toLowerCase()} ${daysText(period)}, ${hostname}`

/** @returns lines without line ends */
export function summaryLines(summary: Summary): string[] {
  const { period, hostname, counts } = summary
  const { inbound, outbound, refusals, bounces } = counts
  const command = (report: string): string =>
    `  npx mailflow report ${report} --since ${period.first} --until ${dayAfter(period)}`
  return [
    `Mail of ${daysText(period)} (UTC) at ${hostname}`,
    ...completenessLines(summary),
    '',
    ...alignRows([
      ['Accepted', countOf(inbound), 'messages from clients'],
      ['Delivered', countOf(outbound), "recipients, with those of the gateway's own messages"],
      ['Bounced', sumOf(bounces), 'recipients'],
      ['Refused in session', sumOf(refusals), 'times'],
    ]),
    '',
    'In the clear',
    ...indent(
      alignRows([
        ['Inbound', inbound.inClear, `of ${countOf(inbound)}`],
        ['Outbound', outbound.inClear, `of ${countOf(outbound)}`],
      ]),
    ),
    ...inClearPartners(counts),
    command('in-transit'),
    '',
    'TLS',
    ...indent(
      alignRows([
        ['', 'Inbound', 'Outbound'],
        ['in the clear', inbound.inClear, outbound.inClear],
        ['TLSv1.2', inbound.tls12, outbound.tls12],
        ['TLSv1.3', inbound.tls13, outbound.tls13],
        ['through Amazon SES', '', outbound.unknown],
        ['post-quantum', '', outbound.postQuantum, postQuantumShare(outbound)],
      ]),
    ),
    command('connector-tls'),
    command('key-exchange'),
    '',
    'Refused in session, by reason',
    ...listRows(refusals, ({ count, name }) => [count, name]),
    command('rejected'),
    '',
    'Bounced, by code and reason',
    ...listRows(bounces, ({ count, name, reason }) => [count, name, reason]),
    command('non-delivery'),
    '',
    ...waitingLines(summary.waiting),
    '  npx mailflow queues',
  ]
}

function completenessLines({ soFar, missing }: Summary): string[] {
  const lines = [
    ...(soFar === null
      ? []
      : [`Numbers from ${timeText(soFar)} on may still grow: not every hour is sealed.`]),
    ...(missing === 0 ? [] : [`Events are missing, up to ${missing}: the numbers may be too small.`]),
  ]
  return lines.length > 0 ? lines : ['Every hour is sealed, and no event is missing.']
}

const inClearPartners = ({ inClear }: SummaryCounts): string[] =>
  inClear.length === 0
    ? []
    : ['  Partners:', ...listRows(inClear, ({ count, direction, name }) => [count, direction, name])]

const waitingLines = (waiting: WaitingMail | null): string[] => {
  if (waiting === null) return ['What waits now could not be read.']
  const { recipients, oldest } = waiting
  return oldest === null
    ? ['No mail waits now.']
    : [`Recipients that wait now: ${recipients}. The oldest message is of ${timeText(Date.parse(oldest))}.`]
}

const countOf = ({ inClear, tls12, tls13, unknown }: TlsCounts): number => inClear + tls12 + tls13 + unknown

const sumOf = (counts: readonly NamedCount[]): number => counts.reduce((sum, { count }) => sum + count, 0)

function postQuantumShare({ tls12, tls13, postQuantum }: TlsCounts): string {
  const overTls = tls12 + tls13
  return overTls === 0 ? '' : `${((100 * postQuantum) / overTls).toFixed(1)} % of those over TLS`
}

type Cell = string | number

/** Aligns numbers and headings to the right, and texts to the left. Each row has its name or its number first. */
function alignRows(rows: readonly (readonly Cell[])[]): string[] {
  const cells = rows.map((row) => row.map((cell) => printable(String(cell))))
  const isRight = (column: number) => rows.some((row) => typeof row[column] === 'number')
  const width = (column: number) => Math.max(...cells.map((row) => row[column]?.length ?? 0))
  return cells.map((row) =>
    row
      .map((cell, column) => (isRight(column) ? cell.padStart(width(column)) : cell.padEnd(width(column))))
      .join('  ')
      .trimEnd(),
  )
}

function listRows<Row extends NamedCount>(rows: readonly Row[], cells: (row: Row) => Cell[]): string[] {
  if (rows.length === 0) return ['  none']
  const others = sumOf(rows.slice(maxListed))
  return indent(
    alignRows([...rows.slice(0, maxListed).map(cells), ...(others > 0 ? [[others, '(others)']] : [])]),
  )
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`)

const timeText = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ')

/** Clients and partners choose names: a character that is not visible must not change a line. */
const printable = (text: string): string => mapInvisible(text, () => '?')
