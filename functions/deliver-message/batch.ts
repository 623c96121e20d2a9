/**
 * The state that the records of a batch share. Records for one destination run one after another over one session, and
 * use one of its slots; other destinations run in parallel. Only its own mail waits for a destination that hangs, and
 * only while time is left: what has not begun by then returns to the queue.
 */
import { findNextHops, type NextHopsResult } from '../../shared/net/next-hops.ts'
import { BatchSessions } from '../../shared/net/sessions.ts'
import type { Slot, Slots } from '../../shared/transport/slots.ts'
import type { Reason } from './postpone.ts'
import { slowHosts } from './slow.ts'

export interface BatchOptions {
  slots: Pick<Slots, 'acquire'>
  /** Milliseconds until every attempt must have ended. */
  limitMs: number
  /** Milliseconds that must be left for an attempt to begin. */
  minRemainingMs: number
  sessions?: BatchSessions
  /** Called when a slot cannot be acquired or released because of an error; the delivery goes on. */
  onFault(error: Error): void
}

export interface Place {
  /** Runs the work after the earlier records of its destination, or returns why it cannot run. */
  inTurn<T>(work: () => Promise<T>): Promise<T | Reason>
  /** Releases the destination's slot after the last record. */
  leave(): void
}

interface Line {
  destination: string
  members: number
  last: Promise<unknown>
  slot: Promise<Held> | null
}

/** `Unknown`: the table failed. Null: no slot is free. */
type Held = Slot | 'Unknown' | null

export class Batch {
  readonly signal: AbortSignal
  readonly sessions: BatchSessions
  readonly #options: BatchOptions
  readonly #startedAt = performance.now()
  readonly #lines = new Map<string, Line>()
  readonly #releases: Promise<void>[] = []
  readonly #found = new Map<string, Promise<NextHopsResult>>()

  constructor(options: BatchOptions) {
    this.#options = options
    this.signal = AbortSignal.timeout(options.limitMs)
    this.sessions = options.sessions ?? new BatchSessions()
  }

  /**
   * Call it before anything asynchronous, or the destination's queue may end before this record enters it.
   * @param destination key of the destination queue
   * @param slow whether it also needs a slot of the slow hosts
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

  /** Like `findNextHops`, but looks each route up once for all records. */
  find: typeof findNextHops = (route, resolver, options) => {
    const key = JSON.stringify([route, options.dane])
    const found = this.#found.get(key) ?? findNextHops(route, resolver, options)
    this.#found.set(key, found)
    return found
  }

  /** Closes sessions and releases slots. */
  async end(): Promise<void> {
    await Promise.all([this.sessions.close(), ...this.#releases])
  }

  async #whyNot(line: Line): Promise<Reason | null> {
    if (this.#remainingMs < this.#options.minRemainingMs) return 'NoTime'
    line.slot ??= this.#acquire(line.destination)
    return (await line.slot) === null ? 'NoSlot' : null
  }

  async #amongSlow<T>(work: () => Promise<T>): Promise<T | Reason> {
    const slot = await this.#acquire(slowHosts)
    if (slot === null) return 'NoSlotForSlowHost'
    try {
      return await work()
    } finally {
      this.#releases.push(this.#release(slot))
    }
  }

  get #remainingMs(): number {
    return this.#options.limitMs - (performance.now() - this.#startedAt)
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
