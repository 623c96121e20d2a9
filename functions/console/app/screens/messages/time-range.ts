/** The period of the message trace: the last hours or days, or two times. Pure. */
import { dayMs, hourMs, minuteMs } from '../../../../../shared/contract/durations.ts'
import type { ViewState } from '../../use-view-state.ts'

const unitMs = {
  second: 1000,
  minute: minuteMs,
  hour: hourMs,
  day: dayMs,
  week: 7 * dayMs,
  month: 30 * dayMs,
  year: 365 * dayMs,
} as const
type Unit = keyof typeof unitMs

export type TimeRange =
  | { type: 'relative'; amount: number; unit: Unit; key?: string }
  | { type: 'absolute'; startDate: string; endDate: string }

const relative = (amount: number, unit: Unit) => ({
  type: 'relative' as const,
  amount,
  unit,
  key: `${amount}-${unit}`,
})

const defaultRange = relative(24, 'hour')

export const relativeRanges = [
  relative(1, 'hour'),
  relative(24, 'hour'),
  relative(7, 'day'),
  relative(15, 'day'),
  relative(90, 'day'),
]

/** The API lists at most this much at once. */
const maxPeriodMs = 31 * dayMs

/** How long traces are kept, unless the deployment sets another time. */
export const traceRetentionDays = 15

export function readRange({ last, from, to }: ViewState): TimeRange {
  if (isTime(from) && isTime(to)) return { type: 'absolute', startDate: from, endDate: to }
  const [, amount, unit] = /^(\d{1,5})-([a-z]+)$/.exec(last ?? '') ?? []
  return unit !== undefined && unit in unitMs ? relative(Number(amount), unit as Unit) : defaultRange
}

const isTime = (text: string | undefined): text is string =>
  text !== undefined && !Number.isNaN(Date.parse(text))

/** Leaves the page and the search that the address shows: a change of what is looked for makes them meaningless. */
export const fromTheStart = { cursor: '', search: '' } as const

/** The change of the address that shows the period, from the first page on. */
export function rangeChange(range: TimeRange): Record<string, string> {
  const noRange = { ...fromTheStart, last: '', from: '', to: '' }
  if (range.type === 'absolute')
    return { ...noRange, from: isoTime(range.startDate), to: isoTime(range.endDate) }
  const last = `${range.amount}-${range.unit}`
  return { ...noRange, last: last === defaultRange.key ? '' : last }
}

const isoTime = (text: string): string => new Date(text).toISOString()

/** ISO 8601, as the API has it. Without `to` the period ends now. */
export function periodOf(range: TimeRange, now: number): { from: string; to?: string } {
  if (range.type === 'absolute') return { from: isoTime(range.startDate), to: isoTime(range.endDate) }
  return { from: new Date(now - range.amount * unitMs[range.unit]).toISOString() }
}

/** Null if the period can be searched; otherwise what is wrong with it. */
export function rangeFault(range: TimeRange | null): string | null {
  if (range === null) return 'Choose a period.'
  if (range.type === 'relative') return range.amount > 0 ? null : 'Enter a number above 0.'
  const { startDate, endDate } = range
  if (!isTime(startDate) || !isTime(endDate)) return 'Enter both dates and times.'
  return Date.parse(startDate) < Date.parse(endDate) ? null : 'The end must be after the start.'
}

/** How the trace relates to a period. */
export function traceCoverage(range: TimeRange, now: number): 'Whole' | 'Partial' | 'TooLong' {
  const { from, to } = periodOf(range, now)
  const start = Date.parse(from)
  if ((to === undefined ? now : Date.parse(to)) - start > maxPeriodMs) return 'TooLong'
  return now - start > traceRetentionDays * dayMs ? 'Partial' : 'Whole'
}
