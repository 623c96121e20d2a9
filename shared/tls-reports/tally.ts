/** Counts sessions in memory until they are stored together. */
import { failureId, policyId, type SessionCount } from './applied-policy.ts'
import { dayOf } from './days.ts'

/** Sessions of one day with the same policy and result. */
export interface CountedSessions extends SessionCount {
  /** The UTC day, as `YYYY-MM-DD`. */
  day: string
  sessions: number
}

/** Limit for different counts in memory; further ones are discarded. No batch has as many. */
const maxEntries = 1000

export class Tally {
  readonly #counted = new Map<string, CountedSessions>()

  add(counts: readonly SessionCount[], at: Date): void {
    for (const count of counts) this.#add(count, dayOf(at))
  }

  /** Returns and resets the counts. */
  drain(): CountedSessions[] {
    const counts = [...this.#counted.values()]
    this.#counted.clear()
    return counts
  }

  #add(count: SessionCount, day: string): void {
    const key = keyOf(count, day)
    const existingCount = this.#counted.get(key)
    if (existingCount) existingCount.sessions += 1
    else if (this.#counted.size < maxEntries) this.#counted.set(key, { ...count, day, sessions: 1 })
  }
}

const keyOf = ({ domain, policy, failure }: SessionCount, day: string): string =>
  [day, domain, policyId(policy), failure === null ? '' : failureId(failure)].join(' ')
