/**
 * Decides the TLS requirement for a next hop. Precedence:
 *
 * 1. The connector's `tlsSettings`, if enforced. No policy of the recipient's domain weakens or replaces them.
 * 2. The host's TLSA records (DANE, RFC 7672), if DNSSEC proves them.
 * 3. The domain's MTA-STS policy (RFC 8461) in mode `enforce`. It also takes precedence over TLSA records of which none
 *    is usable, because such records require only encryption (RFC 7672 §2.2).
 * 4. Otherwise TLS is opportunistic.
 *
 * A sender's REQUIRETLS (RFC 8689) also requires that the next hop's name is authentic and verified. A sender's
 * `TLS-Required: No` disables 2 and 3, never 1. Some requirements are checked and recorded, but not enforced: those
 * that `TLS-Required: No` disables, those of a connector in ReportOnly mode, and those of a policy in mode `testing`.
 */
import type { TlsRequirement } from '../contract/jobs.ts'
import type { Reply } from '../contract/message.ts'
import type { TlsResult } from '../contract/tls-result.ts'
import { reply } from '../mail/reply.ts'
import { isUsable } from '../tls/dane.ts'
import {
  forcesTls,
  type HopRequirement,
  opportunistic,
  type ReportOnlyRequirement,
  requiresChain,
  type TlsaRecord,
  type TlsFault,
} from '../tls/requirement.ts'

/** The facts about a next hop before the connection. */
export interface HopFacts {
  /** The recipient's domain. */
  domain: string
  /** Host name, or IP address of a smart host. */
  host: string
  /** `Domain`: the domain itself, which has no MX records (RFC 5321 §5.1). */
  foundBy: 'Mx' | 'Domain' | 'SmartHost'
  /** Whether DNSSEC or the administrator proves that mail for the domain goes to this host. */
  authentic: boolean
  dane: DaneState
}

export type DaneState =
  /** Not queried, not signed, or proven not to exist. */
  | { kind: 'None' }
  /**
   * Records proven by DNSSEC; some may be unusable. `baseDomain`: RFC 7672 §2.2.3. `names`: the base domain and the
   * other reference identifiers for the certificate (§3.2.2).
   */
  | { kind: 'Records'; baseDomain: string; names: readonly string[]; records: readonly TlsaRecord[] }
  /** The lookup failed or the records are bogus: the host counts as unreachable (RFC 7672 §2.1.1). */
  | { kind: 'Failed'; reply: Reply; bogus: boolean }

export interface MtaStsPolicy {
  id: string
  mode: 'enforce' | 'testing' | 'none'
  /** Patterns of host names in lower case; `*.` stands for one label (RFC 8461 §4.1). */
  mx: readonly string[]
  /** In seconds; `max_age` of RFC 8461 §3.2. */
  maxAge: number
}

export type MtaStsState =
  /** No policy applies. `fault`: the domain announces one, but the fetch failed. */
  | { kind: 'None'; fault: { result: TlsResult; detail: string } | null }
  /** `fault`: the check for a newer policy failed. */
  | { kind: 'Policy'; policy: MtaStsPolicy; fault?: { result: TlsResult; detail: string } | null }
  /** The cache cannot be read, so a cached policy may apply. */
  | { kind: 'Unknown'; fault?: null }

export const noMtaSts: MtaStsState = { kind: 'None', fault: null }

export interface SenderRequest {
  /** REQUIRETLS parameter of MAIL FROM. */
  requireTls: boolean
  /** Header field `TLS-Required: No`, ignored with REQUIRETLS (RFC 8689 §4.1). */
  tlsRequiredNo: boolean
  /** The reverse path is empty. REQUIRETLS alone must not cause the loss of a DSN (RFC 8689 §5). */
  isNotification: boolean
}

export type HopDecision =
  /** The message is sent only if `enforced` is met; the other requirements are checked and recorded. */
  | { kind: 'Try'; enforced: HopRequirement; reportOnlyRequirements: readonly ReportOnlyRequirement[] }
  /** The message is not sent to this host. */
  | {
      kind: 'Refuse'
      outcome: 'TlsNotMet' | 'TemporaryFailure' | 'PermanentFailure'
      enforced: HopRequirement
      fault: TlsFault
    }

export function decideHop(
  tls: TlsRequirement,
  senderRequest: SenderRequest,
  hop: HopFacts,
  mtaSts: MtaStsState,
): HopDecision {
  const decision = applyPrecedence(
    tls,
    connectorRequirement(tls),
    publishedRequirement(tls, hop, mtaSts),
    senderRequest,
  )
  return senderRequest.requireTls && decision.kind === 'Try'
    ? applyRequireTls(decision, tls, senderRequest, hop, mtaSts)
    : decision
}

/** The server name to send (RFC 6066 §3): the TLSA base domain (RFC 7672 §8.1), otherwise the host name. */
export function serverNameFor({ host, dane }: HopFacts): string {
  return dane.kind === 'Records' ? dane.baseDomain : host
}

