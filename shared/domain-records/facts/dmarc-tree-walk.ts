/** Queries DMARC records from a domain up to its top-level domain, as receivers do (RFC 9989 §4.10). */
import type { DnsAnswer, Resolver } from '../../net/dns/answer.ts'
import { dmarcName } from '../zone-records.ts'

export interface DmarcAnswer {
  /** The domain without `_dmarc`. */
  domain: string
  answer: DnsAnswer<string>
}

/** The answer for the domain, then those for its parents, longest name first. */
export type DmarcWalk = readonly [DmarcAnswer, ...DmarcAnswer[]]

/** A longer name is shortened to this many labels at once, so there are at most eight queries. */
const maxParentLabels = 7

export function treeWalkParents(domain: string): string[] {
  const labels = domain.split('.')
  const parents = labels.slice(Math.max(1, labels.length - maxParentLabels))
  return parents.map((_, index) => parents.slice(index).join('.'))
}

/** Never throws. */
export function walkDmarcTree(domain: string, resolver: Resolver): Promise<DmarcWalk> {
  const query = async (each: string) => ({
    domain: each,
    answer: await resolver.query(dmarcName(each), 'TXT'),
  })
  return Promise.all([query(domain), ...treeWalkParents(domain).map(query)])
}
