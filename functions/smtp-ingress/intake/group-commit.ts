/**
 * Group commit, as in databases: items that arrive within a few milliseconds are written together. Under load they
 * share the cost of a write; a single item does not wait.
 */
export interface GroupCommitOptions<T> {
  /** Writes a batch. @returns for each item null or its error; a rejection applies to every item */
  write(batch: readonly T[]): Promise<readonly (Error | null)[]>
  sizeOf(item: T): number
  maximumOctets: number
  maximumItems: number
  /** Milliseconds an item waits while other batches are being written. */
  patience: number
  /** Concurrent writes. */
  concurrency: number
  /**
   * A write of one item costs as much as one of this many. While other writes run, a partial group waits for the next
   * batch. 1 means no grouping.
   */
  group?: number
}

interface Waiting<T> {
  item: T
  settle(failure: Error | null): void
}

export class GroupCommit<T> {
  readonly #options: Required<GroupCommitOptions<T>>
  #waiting: Waiting<T>[] = []
  #octets = 0
  #writing = 0
  /** Cancels the timer of the oldest item. */
  #stopClock: (() => void) | null = null
  /** The oldest item has waited long enough. */
  #isDue = false

  constructor(options: GroupCommitOptions<T>) {
    this.#options = { group: 1, ...options }
  }

  /** Resolves when the item is written. */
  commit(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, settle: (failure) => (failure ? reject(failure) : resolve()) })
      this.#octets += this.#options.sizeOf(item)
      if (this.#isFull()) this.#flush()
      else this.#startClock()
    })
  }

  #startClock(): void {
    if (this.#stopClock !== null || this.#isDue) return
    const ring = () => {
      this.#stopClock = null
      this.#isDue = true
      this.#flush()
    }
    // While no write runs, the batch holds only items of this turn of the event loop.
    if (this.#writing === 0) {
      const clock = setImmediate(ring)
      this.#stopClock = () => clearImmediate(clock)
    } else {
      const clock = setTimeout(ring, this.#options.patience)
      this.#stopClock = () => clearTimeout(clock)
    }
  }

  #isFull(): boolean {
    return this.#octets >= this.#options.maximumOctets || this.#waiting.length >= this.#options.maximumItems
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#writing < this.#options.concurrency) {
      if (!this.#isFull() && !this.#isDue && this.#writing > 0) break
      void this.#write(this.#take())
    }
    if (this.#waiting.length > 0) this.#startClock()
  }

  /** Takes the oldest items that fit one batch, at least one. The wait of the others starts again. */
  #take(): Waiting<T>[] {
    const { sizeOf, maximumItems, maximumOctets, group } = this.#options
    let octets = 0
    let count = 0
    for (const { item } of this.#waiting) {
      const size = sizeOf(item)
      if (count > 0 && (octets + size > maximumOctets || count === maximumItems)) break
      octets += size
      count++
    }
    const rest = this.#writing > 0 && count === this.#waiting.length && count > group ? count % group : 0
    const batch = this.#waiting.splice(0, count - rest)
    for (const { item } of batch) this.#octets -= sizeOf(item)
    this.#stopClock?.()
    this.#stopClock = null
    this.#isDue = false
    return batch
  }

  async #write(batch: Waiting<T>[]): Promise<void> {
    this.#writing++
    const failures = await this.#options
      .write(batch.map(({ item }) => item))
      .catch((error: Error) => batch.map(() => error))
    this.#writing--
    for (const [index, { settle }] of batch.entries()) settle(failures[index] ?? null)
    this.#flush()
  }
}
