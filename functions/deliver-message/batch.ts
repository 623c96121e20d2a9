/**
 * What the records of one batch share. Those for the same destination follow one another, over one session, and take
 * up one of its places; those for others go on beside them. Nobody waits for a destination that hangs but its own
 * mail, and that only while there is time: what is not begun by then goes back to the queue.
 */
import { findNextHops, type NextHops } from '../../shared/net/next-hops.ts'
import { Sessions } from '../../shared/net/sessions.ts'
import type { Slot, Slots } from '../../shared/transport/slots.ts'
import type { Reason } from './postpone.ts'
import { slowHosts } from './slow.ts'

export interface BatchOptions {
  slots: Pick<Slots, 'acquire'>
  /** Milliseconds from now until every attempt is ended. */
  limitMs: number
  /** Milliseconds that must be left for an attempt to begin. */
  leastMs: number
  sessions?: Sessions
  /** Told of a place that could not be asked for or given up; the delivery goes on. */
  onFault(error: Error): void
}

export interface Place {
  /** Does the work when those before it in the line have done theirs, or says why not. */
  inTurn<T>(work: () => Promise<T>): Promise<T | Reason>
  /** The destination's place is given up when the last has left. */
  leave(): void
}

interface Line {
  destination: string
  members: number
  last: Promise<unknown>
  slot: Promise<Held> | null
}

/** `Unknown`: the table does not say. Null: there is no place. */
type Held = Slot | 'Unknown' | null

export class Batch {
  readonly signal: AbortSignal
  readonly sessions: Sessions
  readonly #options: BatchOptions
  readonly #begun = performance.now()
  readonly #lines = new Map<string, Line>()
  readonly #releases: Promise<void>[] = []
  readonly #found = new Map<string, Promise<NextHops>>()

  constructor(options: BatchOptions) {
    this.#options = options
    this.signal = AbortSignal.timeout(options.limitMs)
    this.sessions = options.sessions ?? new Sessions()
  }

  /**
   * To be called before anything is waited for, so that the line is not thought to have ended.
   * @param destination as `lineOf` names it
   * @param slow whether it takes a place among slow hosts, besides
   */
  join(destination: string, slow = false): Place {
    const line = this.#lines.get(destination) ?? {
      destination,
      members: 0,
      last: Promise.resolve(),
      slot: null,
    }
    this.#lines.set(destination, line)
    line.members += 1
    let left = false
    return {
      inTurn: (work) => {
        const done = line.last.then(
          async () => (await this.#whyNot(line)) ?? (slow ? this.#amongSlow(work) : work()),
        )
        line.last = done.catch(() => undefined)
        return done
      },
      leave: () => {
        if (!left) this.#leave(line)
        left = true
      },
    }
  }

  /** As `findNextHops`, asked once for all records. */
  find: typeof findNextHops = (route, resolver, options) => {
    const key = JSON.stringify([route, options.dane])
    const found = this.#found.get(key) ?? findNextHops(route, resolver, options)
    this.#found.set(key, found)
    return found
  }

  /** Closes what is still open. */
  async end(): Promise<void> {
    await Promise.all([this.sessions.close(), ...this.#releases])
  }

  async #whyNot(line: Line): Promise<Reason | null> {
    if (this.#left < this.#options.leastMs) return 'NoTime'
    line.slot ??= this.#acquire(line.destination)
    return (await line.slot) === null ? 'NoPlace' : null
  }

  async #amongSlow<T>(work: () => Promise<T>): Promise<T | Reason> {
    const slot = await this.#acquire(slowHosts)
    if (slot === null) return 'NoPlaceAmongSlow'
    try {
      return await work()
    } finally {
      this.#releases.push(this.#release(slot))
    }
  }

  get #left(): number {
    return this.#options.limitMs - (performance.now() - this.#begun)
  }

  #acquire(destination: string): Promise<Held> {
    return this.#options.slots.acquire(destination, new Date()).catch((error: Error) => {
      this.#options.onFault(error)
      return 'Unknown' as const
    })
  }

  #leave(line: Line): void {
    line.members -= 1
    if (line.members > 0) return
    this.#lines.delete(line.destination)
    this.#releases.push(this.#release(line.slot))
  }

  async #release(slot: Held | Promise<Held> | null): Promise<void> {
    const held = await slot
    if (held === null || held === 'Unknown') return
    await held.release().catch(this.#options.onFault)
  }
}
