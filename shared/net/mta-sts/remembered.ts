/** What is known of domains, for some minutes and some of them: a read saved for each message to a busy one. */
import { RecentMap } from '../../limits/recent-map.ts'
import { type KnownOfDomain, nothingKnown } from './policy-store.ts'

const keptMs = 300_000
const mostDomains = 1_000
/** A policy of more patterns is read again each time: its owner does not say how much memory we need. */
const mostPatterns = 100

export class Remembered {
  readonly #domains = new RecentMap<string, { known: KnownOfDomain; at: number }>(mostDomains)

  /** @returns null when it must be read */
  fresh(domain: string, now: number): KnownOfDomain | null {
    const found = this.#domains.get(domain)
    return found && now - found.at < keptMs ? found.known : null
  }

  /** However old. */
  last(domain: string): KnownOfDomain {
    return this.#domains.get(domain)?.known ?? nothingKnown
  }

  remember(domain: string, known: KnownOfDomain, now: number): void {
    if ((known.policy?.mx.length ?? 0) > mostPatterns) this.#domains.delete(domain)
    else this.#domains.set(domain, { known, at: now })
  }
}
