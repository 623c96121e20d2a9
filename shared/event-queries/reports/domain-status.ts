/** The report on accepted domains: which cannot get mail, why, and how to fix it. Pure. */
import type { DayRow } from '../../events/day-rollup.ts'
import type { CountedRows } from './count-report.ts'
import { type ReportColumn, type ReportRow, text } from './report.ts'

export const domainStatusColumns: readonly ReportColumn[] = [
  text('domain', 'accepted domain'),
  text('status', 'Ok; NoRoute, Failing: mail waits or bounces; NoMail: none was delivered in the span'),
  text('reason', 'why; null if the status is Ok'),
  text('howToFix', 'what to do; null if the status is Ok'),
  { name: 'lastMail', type: 'time', description: 'last delivery in the span' },
]

export interface RoutedDomain {
  domain: string
  /** Name of the connector that routes mail to the domain; null if none does. */
  connector: string | null
}

interface DomainMail {
  delivered: DayRow | null
  failed: DayRow | null
}

/** @param rows counts of the span, in any order */
export function domainStatus(domains: readonly RoutedDomain[], rows: Iterable<DayRow>): CountedRows {
  const mail = new Map<string, DomainMail>(
    domains.map(({ domain }) => [domain, { delivered: null, failed: null }]),
  )
  for (const row of rows) {
    const known = mail.get(row.partner ?? '')
    if (known === undefined) continue
    if (row.kind === 'Delivered') known.delivered = later(known.delivered, row)
    if (row.kind === 'Attempted') known.failed = later(known.failed, row)
  }
  const entries = domains.map((routed) => entryOf(routed, mail.get(routed.domain) as DomainMail))
  return { rows: entries.map(({ row }) => row), samples: entries.map(({ samples }) => samples) }
}

const later = (known: DayRow | null, row: DayRow): DayRow =>
  known === null || row.last > known.last ? row : known

function entryOf(
  { domain, connector }: RoutedDomain,
  { delivered, failed }: DomainMail,
): { row: ReportRow; samples: string[] } {
  const common = { domain, lastMail: delivered?.last ?? null }
  if (connector === null)
    return {
      row: {
        ...common,
        status: 'NoRoute',
        reason: 'No enabled outbound connector routes mail to this domain.',
        howToFix: 'Create an outbound connector for the domain with your mail server as smart host.',
      },
      samples: failed?.samples ?? [],
    }
  if (failed !== null && (delivered === null || failed.last > delivered.last))
    return {
      row: {
        ...common,
        status: 'Failing',
        reason: `The last attempt failed at ${failed.last}: ${failed.reason ?? failed.replyCode ?? failed.decision}.`,
        howToFix: `npx mailflow connectors validate "${connector}"`,
      },
      samples: failed.samples,
    }
  if (delivered === null)
    return {
      row: {
        ...common,
        status: 'NoMail',
        reason: 'No mail to this domain was delivered in the span of the report.',
        howToFix: `npx mailflow dns ${domain}`,
      },
      samples: [],
    }
  return { row: { ...common, status: 'Ok', reason: null, howToFix: null }, samples: delivered.samples }
}
