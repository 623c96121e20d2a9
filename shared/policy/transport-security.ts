/**
 * Decides the TLS requirement for a next hop. Precedence:
 *
 * 1. The connector's `tlsSettings` and Mandatory modes, if enforced. Each of them must be met. No policy of the
 *    recipient's domain weakens or replaces them. Without `tlsSettings`, 2 and 3 are enforced beside a Mandatory mode.
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
import { reply } from '../mail/reply.ts'
import {
  forcesTls,
  type HopRequirement,
  opportunistic,
  type ReportOnlyRequirement,
  requiresChain,
  type TlsFault,
} from '../tls/requirement.ts'
import type { HopFacts, MtaStsState, SenderRequest } from './hop-facts.ts'
import {
  hasMandatoryPolicy,
  mandatoryRequirements,
  mergeRequirements,
  type RequiredByConnector,
} from './mandatory-policies.ts'
import {
  isListed,
  type PublishedRequirement,
  publishedRequirement,
  requirementOnly,
  usableRecords,
} from './published-requirement.ts'

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
    [...ownRequirements(tls), ...mandatoryRequirements(tls, hop, mtaSts)],
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
  const { level, mode, smtpDaneMode, mtaStsMode } = tls
  const canApply = level === 'Opportunistic' || mode === 'ReportOnly' || senderRequest.requireTls
  return {
    dane: smtpDaneMode === 'Mandatory' || (canApply && smtpDaneMode === 'Opportunistic'),
    mtaSts:
      mtaStsMode === 'Mandatory' ||
      (canApply && (mtaStsMode === 'Opportunistic' || senderRequest.requireTls)),
  }
}

/** Whether the connector itself forces TLS. */
export const isEnforced = (
  tls: Pick<TlsRequirement, 'level' | 'mode' | 'smtpDaneMode' | 'mtaStsMode'>,
): boolean => tls.mode === 'Enforce' && (tls.level !== 'Opportunistic' || hasMandatoryPolicy(tls))

/** Whether the message does without the policies of the recipient's domain. REQUIRETLS takes precedence (RFC 8689 §4.1). */
export const isWaived = ({ tlsRequiredNo, requireTls }: SenderRequest): boolean =>
  tlsRequiredNo && !requireTls

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

const ownRequirements = (tls: TlsRequirement): RequiredByConnector[] =>
  tls.level === 'Opportunistic' ? [] : [requirementOnly(connectorRequirement(tls))]

/** @param required what the connector requires, in either mode */
function applyPrecedence(
  tls: TlsRequirement,
  required: readonly RequiredByConnector[],
  published: PublishedRequirement,
  senderRequest: SenderRequest,
): HopDecision {
  if (isEnforced(tls)) {
    // Without tlsSettings, the domain's other policies still apply: MTA-STS must not override DANE (RFC 8461 §2).
    const isAdded = tls.level === 'Opportunistic' && !isWaived(senderRequest) && published.kind !== 'Nothing'
    return enforceAll(isAdded ? [...required, published] : required)
  }
  // REQUIRETLS uses the connector's trust anchors even where the connector requires nothing itself.
  const fallback = tls.level === 'Opportunistic' ? connectorRequirement(tls) : opportunistic
  const reportOnlyRequirements = asReportOnlyRequirement(required)
  if (isWaived(senderRequest))
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

function enforceAll(required: readonly RequiredByConnector[]): HopDecision {
  const refused = selectRefusal(required)
  if (refused !== undefined)
    return {
      kind: 'Refuse',
      outcome: refused.outcome,
      enforced: refused.requirement,
      fault: refused.fault,
    }
  const enforced = mergeRequirements(required.map(({ requirement }) => requirement))
  return { kind: 'Try', enforced, reportOnlyRequirements: [] }
}

/** An unmet requirement comes before a temporary failure, because an administrator must act on it. */
function selectRefusal(required: readonly RequiredByConnector[]) {
  const refusals = required.filter((each) => each.kind === 'Refused')
  return refusals.find(({ outcome }) => outcome === 'TlsNotMet') ?? refusals[0]
}

/** The first is the requirement whose level the trace shows. */
function asReportOnlyRequirement(required: readonly RequiredByConnector[]): ReportOnlyRequirement[] {
  if (required.length === 0) return []
  const requirement = mergeRequirements(required.map((each) => each.requirement))
  return [{ requirement, fault: selectRefusal(required)?.fault ?? null }]
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
