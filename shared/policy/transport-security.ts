/**
 * Decides the TLS requirement for a next hop. Precedence:
 *
 * 1. The connector's `tlsSettings`, if enforced. No policy of the recipient's domain weakens or replaces what was
 *    agreed.
 * 2. The host's TLSA records (DANE, RFC 7672), if DNSSEC proves them.
 * 3. The domain's MTA-STS policy (RFC 8461) in mode `enforce`. It precedes TLSA records of which none is usable: those
 *    require only encryption (RFC 7672 §2.2).
 * 4. Otherwise TLS is opportunistic.
 *
 * A sender's REQUIRETLS (RFC 8689) also requires that the next hop's name is authentic and verified. A sender's
 * `TLS-Required: No` disables 2 and 3, never 1. What is not in force is still checked and recorded: a disabled policy,
 * a connector in ReportOnly mode, a policy in mode `testing`.
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

/** What is known of a next hop before the connection. */
export interface HopFacts {
  /** The recipient's domain. */
  domain: string
  /** Host name, or IP address of a smart host. */
  host: string
  /** `Domain`: the domain itself, which has no MX records (RFC 5321 §5.1). */
  foundBy: 'Mx' | 'Domain' | 'SmartHost'
  /** Whether DNSSEC or the administrator proves that mail for the domain goes to this host. */
  authentic: boolean
  dane: Dane
}

export type Dane =
  /** Not queried, not signed, or proven not to exist. */
  | { kind: 'None' }
  /**
   * Proven by DNSSEC; some may be unusable. `baseDomain`: RFC 7672 §2.2.3. `names`: the base domain and the other
   * reference identifiers for the certificate (§3.2.2).
   */
  | { kind: 'Records'; baseDomain: string; names: readonly string[]; records: readonly TlsaRecord[] }
  /** The lookup failed or the records are bogus: the host counts as unreachable (RFC 7672 §2.1.1). */
  | { kind: 'Failed'; reply: Reply; bogus: boolean }

export interface MtaStsPolicy {
  id: string
  mode: 'enforce' | 'testing' | 'none'
  /** Patterns of host names in lower case; `*.` stands for one label (RFC 8461 §4.1). */
  mx: readonly string[]
  /** Seconds. */
  maxAge: number
}

export type MtaSts =
  /** No policy is in force. `fault`: one is announced, but the fetch failed. */
  | { kind: 'None'; fault: { result: TlsResult; detail: string } | null }
  /** `fault`: the check for a newer policy failed. */
  | { kind: 'Policy'; policy: MtaStsPolicy; fault?: { result: TlsResult; detail: string } | null }
  /** The cached policy cannot be read. */
  | { kind: 'Unknown'; fault?: null }

export const noMtaSts: MtaSts = { kind: 'None', fault: null }

export interface SenderWish {
  /** REQUIRETLS parameter of MAIL FROM. */
  requireTls: boolean
  /** Header field `TLS-Required: No`, ignored with REQUIRETLS (RFC 8689 §4.1). */
  tlsRequiredNo: boolean
  /** The reverse path is empty. REQUIRETLS alone must not lose a DSN (RFC 8689 §5). */
  isNotification: boolean
}

export type HopDecision =
  /** The message is sent only if `enforced` is met; the other requirements are checked and recorded. */
  | { kind: 'Try'; enforced: HopRequirement; trials: readonly ReportOnlyRequirement[] }
  /** Nothing is sent to this host. */
  | {
      kind: 'Refuse'
      outcome: 'TlsNotMet' | 'TemporaryFailure' | 'PermanentFailure'
      enforced: HopRequirement
      fault: TlsFault
    }

export function decideHop(tls: TlsRequirement, wish: SenderWish, hop: HopFacts, mtaSts: MtaSts): HopDecision {
  const decision = inForce(tls, ofConnector(tls), ofDomain(tls, hop, mtaSts), wish)
  return wish.requireTls && decision.kind === 'Try'
    ? withRequireTls(decision, tls, wish, hop, mtaSts)
    : decision
}

/** The server name to send (RFC 6066 §3): the TLSA base domain (RFC 7672 §8.1), otherwise the host's. */
export function serverNameFor({ host, dane }: HopFacts): string {
  return dane.kind === 'Records' ? dane.baseDomain : host
}

