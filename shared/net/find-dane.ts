/**
 * A host's TLSA records, and for which names they hold (RFC 7672 §2.2). The attack: whoever is on the way hides the
 * records, so that the mail goes as before DANE. The defence: where the host's addresses are proven, so must be that
 * it has no TLSA records; without an answer the host counts as unreachable. The limit: where the addresses are not
 * signed nothing is asked, since name servers of unsigned zones may choke on the question, and an answer would prove
 * nothing.
 */
import type { Reply } from '../contract/message.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { reply } from '../mail/reply.ts'
import type { Dane } from '../policy/transport-security.ts'
import type { DnsAnswer, Resolver } from './resolver.ts'

export interface AddressedHost {
  host: string
  port: number
  /** Whether DNSSEC proves its addresses, and all aliases that lead to them. */
  secure: boolean
  /** Whose the addresses are: the host's own name, or what it is an alias of. */
  expanded: string
  /** The names of the domain whose mail it takes by MX; empty for a host that was not found so. */
  standsFor: readonly string[]
}

export const noDane: Dane = { kind: 'None' }

/** Characters of a name (RFC 1035 §2.3.4). */
const longestName = 253

export async function findDane(found: AddressedHost, resolver: Resolver): Promise<Dane> {
  const { host, port, standsFor } = found
  const bases = await baseDomains(found, resolver)
  if ('kind' in bases) return bases
  for (const baseDomain of bases) {
    const name = `_${port}._tcp.${baseDomain}`
    if (name.length > longestName) continue
    const answer = await resolver.ask(name, 'TLSA')
    if (answer.kind === 'Failed') return failed(`TLSA records of ${baseDomain}`, answer)
    if (answer.kind === 'Found' && answer.secure) {
      const names = referenceNames(baseDomain, standsFor.length > 0 ? standsFor : [host])
      return { kind: 'Records', baseDomain, names, records: answer.records }
    }
  }
  return noDane
}

/**
 * RFC 7672 §2.2.2, §2.2.3: with aliases that are proven to the end, what they lead to comes first; with a first one that
 * is proven and others that are not, only the host's own name counts.
 */
async function baseDomains(
  { host, secure, expanded }: AddressedHost,
  resolver: Resolver,
): Promise<readonly string[] | Dane> {
  if (expanded === host) return secure ? [host] : []
  if (secure) return unique([expanded, host])
  const alias = await resolver.ask(host, 'CNAME')
  if (alias.kind === 'Failed') return failed(`alias ${host}`, alias)
  return alias.kind === 'Found' && alias.secure ? [host] : []
}

/** RFC 7672 §3.2.2. */
const referenceNames = (baseDomain: string, others: readonly string[]) => unique([baseDomain, ...others])

/** In comparable form; what is no host name can be asked for and certified by nobody. */
const unique = (names: readonly string[]): string[] => [
  ...new Set(names.map(normaliseDomain).filter((name) => name !== null)),
]

type Failure = Extract<DnsAnswer<unknown>, { kind: 'Failed' }>

const failed = (what: string, failure: Failure): Dane => ({
  kind: 'Failed',
  reply: dnsFailed(what, failure),
  bogus: failure.bogus,
})

/** A deferral. */
export const dnsFailed = (what: string, { code, bogus }: Failure): Reply =>
  bogus
    ? reply(451, '7.324', `DNSSEC validation failed for the ${what}`)
    : reply(451, '4.312', `DNS failed for the ${what}: ${code}`)
