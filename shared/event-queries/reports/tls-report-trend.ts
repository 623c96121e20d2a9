/** The report on received TLS reports (RFC 8460), beside the changes of our own certificates. Pure. */
import type { CountedRows } from './count-report.ts'
import { date, type ReportColumn, type ReportRow, sum, text } from './report.ts'

export const tlsReportColumns: readonly ReportColumn[] = [
  { ...date, description: 'UTC day' },
  text('organisation', 'who sent the report; null in the row of a changed certificate'),
  text('domain', 'policy domains, separated by a space'),
  sum('successful', 'sessions with TLS'),
  sum('failed', 'sessions that failed'),
  text('certificates', 'SHA-256 of the certificates of our servers that were first seen on this day'),
]

export interface ReportedDay {
  /** `YYYY-MM-DD` */
  day: string
  organisation: string
  domains: readonly string[]
  successfulSessions: number
  failedSessions: number
}

/** A certificate of our own servers. `firstSeen`: ISO 8601. */
export interface OwnCertificate {
  fingerprint256: string
  firstSeen: string
}

export function tlsReportTrend(
  reports: readonly ReportedDay[],
  certificates: readonly OwnCertificate[],
): CountedRows {
  const byDay = Map.groupBy(certificates, ({ firstSeen }) => firstSeen.slice(0, 10))
  const rows = reports.map(
    ({ day, organisation, domains, successfulSessions, failedSessions }): ReportRow => ({
      date: day,
      organisation,
      domain: domains.join(' '),
      successful: successfulSessions,
      failed: failedSessions,
      certificates: null,
    }),
  )
  const changes = [...byDay].map(
    ([day, changed]): ReportRow => ({
      date: day,
      organisation: null,
      domain: null,
      successful: 0,
      failed: 0,
      certificates: changed.map(({ fingerprint256 }) => fingerprint256).join(' '),
    }),
  )
  const sorted = [...rows, ...changes].sort((a, b) => (String(a.date) < String(b.date) ? 1 : -1))
  return { rows: sorted, samples: sorted.map(() => []) }
}
