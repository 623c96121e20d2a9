/** Checks the MTA-STS policy and record (RFC 8461), and the TLS-RPT record (RFC 8460). Pure. */

import { daySeconds } from '../../contract/durations.ts'
import { normaliseDomain } from '../../mail/domain.ts'
import type { PolicyContent } from '../../net/mta-sts/policy.ts'
import { formatPolicy, formatPolicyRecord } from '../../net/mta-sts/published.ts'
import { parseRecordId } from '../../net/mta-sts/record.ts'
import { isListed } from '../../policy/published-requirement.ts'
import {
  destinationText,
  parseReportDestinations,
  tlsReportRecordName,
} from '../../tls-reports/report-destinations.ts'
import type { DomainFacts } from '../facts/domain-facts.ts'
import { minMaxAgeSeconds, type Plan } from '../publication-plan.ts'
import {
  mtaStsRecordName,
  policyHostOf,
  policyUrl,
  quotedText,
  reportAddressOf,
  tlsRptValue,
} from '../zone-records.ts'
import { joinNames } from './assess-mail-routing.ts'
import { failedQueryFinding, type RecordFinding, type Result, recordsOf } from './record-finding.ts'

export function assessPolicy(plan: Plan, facts: DomainFacts): RecordFinding {
  const { policy, mx } = facts
  const about = { record: 'MTA-STS policy' as const, name: policyUrl(plan.domain) }
  const expected = linesOf(plan.policy.text)
  if (policy.kind === 'Failed') {
    const dnsFailure = dnsFailureOf(facts)
    if (dnsFailure) return failedQueryFinding(about, dnsFailure)
    const host = policyHostOf(plan.domain)
    return {
      ...about,
      result: policy.result === 'sts-policy-fetch-error' ? 'MISSING' : 'DIFFERENT',
      published: [],
      wanted: expected,
      says: [
        `${policy.detail.replace(/\.$/, '')}.`,
        'Without a policy in mode enforce, senders do not enforce TLS; mode testing only makes them report.',
        ...(hasAddress(facts)
          ? []
          : [`Make ${host} an alias (CNAME) of the host that serves the policy; see docs/certificates.md.`]),
      ],
    }
  }
  const served = policy.policy
  const differences = differencesOf(plan, served)
  const warnings = [...warningsOf(plan, served), ...uncoveredMxWarnings(served, mx)]
  const result = differences.length > 0 ? 'DIFFERENT' : warnings.length > 0 ? 'WARN' : 'OK'
  return {
    ...about,
    result,
    published: linesOf(textOf(served)),
    wanted: result === 'DIFFERENT' ? expected : [],
    says: [...differences, ...warnings, ...(result === 'OK' ? modeNotes(plan, served) : [])],
  }
}

const hasAddress = ({ policyHost }: DomainFacts): boolean => policyHost.some(({ kind }) => kind === 'Found')

/** Returns the DNS failure that makes the policy unknown. */
const dnsFailureOf = (facts: DomainFacts) =>
  hasAddress(facts) ? undefined : facts.policyHost.find((answer) => answer.kind === 'Failed')

const linesOf = (text: string): string[] => text.split(/\r?\n/).filter((line) => line !== '')

const textOf = ({ mode, mx, maxAge }: PolicyContent): string =>
  ['version: STSv1', `mode: ${mode}`, ...mx.map((host) => `mx: ${host}`), `max_age: ${maxAge}`].join('\n')

function differencesOf({ policy, hosts, maxAgeSeconds }: Plan, served: PolicyContent): string[] {
  const uncovered = served.mode === 'none' ? [] : hosts.filter((host) => !isListed(host, served))
  return [
    ...(served.mode === policy.mode
      ? []
      : [
          `The mode is ${served.mode}; it should be ${policy.mode}.${served.mode === 'none' ? ' This policy requires nothing.' : ''}`,
        ]),
    ...(uncovered.length === 0
      ? []
      : [
          `The policy does not list ${joinNames(uncovered)}${served.mode === 'enforce' ? ': senders that use MTA-STS deliver no mail there' : ''}.`,
        ]),
    ...(maxAgeSeconds === null || served.maxAge === maxAgeSeconds
      ? []
      : [`The max_age is ${served.maxAge} seconds; it should be ${maxAgeSeconds}.`]),
  ]
}

/** Returns warnings about content that is allowed but unwanted. */
function warningsOf({ hosts, maxAgeSeconds }: Plan, served: PolicyContent): string[] {
  if (served.mode === 'none') return []
  const others = served.mx.filter((pattern) => !hosts.some((host) => isListed(host, { mx: [pattern] })))
  return [
    ...(others.length === 0
      ? []
      : [`The policy also lists ${joinNames(others)}, which is not a host of this gateway.`]),
    ...(maxAgeSeconds !== null || served.maxAge >= minMaxAgeSeconds
      ? []
      : [
          `The max_age is ${served.maxAge} seconds: an attacker who blocks the policy host for that long disables the policy. Use ${7 * daySeconds} or more.`,
        ]),
  ]
}

