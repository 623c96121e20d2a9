/** Caches the state of domains for some minutes, which saves a read of the store for each message to a busy domain. */
import { RecentMap } from '../../limits/recent-map.ts'
import { type DomainState, emptyDomainState } from './policy-store.ts'

const cacheTtlMs = 300_000
const maxDomains = 1_000
/** A policy with more patterns is not cached: the domain's owner must not decide how much memory the cache takes. */
const maxPatterns = 100

export class PolicyCache {
  readonly #domains = new RecentMap<string, { state: DomainState; cachedAtMs: number }>(maxDomains)

  /** @returns null when the state must be read from the store */
  getFresh(domain: string, now: number): DomainState | null {
    const entry = this.#domains.get(domain)
    return entry && now - entry.cachedAtMs < cacheTtlMs ? entry.state : null
  }

  /** Returns the cached state, whatever its age. */
  getLast(domain: string): DomainState {
    return this.#domains.get(domain)?.state ?? emptyDomainState
  }

  set(domain: string, state: DomainState, now: number): void {
    if ((state.policy?.mx.length ?? 0) > maxPatterns) this.#domains.delete(domain)
    else this.#domains.set(domain, { state, cachedAtMs: now })
  }
}
