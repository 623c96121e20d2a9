/**
 * The state that the records of a batch share. A destination is what `destinationKey` names: a domain's MX hosts, or
 * smart hosts. Records for one destination run one after another and use one slot. They also share sessions
 * (`BatchSessions`). Different destinations run in parallel, so a destination that hangs delays only its own mail. When
 * too little of the batch's time is left, the records that have not begun return to the queue.
 */

import { BatchSessions } from '../../shared/net/batch-sessions.ts'
import { findNextHops, type NextHopsResult } from '../../shared/net/next-hops.ts'
import type { Slot, Slots } from '../../shared/transport/slots.ts'
import type { QueueReturn } from './return-to-queue.ts'
import { slowHostsDestination } from './slow-hosts.ts'

export interface BatchOptions {
  slots: Pick<Slots, 'acquire'>
  /** Time from the batch's creation until every attempt must have ended. */
  limitMs: number
  /** An attempt begins only when this much of `limitMs` is left. */
  minRemainingMs: number
  sessions?: BatchSessions
  /** Called when a slot cannot be acquired or released because of an error. The delivery continues. */
  onError(error: Error): void
}

export interface QueueEntry {
  /** Runs the work after the earlier records of its destination, or returns why it cannot run. */
  runExclusive<T>(work: () => Promise<T>): Promise<T | QueueReturn>
  /**
   * Call this method when the record has ended. When the last record of the destination leaves, the slot is released.
   */
  leave(): void
}

interface DestinationQueue {
  destination: string
  jobCount: number
  tail: Promise<unknown>
  slot: Promise<AcquiredSlot> | null
}

/** `Unknown`: the table of slots failed, and the records run without a slot. Null: no slot is free. */
type AcquiredSlot = Slot | 'Unknown' | null

export class Batch {
  readonly signal: AbortSignal
  readonly sessions: BatchSessions
  readonly #options: BatchOptions
  readonly #startedAt = performance.now()
  readonly #queues = new Map<string, DestinationQueue>()
  readonly #releases: Promise<void>[] = []
  readonly #nextHops = new Map<string, Promise<NextHopsResult>>()

  constructor(options: BatchOptions) {
    this.#options = options
    this.signal = AbortSignal.timeout(options.limitMs)
    this.sessions = options.sessions ?? new BatchSessions()
  }

  /**
   * Call this method before any asynchronous step, or the destination's queue may end before this record enters it.
   * @param destination key of the destination queue
   * @param isSlow whether the record also needs a slot of the slow hosts
   */
  enqueue(destination: string, isSlow = false): QueueEntry {
    const queue = this.#queues.get(destination) ?? {
      destination,
      jobCount: 0,
      tail: Promise.resolve(),
      slot: null,
    }
    this.#queues.set(destination, queue)
    queue.jobCount += 1
    let hasLeft = false
    return {
      runExclusive: (work) => {
        const result = queue.tail.then(
          async () => (await this.#reasonNotToRun(queue)) ?? (isSlow ? this.#runAsSlowHost(work) : work()),
        )
        queue.tail = result.catch(() => undefined)
        return result
      },
      leave: () => {
        if (!hasLeft) this.#exitQueue(queue)
        hasLeft = true
      },
    }
  }

  /** Calls `findNextHops` once for each route and DANE mode, for all records. */
  find: typeof findNextHops = (route, resolver, options) => {
    const key = JSON.stringify([route, options.dane])
    const nextHops = this.#nextHops.get(key) ?? findNextHops(route, resolver, options)
    this.#nextHops.set(key, nextHops)
    return nextHops
  }

  /** Closes the sessions and waits until the slots have been released. */
  async end(): Promise<void> {
    await Promise.all([this.sessions.close(), ...this.#releases])
  }

  async #reasonNotToRun(queue: DestinationQueue): Promise<QueueReturn | null> {
    if (this.#remainingMs < this.#options.minRemainingMs) return 'NoTime'
    queue.slot ??= this.#acquire(queue.destination)
    return (await queue.slot) === null ? 'NoSlot' : null
  }

  async #runAsSlowHost<T>(work: () => Promise<T>): Promise<T | QueueReturn> {
    const slot = await this.#acquire(slowHostsDestination)
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

  #acquire(destination: string): Promise<AcquiredSlot> {
    return this.#options.slots.acquire(destination, new Date()).catch((error: Error) => {
      this.#options.onError(error)
      return 'Unknown' as const
    })
  }

  #exitQueue(queue: DestinationQueue): void {
    queue.jobCount -= 1
    if (queue.jobCount > 0) return
    this.#queues.delete(queue.destination)
    this.#releases.push(this.#release(queue.slot))
  }

  async #release(slot: AcquiredSlot | Promise<AcquiredSlot> | null): Promise<void> {
    const acquired = await slot
    if (acquired === null || acquired === 'Unknown') return
    await acquired.release().catch(this.#options.onError)
  }
}
