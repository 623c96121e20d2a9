/** The numbers of the overview, from the answers of the API. Pure. */
import type { QueueList, Report } from '../api/types.ts'

export interface WaitingSummary {
  recipients: number
  /** ISO 8601; null if none waits. */
  oldest: string | null
  /** When the first recipient is returned to its sender. */
  expires: string | null
  /** Whether more mail may wait than was counted. */
  mayBeMore: boolean
}

export function waitingSummary({ items, omitted, complete }: QueueList): WaitingSummary {
  const earliest = (times: string[]): string | null => times.sort()[0] ?? null
  return {
    recipients: items.reduce((sum, { recipients }) => sum + recipients, 0),
    oldest: earliest(items.map(({ oldest }) => oldest)),
    expires: earliest(items.map(({ expires }) => expires)),
    mayBeMore: omitted > 0 || !complete,
  }
}

/** Refusals by reason, the most frequent first. */
export function refusalCounts({ rows }: Pick<Report, 'rows'>): { reason: string; count: number }[] {
  const byReason = Map.groupBy(rows, ({ reason }) => String(reason))
  return [...byReason]
    .map(([reason, ofReason]) => ({
      reason,
      count: ofReason.reduce((sum, { count }) => sum + Number(count), 0),
    }))
    .sort((a, b) => b.count - a.count)
}

/** Messages of a direction by the TLS of their sessions. */
export function tlsCounts({ rows }: Pick<Report, 'rows'>, direction: 'Inbound' | 'Outbound') {
  const sum = (column: string): number =>
    rows
      .filter((row) => row.direction === direction)
      .reduce((total, row) => total + Number(row[column] ?? 0), 0)
  return { tls13: sum('tls13'), tls12: sum('tls12'), inClear: sum('inClear'), unknown: sum('unknown') }
}
