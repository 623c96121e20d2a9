/**
 * A host's TLSA records, and the names for which they hold (RFC 7672 §2.2). The attack: an attacker on the path hides
 * the records to disable DANE. The defence: where DNSSEC proves the host's addresses, it must also prove that TLSA
 * records do not exist; without a DNS answer the host counts as unreachable. The limit: for a host with unsigned
 * addresses no query is sent, since some name servers of unsigned zones fail on it, and the answer would prove nothing.
 */
import type { Reply } from '../contract/message.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { reply } from '../mail/reply.ts'
import type { DaneState } from '../policy/transport-security.ts'
import type { DnsAnswer, Resolver } from './resolver.ts'

export interface ResolvedHost {
  host: string
  port: number
  /** Whether DNSSEC proves its addresses and all aliases to them. */
  secure: boolean
  /** The owner name of the addresses: the host, or the last name of its alias chain. */
  canonicalName: string
  /** The names of the domains whose MX records name the host; empty for a host from another source. */
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
    const name = `_${port}._tcp.${baseDomain}`
    if (name.length > maxNameLength) continue
    const answer = await resolver.query(name, 'TLSA')
    if (answer.kind === 'Failed') return failedDane(`TLSA records of ${baseDomain}`, answer)
    if (answer.kind === 'Found' && answer.secure) {
      const names = referenceNames(baseDomain, mxDomains.length > 0 ? mxDomains : [host])
      return { kind: 'Records', baseDomain, names, records: answer.records }
    }
  }
  return noDane
}

/**
 * RFC 7672 §2.2.2, §2.2.3: when all aliases are proven, their target comes first. When only the first alias is proven,
 * only the host's own name counts.
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

/** RFC 7672 §3.2.2. */
const referenceNames = (baseDomain: string, otherNames: readonly string[]) =>
  uniqueNames([baseDomain, ...otherNames])

/** Drops what is no host name: it has no records and no certificate. */
const uniqueNames = (names: readonly string[]): string[] => [
  ...new Set(names.map(normaliseDomain).filter((name) => name !== null)),
]

type Failure = Extract<DnsAnswer<unknown>, { kind: 'Failed' }>

const failedDane = (what: string, failure: Failure): DaneState => ({
  kind: 'Failed',
  reply: dnsFailureReply(what, failure),
  bogus: failure.bogus,
})

/** A 4yz reply. */
export const dnsFailureReply = (what: string, { code, bogus }: Failure): Reply =>
  bogus
    ? reply(451, '4.7.324', `DNSSEC validation failed for the ${what}`)
    : reply(451, '4.4.312', `DNS failed for the ${what}: ${code}`)
