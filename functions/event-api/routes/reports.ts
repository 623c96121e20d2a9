/** `/reports`: what was sent, refused and waits, counted. */

import { comparableName } from '../../../shared/connectors/comparable-name.ts'
import { dayMs, hourMs } from '../../../shared/contract/durations.ts'
import {
  type CountedRows,
  countReport,
  type ReportSpan,
} from '../../../shared/event-queries/reports/count-report.ts'
import { countedReports } from '../../../shared/event-queries/reports/counted-reports.ts'
import { domainStatus, domainStatusColumns } from '../../../shared/event-queries/reports/domain-status.ts'
import { queued, queuedColumns } from '../../../shared/event-queries/reports/queued.ts'
import type { CountedReport, ReportColumn } from '../../../shared/event-queries/reports/report.ts'
import {
  listReports,
  type Report,
  ReportName,
  type ReportQuery,
  readReport,
} from '../../../shared/event-queries/reports/report-schemas.ts'
import {
  type OwnCertificate,
  type ReportedDay,
  tlsReportColumns,
  tlsReportTrend,
} from '../../../shared/event-queries/reports/tls-report-trend.ts'
import type { EventCounts } from '../../../shared/events/event-counts.ts'
import { csvText } from '../../../shared/http-api/csv.ts'
import { csvResponse } from '../../../shared/http-api/csv-response.ts'
import { isUlid } from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { invalidParameter } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import type { WaitingGroup } from '../../../shared/messages/waiting-groups.ts'
import { selectOutbound } from '../../../shared/policy/outbound.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'

export interface ReportDependencies {
  counts: Pick<EventCounts, 'read'>
  snapshot(): Promise<Snapshot>
  /** Received TLS reports of the days, `YYYY-MM-DD`, both included. */
  tlsReports(since: string, until: string): Promise<ReportedDay[]>
  ownCertificates(): Promise<OwnCertificate[]>
  /** Mail that waits now; the group that expires first is the first. */
  waitingGroups(): Promise<WaitingGroup[]>
  retentionDays: number
  /** Milliseconds since the epoch. */
  now(): number
}

interface Definition {
  title: string
  columns: readonly ReportColumn[]
  read(
    request: ReportRequest,
    dependencies: ReportDependencies,
  ): Promise<CountedRows & { soFar: number | null }>
}

interface ReportRequest {
  span: ReportSpan
  partner: string | null
  /** Ids; null: all. */
  connectors: readonly string[] | null
  snapshot: Snapshot
}

const counted = (report: CountedReport): Definition => ({
  title: report.title,
  columns: report.columns,
  async read({ span, partner, connectors, snapshot }, { counts }) {
    const { days, soFar } = await counts.read(span.from, span.to)
    const context = {
      acceptedDomains: snapshot.acceptedDomains,
      connectorName: (id: string) => connectorName(snapshot, id),
    }
    return { ...countReport(report, days, span, { partner, connectors }, context), soFar }
  },
})

const definitions: Record<ReportName, Definition> = {
  'connector-tls': counted(countedReports['connector-tls']),
  'in-transit': counted(countedReports['in-transit']),
  rejected: counted(countedReports.rejected),
  'domain-status': {
    title: 'Domain status',
    columns: domainStatusColumns,
    async read({ span, partner, snapshot }, { counts }) {
      const { days, soFar } = await counts.read(span.from, span.to)
      const domains = [...snapshot.acceptedDomains]
        .filter((domain) => partner === null || domain === partner)
        .sort()
        .map((domain) => ({ domain, connector: selectOutbound(snapshot, domain)?.name ?? null }))
      return {
        ...domainStatus(
          domains,
          days.flatMap(([, rows]) => rows),
        ),
        soFar,
      }
    },
  },
  'non-accepted-domains': counted(countedReports['non-accepted-domains']),
  'non-delivery': counted(countedReports['non-delivery']),
  queued: {
    title: 'Queued messages',
    columns: queuedColumns,
    async read({ partner, connectors, snapshot }, { waitingGroups, now }) {
      const groups = (await waitingGroups()).filter(
        (group) =>
          (partner === null || group.partner === partner) &&
          (connectors === null || connectors.includes(group.connector ?? '')),
      )
      return { ...queued(groups, (id) => connectorName(snapshot, id)), soFar: now() }
    },
  },
  'tls-rpt': {
    title: 'TLS reports received',
    columns: tlsReportColumns,
    async read({ span, partner }, { tlsReports, ownCertificates }) {
      const [since, until] = [dayOf(span.from), dayOf(span.to - 1)]
      const [reports, certificates] = await Promise.all([tlsReports(since, until), ownCertificates()])
      const seen = certificates.filter(
        ({ firstSeen }) => since <= firstSeen.slice(0, 10) && firstSeen.slice(0, 10) <= until,
      )
      const ofPartner = reports.filter(({ domains }) => partner === null || domains.includes(partner))
      return { ...tlsReportTrend(ofPartner, seen), soFar: null }
    },
  },
  'key-exchange': counted(countedReports['key-exchange']),
}

