/**
 * Remembers queries that failed slowly, and answers them with the same failure for a while. RFC 9520 §3.2 requires such
 * a cache of resolvers, for one second to five minutes. The attack: many messages name a domain whose name servers do
 * not answer, and each occupies a worker until its queries time out. The defence: only the first message waits. The
 * cache holds exact names, so that a sender cannot make the gateway skip other names below the domain of a victim. Not
 * covered: many names. The fair queue bounds those of one client.
 */
import { RecentMap } from '../../shared/limits/recent-map.ts'
import type { DnsAnswer, RecordData, RecordType, Resolver } from '../../shared/net/resolver.ts'

type Failure = Extract<DnsAnswer<unknown>, { kind: 'Failed' }>

/** A faster failure costs nothing, and the end of a message's time must not count as a failure of its last query. */
const minSlowMs = 2_000
/** Shorter than the quarter of an hour after which a held message is authenticated again. */
const maxAgeMs = 30_000
const maxEntries = 10_000

/** @param now milliseconds */
export function cacheFailures(resolver: Resolver, now: () => number): Resolver {
  const failures = new RecentMap<string, { failure: Failure; until: number }>(maxEntries)
  return {
    async query<K extends RecordType>(
      name: string,
      type: K,
      signal?: AbortSignal,
    ): Promise<DnsAnswer<RecordData[K]>> {
      const key = `${type} ${name.toLowerCase()}`
      const startedAt = now()
      const known = failures.get(key)
      if (known !== undefined && startedAt < known.until) return known.failure
      const answer = await resolver.query(name, type, signal)
      const endedAt = now()
      if (answer.kind === 'Failed' && endedAt - startedAt >= minSlowMs)
        failures.set(key, { failure: answer, until: endedAt + maxAgeMs })
      return answer
    },
  }
}
