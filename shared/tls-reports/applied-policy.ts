/**
 * Finds the policy under which a session is reported to its domain, and the result under that policy (RFC 8460 §4).
 * A domain gets no report on requirements of a connector or a sender: such a session is counted under
 * `no-policy-found`, as a success if TLS was established. Pure.
 */
import { isIP } from 'node:net'
import type { TlsResult } from '../contract/tls-result.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { toSingleLine } from '../mail/peer-text.ts'
import type { SessionRecord } from '../net/smtp-delivery.ts'
import type { MtaStsPolicy } from '../policy/hop-facts.ts'
import { assessServerTls, type ServerTls, unrequiredTlsResult } from '../tls/assess-server-tls.ts'
import type { HopRequirement, TlsaRecord, TlsFault } from '../tls/requirement.ts'
import { digestOf } from './digest.ts'

/** RFC 8460 §4.4. */
export interface AppliedPolicy {
  type: 'tlsa' | 'sts' | 'no-policy-found'
  domain: string
  /** The policy in the format of §4.5; empty if the policy could not be fetched. */
  strings: string[]
  /** The MX patterns of an MTA-STS policy; empty for the other types. */
  mxHosts: string[]
}

export interface Failure {
  result: Exclude<TlsResult, 'success'>
  /** Null if the host is known only by its address, or the fault does not concern a host. */
  host: string | null
  ip: string | null
  reason: string | null
}

export interface SessionCount {
  /** The domain that gets the report: the recipients' domain, or the smart host's name. */
  domain: string
  policy: AppliedPolicy
  /** Null for a success. */
  failure: Failure | null
}

/**
 * Usually returns one count, that of the session. A session under both DANE and MTA-STS has one for each. A failed fetch
 * of an announced policy adds another one. Returns none for a smart host that is an IP address, because it has no domain
 * for reports.
 * @param at the time of the handshake
 */
export function sessionCountsOf(session: SessionRecord, at: Date): SessionCount[] {
  const { hop, mtaSts } = session
  const reportingName = hop.foundBy === 'SmartHost' ? hop.host : session.domain
  const domain = isIP(reportingName) ? null : normaliseDomain(reportingName)
  // An unreadable cache is a fault of mailflow, so it is not reported.
  if (domain === null || mtaSts.kind === 'Unknown') return []
  const counts = publishedCounts(session, domain, at) ?? unpublishedCount(session, domain)
  const fault = mtaSts.fault ?? null
  if (hop.foundBy === 'SmartHost' || fault === null) return counts
  return [...counts, fetchFailureCount(domain, mtaSts, fault)]
}

interface CheckedRequirement {
  requirement: HopRequirement
  /** The fault found before the connection, or null. */
  fault: TlsFault | null
}

/**
 * The requirements that the domain published, or should have published. Those that were enforced come before a
 * requirement that was only reported.
 */
function publishedRequirements({ enforced, reportOnly }: SessionRecord): CheckedRequirement[] {
  const { additional = [], ...first } = enforced
  const published = [first, ...additional].filter((each) => isPublished(each) || isMandatoryDane(each))
  if (published.length > 0) return published.map((requirement) => ({ requirement, fault: null }))
  return reportOnly.filter(({ requirement }) => isPublished(requirement)).slice(0, 1)
}

const isPublished = ({ source }: HopRequirement): boolean => source === 'Dane' || source === 'MtaSts'

/**
 * Whether the host was refused because DANE is mandatory: RFC 8460 §4.3.2 reports the requirement of the sender only for
 * DANE (`dane-required`). A connector that only reports did not apply it.
 */
const isMandatoryDane = ({ source, level }: HopRequirement): boolean =>
  source === 'Connector' && level === 'Dane'

function publishedCounts(session: SessionRecord, domain: string, at: Date): SessionCount[] | null {
  const checkedRequirements = publishedRequirements(session)
  if (checkedRequirements.length === 0) return null
  return checkedRequirements.map((checked) => ({
    domain,
    policy:
      checked.requirement.source === 'MtaSts' ? stsPolicy(domain, session.mtaSts) : danePolicy(session.hop),
    failure: failureOf(session, resultFor(session, checked, at)),
  }))
}

