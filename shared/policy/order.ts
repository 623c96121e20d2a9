/**
 * The order of connectors that are for one domain: the most specific pattern first, then what demands more, then the
 * first name. The same ones always come in the same order.
 */
import type { InboundConnector, OutboundConnector } from '../connectors/schema.ts'
import type { RevocationCheck } from '../contract/revocation.ts'
import { domainMatchesPattern } from '../mail/domain.ts'

/**
 * The most specific of the patterns that match a domain.
 * @param domain null for what belongs to no domain, which only `*` matches
 */
export function bestPattern(patterns: readonly string[], domain: string | null): string | null {
  let best: string | null = null
  for (const pattern of patterns) {
    const matches = domain === null ? pattern === '*' : domainMatchesPattern(domain, pattern)
    if (matches && (best === null || specificity(pattern) > specificity(best))) best = pattern
  }
  return best
}

/** Orders the patterns that match one domain: exact, then wildcards by their length, then `*`. */
export function specificity(pattern: string): number {
  if (pattern === '*') return 0
  return pattern.startsWith('*.') ? pattern.length : Number.POSITIVE_INFINITY
}

const checks: readonly RevocationCheck[] = ['None', 'SoftFail', 'HardFail']

/** Beside the usual one, -1 to 1. */
export const revocationRank = ({ revocationCheck }: Pick<InboundConnector, 'revocationCheck'>): number =>
  checks.indexOf(revocationCheck) - 1

/** Less than any other demand: it decides between equals. */
const lesser = 1 / 4

const asksForCertificate = ({ connectorType, restrictDomainsToCertificate }: InboundConnector): boolean =>
  restrictDomainsToCertificate || connectorType === 'OnPremises'

/** How much a connector asks of a sender: more comes first. */
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

/** How much a connector asks of a next hop: more comes first, so that a second connector never undoes the first. */
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

/** Code point order, not the locale's: the same everywhere. */
export function byName(one: Named, other: Named): number {
  return compare(one.name, other.name) || compare(one.id, other.id)
}

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