/** Whether DANE and MTA-STS can affect the decision. If they cannot, no lookup is needed. */
export function usesPublishedPolicies(
  tls: TlsRequirement,
  senderRequest: SenderRequest,
): { dane: boolean; mtaSts: boolean } {
  const canApply = !isEnforced(tls) || senderRequest.requireTls
  return {
    dane: canApply && tls.smtpDaneMode === 'Opportunistic',
    mtaSts: canApply && (tls.mtaStsMode === 'Opportunistic' || senderRequest.requireTls),
  }
}

export const isEnforced = ({ level, mode }: Pick<TlsRequirement, 'level' | 'mode'>): boolean =>
  level !== 'Opportunistic' && mode === 'Enforce'

function connectorRequirement(tls: TlsRequirement): HopRequirement {
  return {
    level: tls.level,
    source: tls.level === 'Opportunistic' ? 'Opportunistic' : 'Connector',
    names: tls.tlsDomain === null ? [] : [tls.tlsDomain],
    tlsa: [],
    certificateAuthorities: tls.certificateAuthorities,
    minimumTlsVersion: tls.minimumTlsVersion,
    revocationCheck: requiresChain(tls) ? tls.revocationCheck : 'None',
  }
}

/** The requirement from the policies of the recipient's domain. Only policies that the connector allows are used. */
type PublishedRequirement =
  | { kind: 'Nothing'; reportOnlyRequirements: ReportOnlyRequirement[] }
  | { kind: 'Requirement'; requirement: HopRequirement; reportOnlyRequirements: ReportOnlyRequirement[] }
  | {
      kind: 'Refused'
      outcome: 'TlsNotMet' | 'TemporaryFailure'
      requirement: HopRequirement
      fault: TlsFault
    }

function publishedRequirement(tls: TlsRequirement, hop: HopFacts, mtaSts: MtaStsState): PublishedRequirement {
  const mtaStsResult = tls.mtaStsMode === 'None' ? noPolicy : mtaStsRequirement(hop, mtaSts)
  if (tls.smtpDaneMode === 'None' || hop.dane.kind === 'None') return mtaStsResult
  if (hop.dane.kind === 'Failed') return daneFailure(hop.dane)
  const dane = usableRecords(tls, hop)
  if (dane !== null) return requirementOnly({ ...opportunistic, ...dane, source: 'Dane' })
  return mtaStsResult.kind === 'Nothing'
    ? {
        ...requirementOnly({ ...opportunistic, level: 'EncryptionOnly', source: 'Dane' }),
        reportOnlyRequirements: mtaStsResult.reportOnlyRequirements,
      }
    : mtaStsResult
}

function usableRecords(
  { smtpDaneMode }: TlsRequirement,
  { dane }: HopFacts,
): Pick<HopRequirement, 'level' | 'names' | 'tlsa'> | null {
  if (smtpDaneMode === 'None' || dane.kind !== 'Records') return null
  const tlsa = dane.records.filter(isUsable)
  return tlsa.length > 0 ? { level: 'Dane', names: dane.names, tlsa } : null
}

const noPolicy: PublishedRequirement = { kind: 'Nothing', reportOnlyRequirements: [] }

const requirementOnly = (requirement: HopRequirement) => ({
  kind: 'Requirement' as const,
  requirement,
  reportOnlyRequirements: [],
})

function daneFailure({ reply, bogus }: Extract<DaneState, { kind: 'Failed' }>): PublishedRequirement {
  return {
    kind: 'Refused',
    outcome: bogus ? 'TlsNotMet' : 'TemporaryFailure',
    requirement: { ...opportunistic, level: 'Dane', source: 'Dane' },
    fault: { reply, result: 'dnssec-invalid' },
  }
}

function mtaStsRequirement(hop: HopFacts, mtaSts: MtaStsState): PublishedRequirement {
  if (hop.foundBy === 'SmartHost' || mtaSts.kind === 'None') return noPolicy
  const requirement: HopRequirement = {
    ...opportunistic,
    level: 'DomainValidation',
    source: 'MtaSts',
    names: [hop.host],
  }
  if (mtaSts.kind === 'Unknown')
    return { kind: 'Refused', outcome: 'TemporaryFailure', requirement, fault: policyUnreadable(hop) }
  if (mtaSts.policy.mode === 'none') return noPolicy
  const fault = isListed(hop.host, mtaSts.policy) ? null : hostNotListed(hop)
  if (mtaSts.policy.mode === 'testing')
    return { kind: 'Nothing', reportOnlyRequirements: [{ requirement, fault }] }
  return fault ? { kind: 'Refused', outcome: 'TlsNotMet', requirement, fault } : requirementOnly(requirement)
}

/** RFC 8461 §4.1. */
export function isListed(host: string, { mx }: Pick<MtaStsPolicy, 'mx'>): boolean {
  return mx.some((pattern) =>
    pattern.startsWith('*.') ? host.slice(host.indexOf('.')) === pattern.slice(1) : host === pattern,
  )
}

