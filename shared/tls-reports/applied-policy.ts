/**
 * Which policy a session counts under in a report to its domain, and how it fared by that policy (RFC 8460 §4). What a
 * connector or a sender demands is agreed elsewhere and none of the reader's business: such a session counts as one
 * without policy, a success when TLS came about. Pure.
 */
import { isIP } from 'node:net'
import type { TlsResult } from '../contract/tls-result.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { inOneLine } from '../mail/peer-words.ts'
import type { SessionRecord } from '../net/smtp-delivery.ts'
import type { MtaStsPolicy } from '../policy/transport-security.ts'
import type { HopRequirement, TlsaRecord, TlsFault } from '../tls/requirement.ts'
import { assessServerTls, resultOfUndemanded, type ServerTls } from '../tls/server-certificate.ts'
import { digestOf } from './digest.ts'

/** RFC 8460 §4.4. */
export interface AppliedPolicy {
  type: 'tlsa' | 'sts' | 'no-policy-found'
  domain: string
  /** As §4.5 writes them; empty where the policy could not be had. */
  strings: string[]
  /** Of MTA-STS: the patterns. */
  mxHosts: string[]
}

/** What was wrong, and where. */
export interface Failure {
  result: Exclude<TlsResult, 'success'>
  /** Null where no session was to be had. */
  host: string | null
  ip: string | null
  reason: string | null
}

/** One session, under one policy. */
export interface SessionCount {
  /** To whom a report would go: the recipients' domain, or the smart host in its place. */
  domain: string
  policy: AppliedPolicy
  /** Null for a success. */
  failure: Failure | null
}

/**
 * Most often one count; a policy that is announced and cannot be had is one of its own. None for what has no domain to
 * report to: a smart host that is an address.
 * @param at the instant of the handshake
 */
export function countsOf(session: SessionRecord, at: Date): SessionCount[] {
  const { hop, mtaSts } = session
  const named = hop.foundBy === 'SmartHost' ? hop.host : session.domain
  const domain = isIP(named) ? null : normaliseDomain(named)
  // That our own table cannot be read is no business of the domain's.
  if (domain === null || mtaSts.kind === 'Unknown') return []
  const counts = publishedCount(session, domain, at) ?? unpublishedCount(session, domain)
  const fault = mtaSts.fault ?? null
  if (hop.foundBy === 'SmartHost' || fault === null) return counts
  return [...counts, unobtainable(domain, mtaSts, fault)]
}

interface Demand {
  requirement: HopRequirement
  /** What was wrong before anybody connected. */
  fault: TlsFault | null
}

/** The demand that the domain itself made, enforced or only watched. */
function publishedDemand({ enforced, trials }: SessionRecord): Demand | undefined {
  return [{ requirement: enforced, fault: null }, ...trials].find(
    ({ requirement: { source } }) => source === 'Dane' || source === 'MtaSts',
  )
}

function publishedCount(session: SessionRecord, domain: string, at: Date): SessionCount[] | null {
  const demand = publishedDemand(session)
  if (demand === undefined) return null
  const policy =
    demand.requirement.source === 'Dane' ? danePolicy(session.hop) : stsPolicy(domain, session.mtaSts)
  return [{ domain, policy, failure: failureOf(session, found(session, demand, at)) }]
}

function found(session: SessionRecord, { requirement, fault }: Demand, at: Date): Found {
  if (session.tls === null) return { result: session.result, reason: session.reason }
  const assessed = fault ?? assessServerTls(requirement, session.tls, at)
  return assessed === null
    ? { result: 'success', reason: null }
    : { result: assessed.result, reason: assessed.reply.text }
}

interface Found {
  result: TlsResult
  reason: string | null
}

/** A host that the sender's own wish ruled out before anybody connected is no session. */
function unpublishedCount(session: SessionRecord, domain: string): SessionCount[] {
  const { tls } = session
  if (tls === null) return []
  const policy: AppliedPolicy = { type: 'no-policy-found', domain, strings: [], mxHosts: [] }
  const result = resultOfUndemanded(tls)
  return [{ domain, policy, failure: failureOf(session, { result, reason: reasonOf(tls) }) }]
}

/** Or not to be renewed (RFC 8461 §6). */
function unobtainable(
  domain: string,
  mtaSts: SessionRecord['mtaSts'],
  { result, detail }: { result: TlsResult; detail: string },
): SessionCount {
  const policy = stsPolicy(domain, mtaSts)
  const failure = result === 'success' ? null : { result, host: null, ip: null, reason: shortened(detail) }
  return { domain, policy, failure }
}

function failureOf({ hop }: SessionRecord, { result, reason }: Found): Failure | null {
  if (result === 'success') return null
  const host = isIP(hop.host) ? null : hop.host
  return { result, host, ip: hop.ip, reason: reason === null ? null : shortened(reason) }
}

function reasonOf(tls: ServerTls): string | null {
  if (tls.kind === 'NotOffered') return tls.answer
  return tls.kind === 'HandshakeFailed' ? tls.cause : null
}

/** The domain is the TLSA base domain (RFC 8460 §1.1). */
function danePolicy({ host, dane }: SessionRecord['hop']): AppliedPolicy {
  const records = dane.kind === 'Records' ? dane.records : []
  const domain = dane.kind === 'Records' ? dane.baseDomain : host
  return { type: 'tlsa', domain, strings: bounded(records.map(tlsaText)), mxHosts: [] }
}

const tlsaText = ({ usage, selector, matchingType, data }: TlsaRecord): string =>
  `${usage} ${selector} ${matchingType} ${data}`

function stsPolicy(domain: string, mtaSts: SessionRecord['mtaSts']): AppliedPolicy {
  if (mtaSts.kind !== 'Policy') return { type: 'sts', domain, strings: [], mxHosts: [] }
  const mxHosts = bounded(mtaSts.policy.mx)
  return { type: 'sts', domain, strings: stsStrings(mtaSts.policy, mxHosts), mxHosts }
}

const stsStrings = ({ mode, maxAge }: MtaStsPolicy, mxHosts: readonly string[]): string[] => [
  'version: STSv1',
  `mode: ${mode}`,
  ...mxHosts.map((pattern) => `mx: ${pattern}`),
  `max_age: ${maxAge}`,
]

/** What a domain publishes is as long as it likes. */
const mostStrings = 30
const longestString = 300
const longestReason = 200

const bounded = (strings: readonly string[]): string[] =>
  strings.slice(0, mostStrings).map((text) => text.slice(0, longestString))

const shortened = (text: string): string => inOneLine(text, longestReason)

/** The same for the same policy, whoever counts. */
export const policyId = ({ type, domain, strings, mxHosts }: AppliedPolicy): string =>
  digestOf([type, domain, strings, mxHosts])

export const failureId = ({ result, host, ip, reason }: Failure): string =>
  digestOf([result, host, ip, reason])
