/** What the report on TLS reports reads besides events. */
import type { OwnCertificate, ReportedDay } from '../../shared/event-queries/reports/tls-report-trend.ts'
import type { ReceivedReports } from '../../shared/tls-reports/received-reports.ts'
import type { ObservedList } from '../../shared/transport/observed-list.ts'

const reportsPerPage = 200

/** Returns the received reports of the days `since` to `until`, `YYYY-MM-DD`, both included. */
export async function reportedDays(
  received: Pick<ReceivedReports, 'page'>,
  since: string,
  until: string,
): Promise<ReportedDay[]> {
  const days: ReportedDay[] = []
  let from: Awaited<ReturnType<ReceivedReports['page']>>['next'] = null
  do {
    const { reports, next } = await received.page({ since, until, domain: null }, from, reportsPerPage)
    days.push(...reports)
    from = next
  } while (from !== null)
  return days
}

/** Returns the certificates that our own servers have presented. */
export async function ownCertificates(
  observed: Pick<ObservedList, 'all'>,
  now: Date,
): Promise<OwnCertificate[]> {
  const certificates: OwnCertificate[] = []
  for await (const observation of observed.all(now)) {
    // The own certificates come first.
    if (observation.kind !== 'Own') break
    certificates.push(...observation.certificates)
  }
  return certificates
}
