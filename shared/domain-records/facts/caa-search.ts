/** Finds the CAA records that apply to a name, as a CA does before it issues a certificate (RFC 8659 §3). */
import type { CaaRecord, DnsAnswer, Resolver } from '../../net/dns/answer.ts'

type FailedAnswer = Extract<DnsAnswer<CaaRecord>, { kind: 'Failed' }>

export type CaaFacts = { host: string } & (
  | {
      kind: 'Found'
      /** The name that owns the records: the host, a parent, or the end of an alias chain. */
      owner: string
      records: readonly CaaRecord[]
    }
  | { kind: 'NoRecords' }
  | FailedAnswer
)

/** Returns the records for each host. Queries each name once. Never throws. */
export async function searchCaa(hosts: readonly string[], resolver: Resolver): Promise<CaaFacts[]> {
  const answers = new Map<string, Promise<DnsAnswer<CaaRecord>>>()
  const query = (name: string) => {
    const answer = answers.get(name) ?? resolver.query(name, 'CAA')
    answers.set(name, answer)
    return answer
  }
  return Promise.all(hosts.map((host) => searchUpwards(host, query)))
}

/** Climbs from the host to its top-level domain, and stops at the first records. */
async function searchUpwards(
  host: string,
  query: (name: string) => Promise<DnsAnswer<CaaRecord>>,
): Promise<CaaFacts> {
  const labels = host.split('.')
  for (let index = 0; index < labels.length; index += 1) {
    const answer = await query(labels.slice(index).join('.'))
    if (answer.kind === 'Found') return { kind: 'Found', host, owner: answer.name, records: answer.records }
    if (answer.kind === 'Failed') return { ...answer, host }
  }
  return { kind: 'NoRecords', host }
}
