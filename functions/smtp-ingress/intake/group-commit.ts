/**
 * Group commit, as in databases: items that arrive within a few milliseconds are written together. Under load they
 * share the cost of a write; a single item does not wait.
 */
export interface GroupCommitOptions<T> {
  /** Writes a batch. @returns for each item null or its error; a rejection applies to every item */
  write(batch: readonly T[]): Promise<readonly (Error | null)[]>
  sizeOf(item: T): number
  maxBatchOctets: number
  maxBatchItems: number
  /**
   * Milliseconds an item waits for further items while other batches are being written; longer while no further write
   * may start.
   */
  maxWaitMs: number
  /** Maximum of writes that run at the same time. */
  maxConcurrentWrites: number
  /**
   * A write of 1 to `groupSize` items has the same cost. While other writes run, the items beyond the last full group
   * stay for the next batch. 1 disables grouping.
   */
  groupSize?: number
}

interface PendingItem<T> {
  item: T
  settle(failure: Error | null): void
}

export class GroupCommit<T> {
  readonly #options: Required<GroupCommitOptions<T>>
  #pending: PendingItem<T>[] = []
  #pendingOctets = 0
  #activeWrites = 0
  /** Cancels the timer of the oldest item. */
  #cancelTimer: (() => void) | null = null
  /** True when the oldest item has waited long enough. */
  #isDue = false

  constructor(options: GroupCommitOptions<T>) {
    this.#options = { groupSize: 1, ...options }
  }

  /** Resolves when the item is written. */
  commit(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ item, settle: (failure) => (failure ? reject(failure) : resolve()) })
      this.#pendingOctets += this.#options.sizeOf(item)
      if (this.#isFull()) this.#flush()
      else this.#startTimer()
    })
  }

  #startTimer(): void {
    if (this.#cancelTimer !== null || this.#isDue) return
    const onTimer = () => {
      this.#cancelTimer = null
      this.#isDue = true
      this.#flush()
    }
    // While no write runs, the batch holds only items of this turn of the event loop.
    if (this.#activeWrites === 0) {
      const timer = setImmediate(onTimer)
      this.#cancelTimer = () => clearImmediate(timer)
    } else {
      const timer = setTimeout(onTimer, this.#options.maxWaitMs)
      this.#cancelTimer = () => clearTimeout(timer)
    }
  }

  #isFull(): boolean {
    return (
      this.#pendingOctets >= this.#options.maxBatchOctets ||
      this.#pending.length >= this.#options.maxBatchItems
    )
  }

  #flush(): void {
    while (this.#pending.length > 0 && this.#activeWrites < this.#options.maxConcurrentWrites) {
      if (!this.#isFull() && !this.#isDue && this.#activeWrites > 0) break
      void this.#write(this.#takeBatch())
    }
    if (this.#pending.length > 0) this.#startTimer()
  }

  /** Takes the oldest items that fit one batch, at least one. The wait of the remaining items starts again. */
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
    for (const [index, { settle }] of batch.entries()) settle(failures[index] ?? null)
    this.#flush()
  }
}
