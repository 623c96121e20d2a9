/** The days that summaries are about, in UTC. Pure. */
import { dayMs } from '../../shared/contract/durations.ts'
import { startOf } from '../../shared/events/hours.ts'

export interface SummaryPeriod {
  kind: 'Day' | 'Week'
  /** First and last day, `YYYY-MM-DD`. */
  first: string
  last: string
  /** Milliseconds since the epoch. */
  from: number
  /** The end of the last day. */
  to: number
}

const daysOfWeek = 7
const sunday = 0

const dateOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

function periodOf(kind: SummaryPeriod['kind'], last: string, days: number): SummaryPeriod {
  const to = startOf(`${last}T00`) + dayMs
  const from = to - days * dayMs
  return { kind, first: dateOf(from), last, from, to }
}

/** Returns the periods that end with a day: the day, and if it is a Sunday the week. @param day `YYYY-MM-DD` */
export function periodsEndingWith(day: string): SummaryPeriod[] {
  const isEndOfWeek = new Date(startOf(`${day}T00`)).getUTCDay() === sunday
  return [periodOf('Day', day, 1), ...(isEndOfWeek ? [periodOf('Week', day, daysOfWeek)] : [])]
}

/** The day after the period, `YYYY-MM-DD`. */
export const dayAfter = ({ to }: Pick<SummaryPeriod, 'to'>): string => dateOf(to)
