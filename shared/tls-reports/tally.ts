/** Counts sessions in memory until they are stored together. */
import { failureId, policyId, type SessionCount } from './applied-policy.ts'
import { dayOf } from './days.ts'

/** Sessions of one day with the same policy and result. */
export interface CountedSessions extends SessionCount {
  /** `YYYY-MM-DD`, UTC. */
  day: string
  sessions: number
}

/** Different counts at a time, more than any batch has. */
const maxEntries = 1000

export class Tally {
  readonly #counted = new Map<string, CountedSessions>()

  add(counts: readonly SessionCount[], at: Date): void {
    for (const count of counts) this.#add(count, dayOf(at))
  }

  /** Returns and resets the counts. */
  drain(): CountedSessions[] {
    const all = [...this.#counted.values()]
    this.#counted.clear()
    return all
  }

  #add(count: SessionCount, day: string): void {
    const key = keyOf(count, day)
    const known = this.#counted.get(key)
    if (known) known.sessions += 1
    else if (this.#counted.size < maxEntries) this.#counted.set(key, { ...count, day, sessions: 1 })
  }
}

const keyOf = ({ domain, policy, failure }: SessionCount, day: string): string =>
  [day, domain, policyId(policy), failure === null ? '' : failureId(failure)].join(' ')
