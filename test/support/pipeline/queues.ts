/**
 * The three queues with SQS's properties: entries are delivered at least once, after a delay, and hidden during
 * processing. The queues also hold the administrator's requests, because a client that gets no response repeats its
 * request.
 */

/** The last three are requests of an administrator to the API. */
export type Unit = 'evaluate' | 'deliver' | 'bounce' | 'retry' | 'release' | 'return'

const second = 1000

/** The timeout of each unit's function in the stack. */
export const timeoutMs: Record<Unit, number> = {
  evaluate: 30 * second,
  deliver: 300 * second,
  bounce: 60 * second,
  retry: 15 * second,
  release: 15 * second,
  return: 15 * second,
}

const visibilityMs = (unit: Unit): number => 2 * timeoutMs[unit]
const maxReceives = 30

export interface Entry {
  number: number
  unit: Unit
  body: string
  visibleAt: number
  receives: number
}

export class Queues {
  readonly deadLetters: Entry[] = []
  readonly #entries = new Set<Entry>()
  #sent = 0

  send(unit: Unit, job: unknown, visibleAt: number): Entry {
    const entry = { number: ++this.#sent, unit, body: JSON.stringify(job), visibleAt, receives: 0 }
    this.#entries.add(entry)
    return entry
  }

  visible(now: number): Entry[] {
    return [...this.#entries].filter(({ visibleAt }) => visibleAt <= now)
  }

  /** Returns the time when the next entry becomes visible, or null when the queues are empty. */
  nextVisible(): number | null {
    const times = [...this.#entries].map(({ visibleAt }) => visibleAt)
    return times.length === 0 ? null : Math.min(...times)
  }

  /**
   * @returns whether the entry can be processed; an entry that was received too often moves to the dead-letter queue
   */
  receive(entry: Entry, now: number): boolean {
    entry.receives++
    entry.visibleAt = now + visibilityMs(entry.unit)
    if (entry.receives <= maxReceives) return true
    this.delete(entry)
    this.deadLetters.push(entry)
    return false
  }

  delete(entry: Entry): void {
    this.#entries.delete(entry)
  }
}