/** A cached policy may apply although the domain announces none now. So the message is not sent as if none existed. */
const policyUnreadable = ({ domain }: HopFacts): TlsFault => ({
  reply: reply(451, '4.3.0', `The cached MTA-STS policy of ${domain}, if any, cannot be read now`),
  result: 'sts-policy-fetch-error',
})

function hostNotListed({ host, domain }: HopFacts): TlsFault {
  return {
    reply: reply(
      451,
      '4.4.8',
      `${host} is not among the mail servers that the MTA-STS policy of ${domain} lists`,
    ),
    result: 'validation-failure',
  }
}

function applyPrecedence(
  tls: TlsRequirement,
  connectorTls: HopRequirement,
  published: PublishedRequirement,
  senderRequest: SenderRequest,
): HopDecision {
  if (isEnforced(tls)) return { kind: 'Try', enforced: connectorTls, reportOnlyRequirements: [] }
  // REQUIRETLS uses the connector's trust anchors even where the connector requires nothing itself.
  const fallback = connectorTls.level === 'Opportunistic' ? connectorTls : opportunistic
  const reportOnlyRequirements: ReportOnlyRequirement[] =
    connectorTls.level === 'Opportunistic' ? [] : [{ requirement: connectorTls, fault: null }]
  if (senderRequest.tlsRequiredNo && !senderRequest.requireTls)
    return {
      kind: 'Try',
      enforced: fallback,
      reportOnlyRequirements: [...reportOnlyRequirements, ...asReportOnly(published)],
    }
  switch (published.kind) {
    case 'Nothing':
      return {
        kind: 'Try',
        enforced: fallback,
        reportOnlyRequirements: [...reportOnlyRequirements, ...published.reportOnlyRequirements],
      }
    case 'Requirement':
      return {
        kind: 'Try',
        enforced: published.requirement,
        reportOnlyRequirements: [...reportOnlyRequirements, ...published.reportOnlyRequirements],
      }
    case 'Refused':
      return {
        kind: 'Refuse',
        outcome: published.outcome,
        enforced: published.requirement,
        fault: published.fault,
      }
  }
}

function asReportOnly(published: PublishedRequirement): ReportOnlyRequirement[] {
  switch (published.kind) {
    case 'Nothing':
      return published.reportOnlyRequirements
    case 'Requirement':
      return [{ requirement: published.requirement, fault: null }, ...published.reportOnlyRequirements]
    case 'Refused':
      return [{ requirement: published.requirement, fault: published.fault }]
  }
}

/** RFC 8689 §4.2.1. */
function applyRequireTls(
  requirements: { enforced: HopRequirement; reportOnlyRequirements: readonly ReportOnlyRequirement[] },
  tls: TlsRequirement,
  senderRequest: SenderRequest,
  hop: HopFacts,
  mtaSts: MtaStsState,
): HopDecision {
  const { enforced, reportOnlyRequirements } = requirements
  if (senderRequest.isNotification)
    return forcesTls(enforced)
      ? { kind: 'Try', ...requirements }
      : {
          kind: 'Try',
          enforced: { ...enforced, level: 'EncryptionOnly', source: 'RequireTls' },
          reportOnlyRequirements,
        }
  if (!hop.authentic && !isListedByPolicy(hop, mtaSts)) return refuseUnprovenHost(hop, enforced, mtaSts)
  if (enforced.level === 'Dane' || enforced.level === 'DomainValidation')
    return { kind: 'Try', ...requirements }
  // A connector with EncryptionOnly does not say how to verify the host, so usable TLSA records decide.
  const dane = enforced.level === 'EncryptionOnly' ? usableRecords(tls, hop) : null
  const verified: HopRequirement = {
    ...enforced,
    ...(dane ?? { level: 'DomainValidation', names: [hop.host] }),
    source: 'RequireTls',
  }
  return { kind: 'Try', enforced: verified, reportOnlyRequirements }
}

const isListedByPolicy = ({ host }: HopFacts, mtaSts: MtaStsState): boolean =>
  mtaSts.kind === 'Policy' && mtaSts.policy.mode !== 'none' && isListed(host, mtaSts.policy)

/**
 * An attacker that forges MX records could receive the message over its own TLS. If the policy fetch failed, a later
 * attempt may succeed.
 */
function refuseUnprovenHost(
  { host, domain }: HopFacts,
  enforced: HopRequirement,
  mtaSts: MtaStsState,
): HopDecision {
  const text = `REQUIRETLS: neither DNSSEC nor an MTA-STS policy proves that ${host} is a mail server of ${domain}`
  const isTemporary = mtaSts.kind === 'None' && mtaSts.fault !== null
  return {
    kind: 'Refuse',
    outcome: isTemporary ? 'TlsNotMet' : 'PermanentFailure',
    enforced: { ...enforced, level: 'DomainValidation', source: 'RequireTls', names: [host] },
    fault: {
      reply: isTemporary ? reply(451, '4.7.10', text) : reply(550, '5.7.10', text),
      result: 'validation-failure',
    },
  }
}