/** Whether DANE and MTA-STS can affect the decision; if not, no lookup is needed. */
export function heedsPublished(tls: TlsRequirement, wish: SenderWish): { dane: boolean; mtaSts: boolean } {
  const open = !isEnforced(tls) || wish.requireTls
  return {
    dane: open && tls.smtpDaneMode === 'Opportunistic',
    mtaSts: open && (tls.mtaStsMode === 'Opportunistic' || wish.requireTls),
  }
}

export const isEnforced = ({ level, mode }: Pick<TlsRequirement, 'level' | 'mode'>): boolean =>
  level !== 'Opportunistic' && mode === 'Enforce'

function ofConnector(tls: TlsRequirement): HopRequirement {
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

/** The policies of the recipient's domain, as far as the connector allows them. */
type Published =
  | { kind: 'Nothing'; trials: ReportOnlyRequirement[] }
  | { kind: 'Requirement'; requirement: HopRequirement; trials: ReportOnlyRequirement[] }
  | {
      kind: 'Refused'
      outcome: 'TlsNotMet' | 'TemporaryFailure'
      requirement: HopRequirement
      fault: TlsFault
    }

function ofDomain(tls: TlsRequirement, hop: HopFacts, mtaSts: MtaSts): Published {
  const sts = tls.mtaStsMode === 'None' ? noPolicy : ofMtaSts(hop, mtaSts)
  if (tls.smtpDaneMode === 'None' || hop.dane.kind === 'None') return sts
  if (hop.dane.kind === 'Failed') return danesFailure(hop.dane)
  const dane = usableRecords(tls, hop)
  if (dane !== null) return demand({ ...opportunistic, ...dane, source: 'Dane' })
  return sts.kind === 'Nothing'
    ? { ...demand({ ...opportunistic, level: 'EncryptionOnly', source: 'Dane' }), trials: sts.trials }
    : sts
}

function usableRecords(
  { smtpDaneMode }: TlsRequirement,
  { dane }: HopFacts,
): Pick<HopRequirement, 'level' | 'names' | 'tlsa'> | null {
  if (smtpDaneMode === 'None' || dane.kind !== 'Records') return null
  const tlsa = dane.records.filter(isUsable)
  return tlsa.length > 0 ? { level: 'Dane', names: dane.names, tlsa } : null
}

const noPolicy: Published = { kind: 'Nothing', trials: [] }

const demand = (requirement: HopRequirement) => ({ kind: 'Requirement' as const, requirement, trials: [] })

function danesFailure({ reply, bogus }: Extract<Dane, { kind: 'Failed' }>): Published {
  return {
    kind: 'Refused',
    outcome: bogus ? 'TlsNotMet' : 'TemporaryFailure',
    requirement: { ...opportunistic, level: 'Dane', source: 'Dane' },
    fault: { reply, result: 'dnssec-invalid' },
  }
}

function ofMtaSts(hop: HopFacts, mtaSts: MtaSts): Published {
  if (hop.foundBy === 'SmartHost' || mtaSts.kind === 'None') return noPolicy
  const requirement: HopRequirement = {
    ...opportunistic,
    level: 'DomainValidation',
    source: 'MtaSts',
    names: [hop.host],
  }
  if (mtaSts.kind === 'Unknown')
    return { kind: 'Refused', outcome: 'TemporaryFailure', requirement, fault: unreadable(hop) }
  if (mtaSts.policy.mode === 'none') return noPolicy
  const fault = isListed(hop.host, mtaSts.policy) ? null : notListed(hop)
  if (mtaSts.policy.mode === 'testing') return { kind: 'Nothing', trials: [{ requirement, fault }] }
  return fault ? { kind: 'Refused', outcome: 'TlsNotMet', requirement, fault } : demand(requirement)
}

/** RFC 8461 §4.1. */
export function isListed(host: string, { mx }: Pick<MtaStsPolicy, 'mx'>): boolean {
  return mx.some((pattern) =>
    pattern.startsWith('*.') ? host.slice(host.indexOf('.')) === pattern.slice(1) : host === pattern,
  )
}

/** A cached policy may be in force although the domain announces none now. So nothing is sent as if there were none. */
const unreadable = ({ domain }: HopFacts): TlsFault => ({
  reply: reply(451, '3.0', `The cached MTA-STS policy of ${domain}, if any, cannot be read now`),
  result: 'sts-policy-fetch-error',
})

function notListed({ host, domain }: HopFacts): TlsFault {
  return {
    reply: reply(
      451,
      '4.8',
      `${host} is not among the mail servers that the MTA-STS policy of ${domain} lists`,
    ),
    result: 'validation-failure',
  }
}

function inForce(
  tls: TlsRequirement,
  own: HopRequirement,
  published: Published,
  wish: SenderWish,
): HopDecision {
  if (isEnforced(tls)) return { kind: 'Try', enforced: own, trials: [] }
  // REQUIRETLS uses the connector's trust anchors even where the connector requires nothing itself.
  const open = own.level === 'Opportunistic' ? own : opportunistic
  const trials: ReportOnlyRequirement[] =
    own.level === 'Opportunistic' ? [] : [{ requirement: own, fault: null }]
  if (wish.tlsRequiredNo && !wish.requireTls)
    return { kind: 'Try', enforced: open, trials: [...trials, ...watched(published)] }
  switch (published.kind) {
    case 'Nothing':
      return { kind: 'Try', enforced: open, trials: [...trials, ...published.trials] }
    case 'Requirement':
      return { kind: 'Try', enforced: published.requirement, trials: [...trials, ...published.trials] }
    case 'Refused':
      return {
        kind: 'Refuse',
        outcome: published.outcome,
        enforced: published.requirement,
        fault: published.fault,
      }
  }
}

/** What is not in force is only recorded. */
function watched(published: Published): ReportOnlyRequirement[] {
  switch (published.kind) {
    case 'Nothing':
      return published.trials
    case 'Requirement':
      return [{ requirement: published.requirement, fault: null }, ...published.trials]
    case 'Refused':
      return [{ requirement: published.requirement, fault: published.fault }]
  }
}

/** RFC 8689 §4.2.1. */
function withRequireTls(
  policy: { enforced: HopRequirement; trials: readonly ReportOnlyRequirement[] },
  tls: TlsRequirement,
  wish: SenderWish,
  hop: HopFacts,
  mtaSts: MtaSts,
): HopDecision {
  const { enforced, trials } = policy
  if (wish.isNotification)
    return forcesTls(enforced)
      ? { kind: 'Try', ...policy }
      : { kind: 'Try', enforced: { ...enforced, level: 'EncryptionOnly', source: 'RequireTls' }, trials }
  if (!hop.authentic && !isVouchedFor(hop, mtaSts)) return refuseUnproven(hop, enforced, mtaSts)
  if (enforced.level === 'Dane' || enforced.level === 'DomainValidation') return { kind: 'Try', ...policy }
  // A connector with EncryptionOnly does not say how to verify the host.
  const dane = enforced.level === 'EncryptionOnly' ? usableRecords(tls, hop) : null
  const verified: HopRequirement = {
    ...enforced,
    ...(dane ?? { level: 'DomainValidation', names: [hop.host] }),
    source: 'RequireTls',
  }
  return { kind: 'Try', enforced: verified, trials }
}

const isVouchedFor = ({ host }: HopFacts, mtaSts: MtaSts): boolean =>
  mtaSts.kind === 'Policy' && mtaSts.policy.mode !== 'none' && isListed(host, mtaSts.policy)

/**
 * An attacker that forges MX records could receive the mail over its own TLS. If the policy fetch failed, a later
 * attempt may succeed.
 */
function refuseUnproven({ host, domain }: HopFacts, enforced: HopRequirement, mtaSts: MtaSts): HopDecision {
  const why = `REQUIRETLS: neither DNSSEC nor an MTA-STS policy proves that ${host} is a mail server of ${domain}`
  const mayPass = mtaSts.kind === 'None' && mtaSts.fault !== null
  return {
    kind: 'Refuse',
    outcome: mayPass ? 'TlsNotMet' : 'PermanentFailure',
    enforced: { ...enforced, level: 'DomainValidation', source: 'RequireTls', names: [host] },
    fault: { reply: reply(mayPass ? 451 : 550, '7.10', why), result: 'validation-failure' },
  }
}
