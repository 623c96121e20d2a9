/** `/tls-reports`: the TLS reports (RFC 8460) received from other organisations. */
import * as z from 'zod'
import { dayMs } from '../../../shared/contract/durations.ts'
import { domainParameter } from '../../../shared/event-queries/domain-parameter.ts'
import { limitUpTo, listOf, listResponse } from '../../../shared/http-api/lists.ts'
import { cursorSchema, invalidParameter } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { ReceivedReport, ReportedPolicy, ReportSummary } from '../../../shared/tls-reports/received-report.ts'
import type { ReceivedReports, ReportFilter } from '../../../shared/tls-reports/received-reports.ts'
import { notFoundProblem } from './write-responses.ts'

const acceptedDomain = z
  .boolean()
  .describe('whether a domain of the report is an accepted domain or below one; a report may name any domain')

export const TlsReport = ReceivedReport.extend({
  policies: z.array(ReportedPolicy.extend({ acceptedDomain })),
})
export const TlsReportList = listOf(ReportSummary.extend({ acceptedDomain }))

const defaultDays = 30
/** Each day of the span costs one query, even when it has no report. */
const maxDays = 92

const day = z.iso.date('is not a day, such as 2026-02-03')

const ReportQuery = z.strictObject({
  domain: domainParameter
    .optional()
    .describe('a policy domain: one of your domains, or the name of one of your mail servers'),
  from: day.optional().describe(`first day of the reports, UTC; default: ${defaultDays} days before to`),
  to: day.optional().describe('last day of the reports, UTC; default: today'),
  cursor: cursorSchema(z.strictObject({ day: z.iso.date(), after: z.string().max(100) })).optional(),
  limit: limitUpTo(200, 50),
})

export interface TlsReportDependencies {
  reports: Pick<ReceivedReports, 'get' | 'page'>
  /** Returns the current accepted domains. */
  snapshot(): Promise<Pick<Snapshot, 'acceptedDomains'>>
  /** Milliseconds since the epoch. */
  now(): number
}

export function tlsReportRoutes({ reports, snapshot, now }: TlsReportDependencies): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/tls-reports',
        role: 'read',
        summary: 'List received TLS reports, latest day first',
        query: ReportQuery,
        answers: { 200: TlsReportList },
      },
      async ({ query }) => {
        const page = await reports.page(filterOf(query, now()), query.cursor ?? null, query.limit)
        const { acceptedDomains } = await snapshot()
        const items = page.reports.map((report) => ({
          ...report,
          acceptedDomain: report.domains.some((name) => isWithinDomains(name, acceptedDomains)),
        }))
        return listResponse(items, page.next)
      },
    ),
    route(
      {
        method: 'GET',
        path: '/tls-reports/{id}',
        role: 'read',
        summary: 'Read a received TLS report',
        answers: { 200: TlsReport },
        problems: [404],
      },
      async ({ parameter }) => {
        const report = await reports.get(parameter)
        if (!report) throw notFoundProblem('report')
        const { acceptedDomains } = await snapshot()
        const policies = report.policies.map((policy) => ({
          ...policy,
          acceptedDomain: isWithinDomains(policy.domain, acceptedDomains),
        }))
        return { status: 200, body: { ...report, policies } }
      },
    ),
  ]
}

/** @throws Problem 400 for a span that is empty or too long */
function filterOf(query: z.output<typeof ReportQuery>, now: number): ReportFilter {
  const until = query.to ?? new Date(now).toISOString().slice(0, 10)
  const defaultSince = new Date(Date.parse(until) - defaultDays * dayMs).toISOString().slice(0, 10)
  const since = query.from ?? defaultSince
  if (since > until) throw invalidParameter('from', 'must not be later than the end of the period')
  if (Date.parse(until) - Date.parse(since) > maxDays * dayMs)
    throw invalidParameter('from', `must be at most ${maxDays} days before the end of the period`)
  return { since, until, domain: query.domain ?? null }
}

/** Whether the name is an accepted domain or below one, as names of MX hosts often are. */
function isWithinDomains(name: string, acceptedDomains: ReadonlySet<string>): boolean {
  for (let rest = name; rest !== ''; rest = rest.slice(rest.indexOf('.') + 1)) {
    if (acceptedDomains.has(rest)) return true
    if (!rest.includes('.')) return false
  }
  return false
}
