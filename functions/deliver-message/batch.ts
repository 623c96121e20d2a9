/**
 * The state that the records of a batch share. A destination is what `destinationKey` names: a domain's MX hosts, or
 * smart hosts. The batch acquires slots once for all its records of a destination, and delivers as many of them side by
 * side as it has slots; the others wait in order. These records also share sessions (`BatchSessions`). Different
 * destinations run in parallel, so a destination that hangs delays only its own mail. When too little of the batch's
 * time is left, the records that have not begun return to the queue.
 */

import { BatchSessions } from '../../shared/net/batch-sessions.ts'
import { findNextHops, type NextHopsResult } from '../../shared/net/next-hops.ts'
import type { AcquiredSlots, DestinationLoad, Slots } from '../../shared/transport/slots.ts'
import type { QueueReturn } from './return-to-queue.ts'
import { slowHostsDestination } from './slow-hosts.ts'

export interface BatchOptions {
  slots: Pick<Slots, 'acquire'>
  /** Time from the batch's creation until every attempt must have ended. */
  limitMs: number
  /** An attempt begins only when this much of `limitMs` is left. */
  minRemainingMs: number
  sessions?: BatchSessions
  /** Called when slots cannot be acquired or released because of an error. The delivery continues. */
  onError(error: Error): void
}

export interface QueueEntry {
  /** Runs the work when a slot of its destination is free for it, or returns why it cannot run. */
  runWithSlot<T>(work: () => Promise<T>): Promise<T | QueueReturn>
  /** Reports what the delivery shows about the load of its destination. */
  reportLoad(load: DestinationLoad): void
  /**
   * Call this method when the record has ended. When the last record of the destination leaves, the slots are released.
   */
  leave(): void
}

interface DestinationQueue {
  destination: string
  jobCount: number
  /** Number of deliveries that run now. */
  running: number
  /** Begin the deliveries that wait. */
  waiting: (() => void)[]
  slots: Promise<BatchSlots> | null
}

/** Null: no slot is free. */
type BatchSlots = AcquiredSlots | null

/** The table of slots failed: the records run one after another without a slot. */
const unknownSlots: AcquiredSlots = { count: 1, report() {}, reduceTo() {}, release: async () => {} }

/** Opening a session takes as long as three or four messages, and more processor time. */
const minMessagesPerSession = 4
/** Limit of concurrent deliveries of one batch to one destination. Each has a session of its own. */
const maxConcurrentDeliveries = 5

const wantedSlots = (jobCount: number): number =>
  Math.min(maxConcurrentDeliveries, Math.ceil(jobCount / minMessagesPerSession))

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
   * Call this method before any asynchronous step, so that the destination's first record knows how many there are.
   * @param destination key of the destination queue
   * @param isSlow whether the record also needs a slot of the slow hosts
   */
  enqueue(destination: string, isSlow = false): QueueEntry {
    const queue = this.#queues.get(destination) ?? {
      destination,
      jobCount: 0,
      running: 0,
      waiting: [],
      slots: null,
    }
    this.#queues.set(destination, queue)
    queue.jobCount += 1
    let hasLeft = false
    let slots: BatchSlots = null
    return {
      runWithSlot: async (work) => {
        if (!this.#hasTime) return 'NoTime'
        queue.slots ??= this.#acquire(destination, wantedSlots(queue.jobCount))
        slots = await queue.slots
        if (slots === null) return 'NoSlot'
        await takeTurn(queue, slots)
        try {
          return await this.runIfTimeIsLeft(() => (isSlow ? this.#runAsSlowHost(work) : work()))
        } finally {
          endTurn(queue, slots)
        }
      },
      reportLoad: (load) => slots?.report(load),
      leave: () => {
        if (hasLeft) return
        hasLeft = true
        this.#exitQueue(queue)
        slots?.reduceTo(queue.jobCount)
      },
    }
  }

  /** Call this method after each wait: an attempt that begins too late would fail, and its host would seem to hang. */
  async runIfTimeIsLeft<T>(work: () => Promise<T>): Promise<T | QueueReturn> {
    return this.#hasTime ? work() : 'NoTime'
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

  async #runAsSlowHost<T>(work: () => Promise<T>): Promise<T | QueueReturn> {
    const slot = await this.#acquire(slowHostsDestination, 1)
    if (slot === null) return 'NoSlotForSlowHost'
    try {
      return await work()
    } finally {
      this.#releases.push(this.#release(slot))
    }
  }

  get #hasTime(): boolean {
    const { limitMs, minRemainingMs } = this.#options
    return limitMs - (performance.now() - this.#startedAt) >= minRemainingMs
  }

  #acquire(destination: string, wanted: number): Promise<BatchSlots> {
    return this.#options.slots.acquire(destination, wanted).catch((error: Error) => {
      this.#options.onError(error)
      return unknownSlots
    })
  }

  #exitQueue(queue: DestinationQueue): void {
    queue.jobCount -= 1
    if (queue.jobCount > 0) return
    this.#queues.delete(queue.destination)
    if (queue.slots) this.#releases.push(queue.slots.then((slots) => this.#release(slots)))
  }

  async #release(slots: BatchSlots): Promise<void> {
    await slots?.release().catch(this.#options.onError)
  }
}

async function takeTurn(queue: DestinationQueue, slots: AcquiredSlots): Promise<void> {
  while (queue.running >= slots.count) await new Promise<void>((resume) => queue.waiting.push(resume))
  queue.running += 1
}

/** The number of slots may have changed, so several deliveries may begin, or none. */
function endTurn(queue: DestinationQueue, slots: AcquiredSlots): void {
  queue.running -= 1
  const free = Math.max(0, slots.count - queue.running)
  for (const resume of queue.waiting.splice(0, free)) resume()
}