/** Reports that the filter of connectors would not change. */
const withoutConnectors: readonly ReportName[] = ['domain-status', 'tls-rpt']

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

export const reportRoutes = (dependencies: ReportDependencies): Route[] => [
  route(listReports, async () => ({
    status: 200,
    body: {
      items: Object.entries(definitions).map(([name, { title, columns }]) => ({
        name,
        title,
        columns: columns.map(shownColumn),
      })),
    },
  })),
  route(readReport, async ({ parameter, query, acceptsCsv }) => {
    const name = ReportName.safeParse(parameter).data
    if (name === undefined)
      throw new Problem(
        404,
        `There is no report with this name. The reports are ${ReportName.options.join(', ')}.`,
      )
    const definition = definitions[name]
    const { now, retentionDays } = dependencies
    if (query.connector !== undefined && withoutConnectors.includes(name))
      throw invalidParameter(
        'connector',
        'cannot be used with this report: its numbers are not those of connectors',
      )
    const snapshot = await dependencies.snapshot()
    const span = spanOf(query, now(), retentionDays)
    const request = {
      span,
      partner: query.partner ?? null,
      connectors: query.connector === undefined ? null : connectorIds(snapshot, query.connector),
      snapshot,
    }
    const { rows, samples, soFar } = await definition.read(request, dependencies)
    const columns = definition.columns.map(shownColumn)
    if (acceptsCsv)
      return csvResponse(
        `${name}-${dayOf(span.from)}`,
        csvText(
          [...columns.map(({ name }) => name), 'samples'],
          rows.map((row, index) => ({ ...row, samples: (samples[index] ?? []).join(' ') })),
        ),
      )
    const report: Report = {
      name,
      title: definition.title,
      from: new Date(span.from).toISOString(),
      to: new Date(span.to).toISOString(),
      timeZone: span.timeZone,
      soFar: soFar === null ? null : new Date(soFar).toISOString(),
      columns,
      rows,
      samples,
    }
    return { status: 200, body: report }
  }),
]

const shownColumn = ({ name, type, description }: ReportColumn) => ({ name, type, description })

const defaultDays = 7

function spanOf({ from, to, timeZone = 'UTC' }: ReportQuery, now: number, retentionDays: number): ReportSpan {
  const last = now + dayMs
  const end = Math.ceil(Math.min(to?.getTime() ?? now, last) / hourMs) * hourMs
  const start = from?.getTime() ?? startOfDays(end - 1, defaultDays, timeZone)
  const span = { from: Math.floor(start / hourMs) * hourMs, to: end, timeZone }
  if (span.from >= span.to)
    throw invalidParameter('from', start >= last ? 'is in the future' : 'must be earlier than to')
  if (now - span.from > (retentionDays + 1) * dayMs)
    throw invalidParameter('from', `is more than ${retentionDays} days ago; events are kept for this time`)
  return span
}

/** Returns the first hour of the days of the time zone that end with the day of `at`. A day has 23 to 25 hours. */
function startOfDays(at: number, count: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' })
  let start = Math.floor(at / hourMs) * hourMs
  for (let days = 1; ; start -= hourMs) {
    if (format.format(start - hourMs) === format.format(start)) continue
    if (days === count) return start
    days += 1
  }
}

function connectorName({ all: { inbound, outbound } }: Snapshot, id: string): string {
  return inbound.get(id)?.connector.name ?? outbound.get(id)?.name ?? id
}

/** @throws Problem 400 for a name that no connector has */
function connectorIds({ all: { inbound, outbound } }: Snapshot, text: string): string[] {
  // A deleted connector is known by its id only.
  if (isUlid(text)) return [text]
  const connectors = [...[...inbound.values()].map(({ connector }) => connector), ...outbound.values()]
  const ids = connectors
    .filter(({ name }) => comparableName(name) === comparableName(text))
    .map(({ id }) => id)
  if (ids.length === 0) throw invalidParameter('connector', 'is not the id or name of a connector')
  return ids
}
