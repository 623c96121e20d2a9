/**
 * A host's TLSA records, and the names for which they hold (RFC 7672 §2.2). The attack: an attacker on the path hides
 * the records to disable DANE. The defence: where DNSSEC proves the host's addresses, TLSA records are queried. If they
 * are hidden, the query fails its DNSSEC validation or is not answered, and the host is treated as unreachable. Not
 * covered: a host with unsigned addresses. No TLSA query is sent for it, because some name servers of unsigned zones
 * fail on TLSA queries, and the answer would prove nothing.
 */
import { normaliseDomain } from '../mail/domain.ts'
import type { DaneState } from '../policy/hop-facts.ts'
import { type DnsFailure, dnsFailureReply } from './dns-failure.ts'
import type { Resolver } from './resolver.ts'

export interface ResolvedHost {
  host: string
  port: number
  /** Whether DNSSEC proves the host's IPv4 or IPv6 addresses, and all aliases to them. */
  secure: boolean
  /** The owner name of the addresses: the host, or the last name of its alias chain. */
  canonicalName: string
  /** The names of the domain whose MX records name the host; empty for a host from another source. */
  mxDomains: readonly string[]
}

export const noDane: DaneState = { kind: 'None' }

/** Characters of a domain name (RFC 1035 §2.3.4). */
const maxNameLength = 253

export async function findDane(resolvedHost: ResolvedHost, resolver: Resolver): Promise<DaneState> {
  const { host, port, mxDomains } = resolvedHost
  const bases = await findBaseDomains(resolvedHost, resolver)
  if ('kind' in bases) return bases
  for (const baseDomain of bases) {
    const tlsaName = `_${port}._tcp.${baseDomain}`
    if (tlsaName.length > maxNameLength) continue
    const answer = await resolver.query(tlsaName, 'TLSA')
    if (answer.kind === 'Failed') return failedDane(`TLSA records of ${baseDomain}`, answer)
    if (answer.kind === 'Found' && answer.secure) {
      const names = referenceNames(baseDomain, mxDomains.length > 0 ? mxDomains : [host])
      return { kind: 'Records', baseDomain, names, records: answer.records }
    }
  }
  return noDane
}

/**
 * RFC 7672 §2.2.2, §2.2.3: when all aliases are proven, their target comes first, then the host's own name. When only
 * the first alias is proven, only the host's own name is used; otherwise no name.
 */
async function findBaseDomains(
  { host, secure, canonicalName }: ResolvedHost,
  resolver: Resolver,
): Promise<readonly string[] | DaneState> {
  if (canonicalName === host) return secure ? [host] : []
  if (secure) return uniqueNames([canonicalName, host])
  const alias = await resolver.query(host, 'CNAME')
  if (alias.kind === 'Failed') return failedDane(`alias ${host}`, alias)
  return alias.kind === 'Found' && alias.secure ? [host] : []
}

/** The names for which the host's certificate may be issued (RFC 7672 §3.2.2). */
const referenceNames = (baseDomain: string, otherNames: readonly string[]) =>
  uniqueNames([baseDomain, ...otherNames])

/** Drops names that are not host names: they have no records and no certificates. */
const uniqueNames = (names: readonly string[]): string[] => [
  ...new Set(names.map(normaliseDomain).filter((name) => name !== null)),
]

const failedDane = (subject: string, failure: DnsFailure): DaneState => ({
  kind: 'Failed',
  reply: dnsFailureReply(subject, failure),
  bogus: failure.bogus,
})
