/**
 * Group commit, as in databases: items that arrive within a short time are written together and share the cost of a
 * write. A batch waits only while further items are likely, so that a single item is written at once.
 */
import { ArrivalRates } from './arrival-rates.ts'
import type { WaitingBatch } from './commit-wait.ts'

export interface GroupCommitOptions<T> {
  /** Writes a batch. @returns for each item null or its error; a rejection applies to every item */
  write(batch: readonly T[]): Promise<readonly (Error | null)[]>
  sizeOf(item: T): number
  maxBatchOctets: number
  maxBatchItems: number
  /** Returns the milliseconds that a batch still waits for further items; longer while no further write may start. */
  waitMs(batch: WaitingBatch): number
  /** Maximum of writes that run at the same time. */
  maxConcurrentWrites: number
  /**
   * A write of 1 to `groupSize` items has the same cost. While other writes run, the items beyond the last full group
   * stay for the next batch. 1 disables grouping.
   */
  groupSize?: number
  /** Milliseconds of a monotonic clock. */
  now?(): number
}

interface PendingItem<T> {
  item: T
  arrivedAt: number
  settle(failure: Error | null): void
}

export class GroupCommit<T> {
  readonly #options: Required<GroupCommitOptions<T>>
  readonly #rates: ArrivalRates
  #pending: PendingItem<T>[] = []
  #pendingOctets = 0
  #activeWrites = 0
  /** Cancels the timer of the oldest item. */
  #cancelTimer: (() => void) | null = null
  /** True when the oldest item has waited long enough. */
  #isDue = false

  constructor(options: GroupCommitOptions<T>) {
    this.#options = { groupSize: 1, now: () => performance.now(), ...options }
    this.#rates = new ArrivalRates(this.#options.now())
  }

  /** Resolves when the item is written. */
  commit(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      const arrivedAt = this.#options.now()
      this.#rates.recordArrival(arrivedAt)
      const settle = (failure: Error | null) => (failure ? reject(failure) : resolve())
      this.#pending.push({ item, arrivedAt, settle })
      this.#pendingOctets += this.#options.sizeOf(item)
      if (this.#isFull()) this.#flush()
      else this.#startTimer()
    })
  }

  /** Each arrival starts the timer again, because it changes how likely a further one is. */
  #startTimer(): void {
    if (this.#isDue) return
    this.#cancelTimer?.()
    const onTimer = () => {
      this.#cancelTimer = null
      this.#isDue = true
      this.#flush()
    }
    const remainingMs = this.#remainingMs()
    // A batch that does not wait holds only items of this turn of the event loop.
    if (remainingMs <= 0) {
      const timer = setImmediate(onTimer)
      this.#cancelTimer = () => clearImmediate(timer)
    } else {
      const timer = setTimeout(onTimer, remainingMs)
      this.#cancelTimer = () => clearTimeout(timer)
    }
  }

  #remainingMs(): number {
    const { waitMs, now } = this.#options
    const at = now()
    return waitMs({
      items: this.#pending.length,
      waitedMs: at - (this.#pending[0]?.arrivedAt ?? at),
      rate: this.#rates.rateAt(at),
      isWriting: this.#activeWrites > 0,
    })
  }

  #isFull(): boolean {
    return (
      this.#pendingOctets >= this.#options.maxBatchOctets ||
      this.#pending.length >= this.#options.maxBatchItems
    )
  }

  #flush(): void {
    while (this.#pending.length > 0 && this.#activeWrites < this.#options.maxConcurrentWrites) {
      if (!this.#isFull() && !this.#isDue && this.#remainingMs() > 0) break
      void this.#write(this.#takeBatch())
    }
    if (this.#pending.length > 0) this.#startTimer()
  }

  /** Takes the oldest items that fit one batch, at least one. */
  #takeBatch(): PendingItem<T>[] {
    const { sizeOf, maxBatchItems, maxBatchOctets, groupSize } = this.#options
    let octets = 0
    let count = 0
    for (const { item } of this.#pending) {
      const size = sizeOf(item)
      if (count > 0 && (octets + size > maxBatchOctets || count === maxBatchItems)) break
      octets += size
      count++
    }
    const remainderOfGroup =
      this.#activeWrites > 0 && count === this.#pending.length && count > groupSize ? count % groupSize : 0
    const batch = this.#pending.splice(0, count - remainderOfGroup)
    for (const { item } of batch) this.#pendingOctets -= sizeOf(item)
    this.#cancelTimer?.()
    this.#cancelTimer = null
    this.#isDue = false
    return batch
  }

  async #write(batch: PendingItem<T>[]): Promise<void> {
    this.#activeWrites++
    const failures = await this.#options
      .write(batch.map(({ item }) => item))
      .catch((error: Error) => batch.map(() => error))
    this.#activeWrites--
    this.#rates.recordEnd(batch.length, this.#options.now())
    for (const [index, { settle }] of batch.entries()) settle(failures[index] ?? null)
    this.#flush()
  }
}
