/** Queries the DKIM keys of selectors, or, without selectors, whether any key exists. */
import type { DnsAnswer, Resolver } from '../../net/dns/answer.ts'
import { dkimKeyName, domainKeysName } from '../zone-records.ts'

export type DkimFacts =
  | { kind: 'Keys'; keys: readonly { selector: string; answer: DnsAnswer<string> }[] }
  | {
      kind: 'Existence'
      /** For the name above all selectors. DNS cannot list the selectors. */
      domainKeys: DnsAnswer<string>
      /** For a name that exists only if a wildcard, or a server that denies no name, answers for every name. */
      missingName: DnsAnswer<string>
    }

const missingLabel = '_mailflow-absent'

/** Never throws. */
export async function queryDkim(
  domain: string,
  selectors: readonly string[],
  resolver: Resolver,
): Promise<DkimFacts> {
  if (selectors.length === 0) {
    const [domainKeys, missingName] = await Promise.all([
      resolver.query(domainKeysName(domain), 'TXT'),
      resolver.query(`${missingLabel}.${domain}`, 'TXT'),
    ])
    return { kind: 'Existence', domainKeys, missingName }
  }
  const keys = selectors.map(async (selector) => ({
    selector,
    answer: await resolver.query(dkimKeyName(selector, domain), 'TXT'),
  }))
  return { kind: 'Keys', keys: await Promise.all(keys) }
}