/** Warns about MX hosts that the policy does not list: senders must not deliver to them. */
function uncoveredMxWarnings(served: PolicyContent, mx: DomainFacts['mx']): string[] {
  const names = recordsOf(mx)
    .map(({ exchange }) => normaliseDomain(exchange))
    .filter((name) => name !== null)
  const uncovered = served.mode === 'none' ? [] : names.filter((name) => !isListed(name, served))
  return uncovered.length === 0
    ? []
    : [`The MX records name ${joinNames(uncovered)}, which the policy does not list.`]
}

const modeNotes = ({ instructions }: Plan, { mode }: PolicyContent): string[] =>
  mode === 'testing'
    ? [
        `In mode testing, senders report failures and still deliver. When the reports show no failures, ${instructions.enforcePolicy}.`,
      ]
    : []

/** The id must change with the policy: senders fetch the policy again only when the id changes. */
export function assessMtaStsRecord(plan: Plan, facts: DomainFacts): RecordFinding {
  const { mtaStsRecord, policy } = facts
  const name = mtaStsRecordName(plan.domain)
  const about = { record: 'MTA-STS' as const, name }
  if (mtaStsRecord.kind === 'Failed') return failedQueryFinding(about, mtaStsRecord)
  const records = recordsOf(mtaStsRecord).filter((record) => /^v=STSv1/i.test(record))
  const published = records.map(quotedText)
  const served = policy.kind === 'Policy' ? policy.policy : null
  const isCorrect = served !== null && differencesOf(plan, served).length === 0
  const expectedId = isCorrect ? idOf(served) : plan.policy.id
  const finding = (result: Result, ...says: string[]): RecordFinding => ({
    ...about,
    result,
    published,
    wanted:
      result === 'MISSING' || result === 'DIFFERENT'
        ? [quotedText(formatPolicyRecord({ id: expectedId }))]
        : [],
    says,
  })
  if (records.length === 0)
    return finding(
      'MISSING',
      'Without this record, senders do not fetch the policy. Publish the policy first, then this record.',
    )
  if (records.length > 1)
    return finding(
      'DIFFERENT',
      'There are several records; senders treat several records as none (RFC 8461 §3.1).',
    )
  const id = parseRecordId(records)
  if (id === null)
    return finding(
      'DIFFERENT',
      'The syntax of the record is wrong, so senders ignore it: it needs v=STSv1 and an id of 1 to 32 letters and digits (RFC 8461 §3.1).',
    )
  if (dnsFailureOf(facts))
    return finding('UNKNOWN', 'The policy cannot be fetched, so the id cannot be checked.')
  if (!isCorrect)
    return finding('DIFFERENT', `The policy must be changed; then the id must become ${expectedId}.`)
  if (id === expectedId) return finding('OK')
  if (id.length === expectedId.length && /^[0-9a-f]+$/.test(id))
    return finding(
      'DIFFERENT',
      `The id ${id} does not match the served policy. Until the id changes, senders use their cached policy.`,
    )
  return finding(
    'WARN',
    `The id ${id} was not generated by mailflow, so whether the id changed with the policy is unknown. Mailflow would use ${expectedId}.`,
  )
}

const idOf = ({ mode, mx, maxAge }: PolicyContent): string =>
  formatPolicy({ mxHosts: mx, mode, maxAgeSeconds: maxAge }).id

export function assessTlsRpt(plan: Plan, { tlsRpt }: DomainFacts): RecordFinding {
  const about = { record: 'TLS-RPT' as const, name: tlsReportRecordName(plan.domain) }
  if (tlsRpt.kind === 'Failed') return failedQueryFinding(about, tlsRpt)
  const records = recordsOf(tlsRpt).filter((record) => /^v=TLSRPTv1/i.test(record))
  const published = records.map(quotedText)
  const finding = (result: Result, ...says: string[]): RecordFinding => ({
    ...about,
    result,
    published,
    wanted: result === 'OK' ? [] : [quotedText(tlsRptValue(plan))],
    says,
  })
  if (records.length === 0)
    return finding('MISSING', 'Without this record, senders do not report TLS failures to you.')
  if (records.length > 1)
    return finding(
      'DIFFERENT',
      'There are several records; senders treat several records as none (RFC 8460 §3).',
    )
  const destinations = parseReportDestinations(records).map(destinationText)
  if (destinations.length === 0)
    return finding(
      'DIFFERENT',
      'The record has no valid report destination: use rua=mailto:ADDRESS or an https URL.',
    )
  const expectedDestination = `mailto:${reportAddressOf(plan)}`.toLowerCase()
  if (
    plan.reportAddress === null ||
    destinations.some((destination) => destination.toLowerCase() === expectedDestination)
  )
    return finding('OK')
  return finding('DIFFERENT', `Reports go to ${joinNames(destinations)}, not to ${plan.reportAddress}.`)
}
