/**
 * The requirements of `smtpDaneMode` and `mtaStsMode` with the value Mandatory. The attack: an attacker hides the TLSA
 * records or the MTA-STS policy of a partner that is known to publish them, and mail leaves as if there were none. The
 * defence: without a usable policy the message is not sent to the host and waits (RFC 7672 §6). Not covered: an attacker
 * with the keys of the zone, or with a certificate for the policy host.
 */
import type { OutboundConnectorInput } from '../connectors/schema.ts'
import type { TlsRequirement } from '../contract/jobs.ts'
import type { TlsLevel } from '../contract/message.ts'
import type { TlsResult } from '../contract/tls-result.ts'
import { reply } from '../mail/reply.ts'
import { isUsable } from '../tls/dane.ts'
import { type HopRequirement, opportunistic, requiresChain } from '../tls/requirement.ts'
import type { HopFacts, MtaStsState } from './hop-facts.ts'
import {
  daneFailure,
  mtaStsRequirement,
  type PublishedRequirement,
  requirementOnly,
} from './published-requirement.ts'

type PolicyModes = Pick<TlsRequirement, 'smtpDaneMode' | 'mtaStsMode'>

/** A requirement of the connector, or why the host cannot meet it. */
export type RequiredByConnector = Exclude<PublishedRequirement, { kind: 'Nothing' }>

export const hasMandatoryPolicy = ({ smtpDaneMode, mtaStsMode }: PolicyModes): boolean =>
  smtpDaneMode === 'Mandatory' || mtaStsMode === 'Mandatory'

/** Whether a connector requires TLS. Its `mode` decides whether the requirement is enforced or only reported. */
export const requiresNextHopTls = (
  connector: PolicyModes & Pick<OutboundConnectorInput, 'tlsSettings'>,
): boolean => connector.tlsSettings !== null || hasMandatoryPolicy(connector)

/** The level that a connector requires before the next hop is known. */
export function requiredLevel({
  level,
  smtpDaneMode,
  mtaStsMode,
}: PolicyModes & Pick<TlsRequirement, 'level'>): TlsLevel {
  if (level !== 'Opportunistic') return level
  if (smtpDaneMode === 'Mandatory') return 'Dane'
  return mtaStsMode === 'Mandatory' ? 'DomainValidation' : 'Opportunistic'
}

/** Each Mandatory mode requires its own policy. One does not replace the other. */
export function mandatoryRequirements(
  { smtpDaneMode, mtaStsMode }: PolicyModes,
  hop: HopFacts,
  mtaSts: MtaStsState,
): RequiredByConnector[] {
  return [
    ...(smtpDaneMode === 'Mandatory' ? [mandatoryDane(hop)] : []),
    ...(mtaStsMode === 'Mandatory' ? [mandatoryMtaSts(hop, mtaSts)] : []),
  ]
}

/** RFC 7672 §2.2.1: DNSSEC must prove the MX records too, because a forged one names another host. */
function mandatoryDane(hop: HopFacts): RequiredByConnector {
  const { host, domain, authentic, dane } = hop
  if (dane.kind === 'Failed') return daneFailure(dane)
  const refused = (enhanced: string, result: TlsResult, text: string) =>
    refusedBy({ level: 'Dane', names: [host] }, enhanced, result, `smtpDaneMode is Mandatory, but ${text}`)
  if (!authentic)
    return refused(
      '4.7.324',
      'dane-required',
      `DNSSEC does not prove that ${host} is a mail server of ${domain}`,
    )
  if (dane.kind === 'None')
    return refused('4.7.323', 'dane-required', `${host} has no TLSA records that DNSSEC proves`)
  const tlsa = dane.records.filter(isUsable)
  return tlsa.length > 0
    ? requirementOnly({ ...opportunistic, level: 'Dane', source: 'Dane', names: dane.names, tlsa })
    : refused('4.7.323', 'tlsa-invalid', `none of the TLSA records of ${dane.baseDomain} is usable`)
}

/**
 * RFC 8460 §4.3 has no result for a domain without a policy, because such a domain has published nothing wrong. So the
 * result is `validation-failure`, unless the policy is announced and its fetch failed.
 */
function mandatoryMtaSts(hop: HopFacts, mtaSts: MtaStsState): RequiredByConnector {
  const result = mtaStsRequirement(hop, mtaSts)
  if (result.kind !== 'Nothing') return result
  return refusedBy(
    { level: 'DomainValidation', names: [hop.host] },
    '4.4.8',
    (mtaSts.kind === 'None' && mtaSts.fault?.result) || 'validation-failure',
    `mtaStsMode is Mandatory, but ${missingPolicyText(hop, mtaSts)}`,
  )
}

function missingPolicyText({ host, domain, foundBy }: HopFacts, mtaSts: MtaStsState): string {
  if (foundBy === 'SmartHost') return `no MTA-STS policy applies to the smart host ${host}`
  if (mtaSts.kind === 'Policy')
    return `the MTA-STS policy of ${domain} is in mode ${mtaSts.policy.mode}, not enforce`
  return mtaSts.kind === 'None' && mtaSts.fault !== null
    ? `the MTA-STS policy of ${domain} could not be fetched (${mtaSts.fault.result})`
    : `${domain} publishes no MTA-STS policy`
}

/** The source is the connector: the domain did not publish what the connector requires. */
const refusedBy = (
  requirement: Pick<HopRequirement, 'level' | 'names'>,
  enhanced: string,
  result: TlsResult,
  text: string,
): RequiredByConnector => ({
  kind: 'Refused',
  outcome: 'TlsNotMet',
  requirement: { ...opportunistic, ...requirement, source: 'Connector' },
  fault: { reply: reply(451, enhanced, text), result },
})

/**
 * Merges requirements that must all be met in one session. The handshake verifies the chain for one of them, and
 * `additional` holds the others: MTA-STS comes first, because it needs the public roots, and assess-server-tls.ts can
 * verify the connector's own authorities afterwards.
 */
export function mergeRequirements(requirements: readonly HopRequirement[]): HopRequirement {
  const distinct = [...new Map(requirements.map((each) => [`${each.source} ${each.level}`, each])).values()]
  const ordered = distinct.sort((one, other) => verificationOrder(one) - verificationOrder(other))
  const [first = opportunistic, ...others] = ordered
  if (others.length === 0) return first
  const needsNewest = ordered.some(({ minimumTlsVersion }) => minimumTlsVersion === 'TLSv1.3')
  const { revocationCheck } = ordered.find(requiresRevocationCheck) ?? first
  // The others imply it: every verified session is encrypted.
  const additional = others.filter(({ level }) => level !== 'EncryptionOnly')
  return {
    ...first,
    minimumTlsVersion: needsNewest ? 'TLSv1.3' : 'TLSv1.2',
    revocationCheck,
    ...(additional.length > 0 && { additional }),
  }
}

const requiresRevocationCheck = ({ revocationCheck }: HopRequirement): boolean => revocationCheck !== 'None'

function verificationOrder(requirement: HopRequirement): number {
  if (requirement.source === 'MtaSts') return 0
  if (requiresChain(requirement)) return 1
  return requirement.level === 'Dane' ? 2 : 3
}
