/**
 * Whether a domain requests TLS reports, so that the sessions of other domains, which are most, are not counted. The
 * answer is remembered for an hour: sessions before a new record is noticed are in no report. When the answer is
 * unknown, the domain counts as one that requests reports.
 */
import { hourMs, minuteMs } from '../contract/durations.ts'
import { RecentMap } from '../limits/recent-map.ts'
import type { Resolver } from '../net/resolver.ts'
import { parseReportDestinations, tlsReportRecordName } from './report-destinations.ts'

/** The end of a batch waits no longer for name servers. */
const queryTimeoutMs = 1_000
/** A name server that does not answer must not delay each batch. */
const unknownMs = 10 * minuteMs
const maxDomains = 10_000

export interface ReportRequestsOptions {
  resolver: Resolver
  /** Milliseconds since 1970. */
  now(): number
}

/** @returns a function that never throws */
export function reportRequests({
  resolver,
  now,
}: ReportRequestsOptions): (domain: string) => Promise<boolean> {
  const known = new RecentMap<string, { isRequested: boolean; untilMs: number }>(maxDomains)
  return async (domain) => {
    const entry = known.get(domain)
    if (entry && now() < entry.untilMs) return entry.isRequested
    const signal = AbortSignal.timeout(queryTimeoutMs)
    const answer = await resolver.query(tlsReportRecordName(domain), 'TXT', signal)
    const isKnown = answer.kind !== 'Failed'
    const isRequested =
      !isKnown || (answer.kind === 'Found' && parseReportDestinations(answer.records).length > 0)
    known.set(domain, { isRequested, untilMs: now() + (isKnown ? hourMs : unknownMs) })
    return isRequested
  }
}
