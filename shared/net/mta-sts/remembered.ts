/** Caches the known state of domains for some minutes, which saves a read for each message to a busy domain. */
import { RecentMap } from '../../limits/recent-map.ts'
import { type KnownOfDomain, nothingKnown } from './policy-store.ts'

const keptMs = 300_000
const mostDomains = 1_000
/** A policy with more patterns is not cached: its owner must not decide how much memory it takes. */
const mostPatterns = 100

export class Remembered {
  readonly #domains = new RecentMap<string, { known: KnownOfDomain; at: number }>(mostDomains)

  /** @returns null when the state must be read from the store */
  fresh(domain: string, now: number): KnownOfDomain | null {
    const found = this.#domains.get(domain)
    return found && now - found.at < keptMs ? found.known : null
  }

  /** Of any age. */
  last(domain: string): KnownOfDomain {
    return this.#domains.get(domain)?.known ?? nothingKnown
  }

  remember(domain: string, known: KnownOfDomain, now: number): void {
    if ((known.policy?.mx.length ?? 0) > mostPatterns) this.#domains.delete(domain)
    else this.#domains.set(domain, { known, at: now })
  }
}
