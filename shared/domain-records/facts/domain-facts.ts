/** Gathers the records and the policy that DNS and the policy host publish for a domain. */
import type { DnsAnswer, MxRecord, Resolver } from '../../net/dns/answer.ts'
import { type FetchResult, fetchPolicy } from '../../net/mta-sts/fetch.ts'
import type { UntrustedRequestOptions } from '../../net/untrusted-request.ts'
import type { TlsaRecord } from '../../tls/requirement.ts'
import { tlsReportRecordName } from '../../tls-reports/report-destinations.ts'
import type { DnsOptions } from '../publication-plan.ts'
import { mtaStsRecordName, policyHostOf, tlsaName } from '../zone-records.ts'
import { type CaaFacts, searchCaa } from './caa-search.ts'
import { type DkimFacts, queryDkim } from './dkim-facts.ts'
import { type DmarcWalk, walkDmarcTree } from './dmarc-tree-walk.ts'
import { evaluateSpf, isSpf, type SpfResult } from './spf-evaluation.ts'

export interface HostFacts {
  host: string
  a: DnsAnswer<string>
  aaaa: DnsAnswer<string>
  tlsa: DnsAnswer<TlsaRecord>
}

export interface DomainFacts {
  mx: DnsAnswer<MxRecord>
  /** TXT records of the domain itself. */
  txt: DnsAnswer<string>
  mtaStsRecord: DnsAnswer<string>
  tlsRpt: DnsAnswer<string>
  policy: FetchResult
  /** A and AAAA answers for the policy host. */
  policyHost: readonly DnsAnswer<string>[]
  hosts: readonly HostFacts[]
  /** CAA records for each host and for the policy host. */
  caa: readonly CaaFacts[]
  dmarc: DmarcWalk
  dkim: DkimFacts
  /** SPF results of each sender in the plan; empty unless there is exactly one SPF record. */
  spfResults: readonly SpfResult[]
  /**
   * Whether the resolver sets the AD bit for a zone that is known to be signed, or for the MX records of the domain. Null:
   * it answered neither query.
   */
  isResolverValidating: boolean | null
}

/** This zone has been signed since 2010, and its answer is short. */
const signedZone = 'arpa'

/** Never throws. @param network the resolver of all queries, and how the policy is fetched */
export async function gatherDomainFacts(
  { domain, hosts, egress, dkimSelectors }: DnsOptions,
  network: UntrustedRequestOptions,
): Promise<DomainFacts> {
  const resolver = network.signal ? resolverUntil(network.signal, network.resolver) : network.resolver
  const policyHost = policyHostOf(domain)
  const txtAnswer = resolver.query(domain, 'TXT')
  const [mx, txt, mtaStsRecord, tlsRpt, policy, a, aaaa, signed, caa, dmarc, dkim, spfResults, ...hostFacts] =
    await Promise.all([
      resolver.query(domain, 'MX'),
      txtAnswer,
      resolver.query(mtaStsRecordName(domain), 'TXT'),
      resolver.query(tlsReportRecordName(domain), 'TXT'),
      fetchPolicy(domain, { ...network, resolver }),
      resolver.query(policyHost, 'A'),
      resolver.query(policyHost, 'AAAA'),
      resolver.query(signedZone, 'TXT'),
      searchCaa([...hosts, policyHost], resolver),
      walkDmarcTree(domain, resolver),
      queryDkim(domain, dkimSelectors, resolver),
      txtAnswer.then((txt) => (hasOneSpf(txt) ? evaluateSpf(domain, egress, resolver) : [])),
      ...hosts.map((host) => hostFactsOf(host, resolver)),
    ])
  return {
    mx,
    txt,
    mtaStsRecord,
    tlsRpt,
    policy,
    policyHost: [a, aaaa],
    hosts: hostFacts,
    caa,
    dmarc,
    dkim,
    spfResults,
    isResolverValidating: setsSecureBit([signed, mx]),
  }
}

function setsSecureBit(answers: readonly DnsAnswer<unknown>[]): boolean | null {
  const answered = answers.filter((answer) => answer.kind !== 'Failed')
  return answered.length === 0 ? null : answered.some(({ secure }) => secure)
}

/** Ends each query with the signal, too. */
const resolverUntil = (signal: AbortSignal, resolver: Resolver): Resolver => ({
  query: (name, type, own) =>
    resolver.query(name, type, own === undefined ? signal : AbortSignal.any([own, signal])),
})

const hasOneSpf = (txt: DnsAnswer<string>): boolean =>
  txt.kind === 'Found' && txt.records.filter(isSpf).length === 1

async function hostFactsOf(host: string, resolver: Resolver): Promise<HostFacts> {
  const [a, aaaa, tlsa] = await Promise.all([
    resolver.query(host, 'A'),
    resolver.query(host, 'AAAA'),
    resolver.query(tlsaName(host), 'TLSA'),
  ])
  return { host, a, aaaa, tlsa }
}
