/** The TLS requirement that the recipient's domain publishes: by TLSA records (RFC 7672) or MTA-STS (RFC 8461). */
import type { TlsRequirement } from '../contract/jobs.ts'
import { reply } from '../mail/reply.ts'
import { isUsable } from '../tls/dane.ts'
import {
  type HopRequirement,
  opportunistic,
  type ReportOnlyRequirement,
  type TlsFault,
} from '../tls/requirement.ts'
import type { DaneState, HopFacts, MtaStsPolicy, MtaStsState } from './hop-facts.ts'

/** `Nothing`: no policy requires anything. `Refused`: the host cannot be used now. */
export type PublishedRequirement =
  | { kind: 'Nothing'; reportOnlyRequirements: ReportOnlyRequirement[] }
  | { kind: 'Requirement'; requirement: HopRequirement; reportOnlyRequirements: ReportOnlyRequirement[] }
  | {
      kind: 'Refused'
      outcome: 'TlsNotMet' | 'TemporaryFailure'
      requirement: HopRequirement
      fault: TlsFault
    }

/** Uses only the policies that the connector allows. */
export function publishedRequirement(
  tls: TlsRequirement,
  hop: HopFacts,
  mtaSts: MtaStsState,
): PublishedRequirement {
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

/** Returns what usable TLSA records require; null without such records. */
export function usableRecords(
  { smtpDaneMode }: TlsRequirement,
  { dane }: HopFacts,
): Pick<HopRequirement, 'level' | 'names' | 'tlsa'> | null {
  if (smtpDaneMode === 'None' || dane.kind !== 'Records') return null
  const tlsa = dane.records.filter(isUsable)
  return tlsa.length > 0 ? { level: 'Dane', names: dane.names, tlsa } : null
}

const noPolicy: PublishedRequirement = { kind: 'Nothing', reportOnlyRequirements: [] }

export const requirementOnly = (requirement: HopRequirement) => ({
  kind: 'Requirement' as const,
  requirement,
  reportOnlyRequirements: [],
})

export function daneFailure({
  reply,
  bogus,
}: Extract<DaneState, { kind: 'Failed' }>): Extract<PublishedRequirement, { kind: 'Refused' }> {
  return {
    kind: 'Refused',
    outcome: bogus ? 'TlsNotMet' : 'TemporaryFailure',
    requirement: { ...opportunistic, level: 'Dane', source: 'Dane' },
    fault: { reply, result: 'dnssec-invalid' },
  }
}

export function mtaStsRequirement(hop: HopFacts, mtaSts: MtaStsState): PublishedRequirement {
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

/** RFC 8461 §4.1: `*.` stands for exactly one label. */
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