function resultFor(
  session: SessionRecord,
  { requirement, fault }: CheckedRequirement,
  at: Date,
): SessionResult {
  if (session.tls === null) return { result: session.result, reason: session.reason }
  const assessed = fault ?? assessServerTls(requirement, session.tls, at)
  return assessed === null
    ? { result: 'success', reason: null }
    : { result: assessed.result, reason: assessed.reply.text }
}

interface SessionResult {
  result: TlsResult
  reason: string | null
}

/** Empty for a host that the sender's requirement excluded before the connection, because there was no session. */
function unpublishedCount(session: SessionRecord, domain: string): SessionCount[] {
  const { tls } = session
  if (tls === null) return []
  const policy: AppliedPolicy = { type: 'no-policy-found', domain, strings: [], mxHosts: [] }
  const result = unrequiredTlsResult(tls)
  return [{ domain, policy, failure: failureOf(session, { result, reason: reasonOf(tls) }) }]
}

/** Also counts a cached policy that could not be renewed (RFC 8461 §6). */
function fetchFailureCount(
  domain: string,
  mtaSts: SessionRecord['mtaSts'],
  { result, detail }: { result: TlsResult; detail: string },
): SessionCount {
  const policy = stsPolicy(domain, mtaSts)
  const failure = result === 'success' ? null : { result, host: null, ip: null, reason: shortReason(detail) }
  return { domain, policy, failure }
}

function failureOf({ hop }: SessionRecord, { result, reason }: SessionResult): Failure | null {
  if (result === 'success') return null
  const host = isIP(hop.host) ? null : hop.host
  return { result, host, ip: hop.ip, reason: reason === null ? null : shortReason(reason) }
}

function reasonOf(tls: ServerTls): string | null {
  if (tls.kind === 'NotOffered') return tls.serverReply
  return tls.kind === 'HandshakeFailed' ? tls.cause : null
}

/** The policy domain is the TLSA base domain (RFC 8460 §1.1). */
function danePolicy({ host, dane }: SessionRecord['hop']): AppliedPolicy {
  const records = dane.kind === 'Records' ? dane.records : []
  const domain = dane.kind === 'Records' ? dane.baseDomain : host
  return { type: 'tlsa', domain, strings: boundedStrings(records.map(tlsaText)), mxHosts: [] }
}

const tlsaText = ({ usage, selector, matchingType, data }: TlsaRecord): string =>
  `${usage} ${selector} ${matchingType} ${data}`

function stsPolicy(domain: string, mtaSts: SessionRecord['mtaSts']): AppliedPolicy {
  if (mtaSts.kind !== 'Policy') return { type: 'sts', domain, strings: [], mxHosts: [] }
  const mxHosts = boundedStrings(mtaSts.policy.mx)
  return { type: 'sts', domain, strings: stsStrings(mtaSts.policy, mxHosts), mxHosts }
}

const stsStrings = ({ mode, maxAge }: MtaStsPolicy, mxHosts: readonly string[]): string[] => [
  'version: STSv1',
  `mode: ${mode}`,
  ...mxHosts.map((pattern) => `mx: ${pattern}`),
  `max_age: ${maxAge}`,
]

/** Limits for the policy that a domain publishes: the number of strings, and the characters of each. */
const maxStrings = 30
const maxStringLength = 300
const maxReasonLength = 200

const boundedStrings = (strings: readonly string[]): string[] =>
  strings.slice(0, maxStrings).map((text) => text.slice(0, maxStringLength))

const shortReason = (text: string): string => toSingleLine(text, maxReasonLength)

export const policyId = ({ type, domain, strings, mxHosts }: AppliedPolicy): string =>
  digestOf([type, domain, strings, mxHosts])

export const failureId = ({ result, host, ip, reason }: Failure): string =>
  digestOf([result, host, ip, reason])
