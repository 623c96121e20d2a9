/**
 * The queues with SQS's properties: entries are delivered at least once, after a delay, and hidden during
 * processing. The queues also hold the administrator's requests, because a client that gets no response repeats its
 * request.
 */
import { retryDelaySeconds } from '../../../shared/lambda/retry-delay.ts'

/** The last four are requests of an administrator to the API. */
export type Unit =
  | 'evaluate'
  | 'authenticate'
  | 'deliver'
  | 'bounce'
  | 'retry'
  | 'release'
  | 'return'
  | 'drop'

const second = 1000

/** The timeout of each unit's function in the stack. */
export const timeoutMs: Record<Unit, number> = {
  evaluate: 30 * second,
  authenticate: 120 * second,
  deliver: 300 * second,
  bounce: 60 * second,
  retry: 15 * second,
  release: 15 * second,
  return: 15 * second,
  drop: 15 * second,
}

const visibilityMs = (unit: Unit): number => 2 * timeoutMs[unit]
const maxReceives = 1000

export interface Entry {
  number: number
  unit: Unit
  body: string
  visibleAt: number
  receives: number
}

export class Queues {
  readonly deadLetters: Entry[] = []
  /** Every job that was sent, in order. */
  readonly sent: Pick<Entry, 'unit' | 'body'>[] = []
  readonly #entries = new Set<Entry>()

  send(unit: Unit, job: unknown, visibleAt: number): Entry {
    const body = JSON.stringify(job)
    const entry = { number: this.sent.push({ unit, body }), unit, body, visibleAt, receives: 0 }
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

  /** Hides an entry after a failure, as the function does. */
  delay(entry: Entry, now: number, random: number): void {
    entry.visibleAt = now + retryDelaySeconds(entry.receives, random) * second
  }

  delete(entry: Entry): void {
    this.#entries.delete(entry)
  }
}
