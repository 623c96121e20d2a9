/**
 * The order of the connectors for one domain: the most specific pattern, then the most requirements, then the first
 * name. The order is deterministic.
 */
import type { InboundConnector, OutboundConnector } from '../connectors/schema.ts'
import type { RevocationCheck } from '../contract/revocation.ts'
import { domainMatchesPattern } from '../mail/domain.ts'

/**
 * The most specific of the patterns that match a domain.
 * @param domain null for a sender without a domain, which only `*` matches
 */
export function bestPattern(patterns: readonly string[], domain: string | null): string | null {
  let best: string | null = null
  for (const pattern of patterns) {
    const matches = domain === null ? pattern === '*' : domainMatchesPattern(domain, pattern)
    if (matches && (best === null || specificity(pattern) > specificity(best))) best = pattern
  }
  return best
}

/** Orders the patterns that match one domain: exact, then the longest wildcard, then `*`. */
export function specificity(pattern: string): number {
  if (pattern === '*') return 0
  return pattern.startsWith('*.') ? pattern.length : Number.POSITIVE_INFINITY
}

const revocationChecks: readonly RevocationCheck[] = ['None', 'SoftFail', 'HardFail']

/** From -1 to 1; 0 for the default. */
export const revocationRank = ({ revocationCheck }: Pick<InboundConnector, 'revocationCheck'>): number =>
  revocationChecks.indexOf(revocationCheck) - 1

/**
 * Weight of the revocation check. It is less than that of any requirement, so that the check decides only between
 * connectors with otherwise equal requirements.
 */
const tieBreakWeight = 1 / 4

const requiresCertificate = ({ connectorType, restrictDomainsToCertificate }: InboundConnector): boolean =>
  restrictDomainsToCertificate || connectorType === 'OnPremises'

/** The number of requirements for a sender, plus a fraction for the revocation check. The larger takes precedence. */
export function restrictionCount(connector: InboundConnector): number {
  return (
    restrictionFlags(connector) +
    (requiresCertificate(connector) ? revocationRank(connector) * tieBreakWeight : 0)
  )
}

/** A sum of numbers, because sorting many connectors spends most of its time here. */
const restrictionFlags = (connector: InboundConnector): number =>
  Number(connector.requireTls) +
  Number(connector.restrictDomainsToCertificate) +
  Number(connector.restrictDomainsToIpAddresses) +
  Number(connector.requireDmarc) +
  Number(connector.minimumTlsVersion === 'TLSv1.3') +
  Number(connector.restrictDomainsToCertificate && connector.requireClientAuthEku)

export function byRestrictionsThenName(first: InboundConnector, second: InboundConnector): number {
  return restrictionCount(second) - restrictionCount(first) || byName(first, second)
}

/** The values of `tlsSettings`, from the weakest to the strongest. */
export const tlsLevels: readonly OutboundConnector['tlsSettings'][] = [
  null,
  'EncryptionOnly',
  'CertificateValidation',
  'DomainValidation',
]

const mandatoryCount = ({ smtpDaneMode, mtaStsMode }: OutboundConnector): number =>
  Number(smtpDaneMode === 'Mandatory') + Number(mtaStsMode === 'Mandatory')

/** More than all of tlsSettings: a Mandatory mode also needs proof of which hosts belong to the domain. */
const mandatoryWeight = 8

/**
 * The strength of the requirements for a next hop. Of two connectors for the same pattern the stronger takes
 * precedence, so that a second connector never weakens the first.
 */
export function requirementStrength(connector: OutboundConnector): number {
  const { tlsSettings, minimumTlsVersion } = connector
  const level = tlsLevels.indexOf(tlsSettings)
  const session =
    level * 2 + Number(minimumTlsVersion === 'TLSv1.3') + mandatoryCount(connector) * mandatoryWeight
  return session + (level >= 2 ? revocationRank(connector) * tieBreakWeight : 0)
}

export function byStrengthThenName(first: OutboundConnector, second: OutboundConnector): number {
  return requirementStrength(second) - requirementStrength(first) || byName(first, second)
}

type NamedItem = { name: string; id: string }

/** The order of UTF-16 code units is the same everywhere, unlike a locale's order. */
export function byName(first: NamedItem, second: NamedItem): number {
  return compare(first.name, second.name) || compare(first.id, second.id)
}

const compare = (first: string, second: string): number => (first < second ? -1 : first > second ? 1 : 0)
