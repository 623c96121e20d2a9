/** The mail of a partner by TLS version and day, for a chart and its table. Pure. */
import type { Report } from '../../api/types.ts'
import { daysBetween } from '../../components/period.ts'
import { firstDay } from './partner-numbers.ts'

/** The worst first, as in the report. */
export const tlsColumns = {
  inClear: 'In the clear',
  tls12: 'TLS 1.2',
  tls13: 'TLS 1.3',
  unknown: 'By Amazon SES',
} as const
export type TlsColumn = keyof typeof tlsColumns

export type TlsCounts = Record<TlsColumn, number>

export interface TlsDay extends TlsCounts {
  /** `YYYY-MM-DD`, UTC. */
  date: string
}

/** Returns each day of the period, the earliest first, also those without mail. */
export function tlsByDay(
  rows: Report['rows'],
  direction: 'Inbound' | 'Outbound',
  { now, days }: { now: number; days: number },
): TlsDay[] {
  const byDay = Map.groupBy(
    rows.filter((row) => row.direction === direction),
    ({ date }) => String(date),
  )
  const today = new Date(now).toISOString().slice(0, 10)
  return daysBetween(firstDay(now, days).slice(0, 10), today).map((date) => {
    const ofDay = byDay.get(date) ?? []
    const sum = (column: TlsColumn) => ofDay.reduce((total, row) => total + Number(row[column] ?? 0), 0)
    return {
      date,
      inClear: sum('inClear'),
      tls12: sum('tls12'),
      tls13: sum('tls13'),
      unknown: sum('unknown'),
    }
  })
}

/** The columns with mail on any day. */
export const usedColumns = (days: readonly TlsCounts[]): TlsColumn[] =>
  (Object.keys(tlsColumns) as TlsColumn[]).filter((column) => days.some((day) => day[column] > 0))

/** The largest number of messages of a day. */
export const maxMessagesOfDay = (days: readonly TlsCounts[]): number =>
  Math.max(0, ...days.map(({ inClear, tls12, tls13, unknown }) => inClear + tls12 + tls13 + unknown))
