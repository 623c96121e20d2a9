/** Builds the report on a day's sessions with one domain (RFC 8460 §4.4). Pure. */
import type { AppliedPolicy } from './applied-policy.ts'
import type { DomainCounts, PolicyCounts } from './counters.ts'
import { dayBounds } from './days.ts'
import { digestOf } from './digest.ts'

export interface Reporter {
  /** The name of the reporting organisation, for readers. */
  organisation: string
  /** The address in `From` and `contact-info`. */
  address: string
  /** The domain of the address. */
  domain: string
}

export interface TlsReport {
  /** Unique; the same whenever the report is built again. */
  id: string
  /** In the format `YYYY-MM-DD`. */
  day: string
  /** The domain that the report is about. */
  domain: string
  /** JSON in UTF-8. */
  json: string
  /** The name of RFC 8460 §5.1, with the extension for compressed JSON. */
  filename: string
}

export function buildReport(counts: DomainCounts, day: string, reporter: Reporter): TlsReport {
  const { domain } = counts
  const { begin, end } = dayBounds(day)
  const digest = digestOf([day, domain, reporter.domain])
  const id = `${day}.${digest}@${reporter.domain}`
  const report = {
    'organization-name': reporter.organisation,
    'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
    'contact-info': reporter.address,
    'report-id': id,
    policies: counts.policies.map(policyEntry),
  }
  const filename = `${reporter.domain}!${domain}!${begin}!${end}!${digest}.json.gz`
  return { id, day, domain, json: JSON.stringify(report), filename }
}

function policyEntry({ policy, successes, failures, details }: PolicyCounts) {
  return {
    policy: policyFields(policy),
    summary: { 'total-successful-session-count': successes, 'total-failure-session-count': failures },
    ...(details.length > 0 && { 'failure-details': details.map(detailFields) }),
  }
}

/** RFC 8460 §4.4: `mx-host` is for MTA-STS only. */
const policyFields = ({ type, domain, strings, mxHosts }: AppliedPolicy) => ({
  'policy-type': type,
  ...(strings.length > 0 && { 'policy-string': strings }),
  'policy-domain': domain,
  ...(mxHosts.length > 0 && { 'mx-host': mxHosts }),
})

/** `sending-mta-ip` is left out: the counters do not hold the session's local address. */
const detailFields = ({ failure, sessions }: PolicyCounts['details'][number]) => ({
  'result-type': failure.result,
  ...(failure.host !== null && { 'receiving-mx-hostname': failure.host }),
  ...(failure.ip !== null && { 'receiving-ip': failure.ip }),
  'failed-session-count': sessions,
  ...(failure.reason !== null && failure.reason !== '' && { 'failure-reason-code': failure.reason }),
})
