/** Counts a summary from the rollups of days, with the functions that count the reports. Pure. */
import { countReport, others, type ReportSpan } from '../../shared/event-queries/reports/count-report.ts'
import { countedReports } from '../../shared/event-queries/reports/counted-reports.ts'
import { groupReport } from '../../shared/event-queries/reports/group-report.ts'
import type { CountedReport, ReportRow } from '../../shared/event-queries/reports/report.ts'
import type { CountedSpan } from '../../shared/events/event-counts.ts'

/** Messages by the TLS of their session: of clients, or with next hops, which count once for each recipient. */
export interface TlsCounts {
  inClear: number
  tls12: number
  tls13: number
  /** Through Amazon SES, which does not show its sessions. */
  unknown: number
  /** Of `tls12` and `tls13`. Always 0 for clients: a server does not see the key exchange group. */
  postQuantum: number
}

export interface NamedCount {
  name: string
  count: number
}

export interface SummaryCounts {
  inbound: TlsCounts
  outbound: TlsCounts
  /** Partners whose messages came or went in the clear, the largest count first; those beyond a limit are one row. */
  inClear: (NamedCount & { direction: string })[]
  /** Refusals in session by reason, the largest count first. */
  refusals: NamedCount[]
  /** Bounced recipients by code and reason, the largest count first. */
  bounces: (NamedCount & { reason: string })[]
}

/** Grouped rows name no connector, and no group depends on the accepted domains. */
const noContext = { connectorName: (id: string) => id, acceptedDomains: new Set<string>() }
const noFilter = { partner: null, connectors: null }

const reports = {
  tls: groupReport(countedReports['connector-tls'], ['direction']),
  inClear: groupReport(
    countedReports['in-transit'],
    ['direction', 'domain', 'tls'],
    ({ tls }) => tls === 'None',
  ),
  rejected: groupReport(countedReports.rejected, ['reason']),
  nonDelivery: groupReport(countedReports['non-delivery'], ['code', 'reason']),
} as const satisfies Record<string, CountedReport>

/** @param span milliseconds since the epoch; whole hours */
export function countSummary(
  days: CountedSpan['days'],
  span: Pick<ReportSpan, 'from' | 'to'>,
): SummaryCounts {
  const rowsOf = (report: CountedReport): ReportRow[] =>
    countReport(report, days, { ...span, timeZone: 'UTC' }, noFilter, noContext).rows
  const tls = rowsOf(reports.tls)
  return {
    inbound: tlsCounts(tls, 'Inbound'),
    outbound: tlsCounts(tls, 'Outbound'),
    inClear: rowsOf(reports.inClear)
      .filter(({ sent }) => Number(sent) > 0)
      .map(({ direction, domain, sent }) => ({
        direction: nameOf(direction),
        name: nameOf(domain),
        count: Number(sent),
      }))
      // A row also counts the messages that a connector has blocked.
      .sort((a, b) => Number(a.name === others) - Number(b.name === others) || b.count - a.count),
    refusals: rowsOf(reports.rejected).map(({ reason, count }) => ({
      name: nameOf(reason),
      count: Number(count),
    })),
    bounces: rowsOf(reports.nonDelivery).map(({ code, reason, count }) => ({
      name: nameOf(code),
      reason: nameOf(reason),
      count: Number(count),
    })),
  }
}

function tlsCounts(rows: readonly ReportRow[], direction: string): TlsCounts {
  const row = rows.find((each) => each.direction === direction)
  const sum = (name: keyof TlsCounts) => Number(row?.[name] ?? 0)
  return {
    inClear: sum('inClear'),
    tls12: sum('tls12'),
    tls13: sum('tls13'),
    unknown: sum('unknown'),
    postQuantum: sum('postQuantum'),
  }
}

const nameOf = (value: ReportRow[string] | undefined): string => (value == null ? '(none)' : String(value))
