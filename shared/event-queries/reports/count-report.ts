/** Counts a report from the rollups of days. Pure. */
import { dayMs } from '../../contract/durations.ts'
import { type DayRow, hourCounts, hoursOf } from '../../events/day-rollup.ts'
import { startOf } from '../../events/hours.ts'
import type { Contribution, CountedEvents, CountedReport, ReportContext, ReportRow } from './report.ts'

/** Rows beyond this number are added together. */
export const maxReportRows = 10_000

/** Octets of rows in the JSON of a response of Lambda, which may have 6 MiB. Rows beyond are added together, too. */
const maxReportOctets = 5_000_000

/** The value of a column in a row of several. */
export const others = '(others)'

/** Ids of messages that a row leads to. */
const maxSamples = 5

export interface CountedRows {
  rows: ReportRow[]
  /** For each row, ids of messages, or of `Rejected` events. */
  samples: string[][]
}

export interface ReportSpan {
  /** Milliseconds since the epoch; whole hours. */
  from: number
  to: number
  /** IANA name. */
  timeZone: string
}

export interface ReportFilter {
  /** Domain of the other side. */
  partner: string | null
  /** Ids of connectors. */
  connectors: readonly string[] | null
}

interface Entry {
  row: ReportRow
  samples: string[]
}

/** @param days rows by UTC day, `YYYY-MM-DD` */
export function countReport(
  report: CountedReport,
  days: Iterable<readonly [date: string, rows: readonly DayRow[]]>,
  { from, to, timeZone }: ReportSpan,
  filter: ReportFilter,
  context: ReportContext,
): CountedRows {
  const countsByDate = dateCounter({ from, to, timeZone })
  const entries = new Map<string, Entry>()
  for (const [date, rows] of days)
    for (const row of rows) {
      if (!matches(row, filter)) continue
      for (const [dateInZone, { counts, last }] of countsByDate(row, date)) {
        const added = report.contribute({ date: dateInZone, row, counts, last }, context)
        if (added !== null) add(entries, report, added, row.samples)
      }
    }
  const limited = limitRows([...entries.values()], report)
  const sorted = limited.sort((a, b) => compareRows(a.row, b.row, report))
  return {
    rows: sorted.map(({ row }) => report.complete?.(row) ?? row),
    samples: sorted.map(({ samples }) => samples),
  }
}

const matches = (
  { partner, senderDomain, recipientDomain, inboundConnector, outboundConnector }: DayRow,
  filter: ReportFilter,
): boolean =>
  (filter.partner === null || [partner, senderDomain, recipientDomain].includes(filter.partner)) &&
  (filter.connectors === null ||
    filter.connectors.some((id) => id === inboundConnector || id === outboundConnector))

function add(
  entries: Map<string, Entry>,
  { columns }: CountedReport,
  { key, sums, latest = {} }: Contribution,
  samples: readonly string[],
): void {
  const id = JSON.stringify(key)
  const known = entries.get(id) ?? { row: emptyRow(columns, key), samples: [] }
  entries.set(id, known)
  for (const [name, value] of Object.entries(sums)) known.row[name] = Number(known.row[name]) + value
  for (const [name, time] of Object.entries(latest))
    if (time > String(known.row[name] ?? '')) known.row[name] = time
  addSamples(known.samples, samples)
}

const emptyRow = (columns: CountedReport['columns'], key: ReportRow): ReportRow =>
  Object.fromEntries(columns.map(({ name, isSum }) => [name, isSum ? 0 : (key[name] ?? null)]))

function addSamples(samples: string[], added: readonly string[]): void {
  for (const id of added) if (samples.length < maxSamples && !samples.includes(id)) samples.push(id)
}

/** In the smallest rows, the columns with very many values are lost, and rows that are then equal are added. */
function limitRows(entries: Entry[], report: CountedReport): Entry[] {
  if (countThatFits(entries) === entries.length) return entries
  const bySize = entries.toSorted((a, b) => sizeOf(b.row, report) - sizeOf(a.row, report))
  const count = countThatFits(bySize)
  const merged = new Map<string, Entry>()
  for (const { row, samples } of bySize.slice(count)) {
    const key = Object.fromEntries(
      report.columns
        .filter(({ isSum, isLatest }) => !isSum && !isLatest)
        .map(({ name }) => [name, report.mergeable.includes(name) ? others : (row[name] ?? null)]),
    )
    const sums = Object.fromEntries(
      report.columns.filter(({ isSum }) => isSum).map(({ name }) => [name, Number(row[name])]),
    )
    const latest = Object.fromEntries(
      report.columns.flatMap(({ name, isLatest }) =>
        isLatest && typeof row[name] === 'string' ? [[name, row[name]]] : [],
      ),
    )
    add(merged, report, { key, sums, latest }, samples)
  }
  return [...bySize.slice(0, count), ...merged.values()]
}

/** @returns how many of the first entries a response has room for */
function countThatFits(entries: readonly Entry[]): number {
  let octets = 0
  const end = entries.findIndex((entry, index) => {
    // The body is JSON, and a string in the JSON of the response.
    octets += Buffer.byteLength(JSON.stringify(JSON.stringify(entry)))
    return index === maxReportRows || octets > maxReportOctets
  })
  return end < 0 ? entries.length : end
}

const sizeOf = (row: ReportRow, { columns }: CountedReport): number =>
  columns.reduce((size, { name, isSum }) => (isSum ? size + Number(row[name]) : size), 0)

/** The newest day first; within a day, and in a report without days, the largest rows first. */
function compareRows(a: ReportRow, b: ReportRow, report: CountedReport): number {
  const [first = '', second = ''] = [a.date ?? '', b.date ?? '']
  if (first !== second) return first < second ? 1 : -1
  return sizeOf(b, report) - sizeOf(a, report) || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
}

type DateCounts = Pick<CountedEvents, 'counts' | 'last'>

/**
 * Returns a function that adds the counts of a row by the days of the time zone. An hour of UTC belongs to the day in which
 * it begins.
 */
function dateCounter({ from, to, timeZone }: ReportSpan) {
  const dateOf = dateFormatter(timeZone)
  return (row: DayRow, date: string): Iterable<[date: string, DateCounts]> => {
    const start = startOf(`${date}T00`)
    // Most days of most reports are whole.
    if (timeZone === 'UTC' && from <= start && start + dayMs <= to)
      return [[date, { counts: row, last: row.last }]]
    const byDate = new Map<string, DateCounts & { lastHour: string }>()
    for (const { hour, ...counts } of hoursOf(row, date)) {
      const at = startOf(hour)
      if (at < from || at >= to) continue
      const dateInZone = dateOf(hour)
      const known = byDate.get(dateInZone)
      const lastHour = known === undefined || hour > known.lastHour ? hour : known.lastHour
      const last = row.last.startsWith(lastHour) ? row.last : new Date(startOf(lastHour)).toISOString()
      if (known === undefined) byDate.set(dateInZone, { counts, last, lastHour })
      else {
        for (const name of hourCounts) known.counts[name] += counts[name]
        byDate.set(dateInZone, { ...known, last, lastHour })
      }
    }
    return byDate
  }
}

function dateFormatter(timeZone: string): (hour: string) => string {
  if (timeZone === 'UTC') return (hour) => hour.slice(0, 10)
  // Sweden's format is ISO 8601's.
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' })
  const known = new Map<string, string>()
  return (hour) => {
    const date = known.get(hour) ?? format.format(startOf(hour))
    known.set(hour, date)
    return date
  }
}
