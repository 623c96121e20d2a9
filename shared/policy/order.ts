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

const checks: readonly RevocationCheck[] = ['None', 'SoftFail', 'HardFail']

/** -1 to 1; 0 is the default. */
export const revocationRank = ({ revocationCheck }: Pick<InboundConnector, 'revocationCheck'>): number =>
  checks.indexOf(revocationCheck) - 1

/** Less than any requirement, so that it only decides between equals. */
const lesser = 1 / 4

const asksForCertificate = ({ connectorType, restrictDomainsToCertificate }: InboundConnector): boolean =>
  restrictDomainsToCertificate || connectorType === 'OnPremises'

/** The number of requirements for a sender; more comes first. */
export function restrictions(connector: InboundConnector): number {
  return flags(connector) + (asksForCertificate(connector) ? revocationRank(connector) * lesser : 0)
}

function flags(connector: InboundConnector): number {
  return [
    connector.requireTls,
    connector.restrictDomainsToCertificate,
    connector.restrictDomainsToIpAddresses,
    connector.minimumTlsVersion === 'TLSv1.3',
    connector.restrictDomainsToCertificate && connector.requireClientAuthEku,
  ].filter(Boolean).length
}

export function byRestrictionsThenName(one: InboundConnector, other: InboundConnector): number {
  return restrictions(other) - restrictions(one) || byName(one, other)
}

const levels = [null, 'EncryptionOnly', 'CertificateValidation', 'DomainValidation']

/**
 * The strength of the requirements for a next hop. More comes first, so that a second connector never weakens the
 * first.
 */
export function demand(connector: OutboundConnector): number {
  const { tlsSettings, minimumTlsVersion } = connector
  const level = levels.indexOf(tlsSettings)
  const session = level * 2 + Number(minimumTlsVersion === 'TLSv1.3')
  return session + (level >= 2 ? revocationRank(connector) * lesser : 0)
}

export function byDemandThenName(one: OutboundConnector, other: OutboundConnector): number {
  return demand(other) - demand(one) || byName(one, other)
}

type Named = { name: string; id: string }

/** Code point order is the same everywhere, unlike a locale's. */
export function byName(one: Named, other: Named): number {
  return compare(one.name, other.name) || compare(one.id, other.id)
}

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
