/**
 * Group commit, as databases do it: what finishes within a few milliseconds is written together, so that the
 * cost of a write is shared under load, and a single item waits for nobody.
 */
export interface GroupCommitOptions<T> {
  /** Writes a batch. @returns for each item null, or why it was not written; a rejection is every item's. */
  write(batch: readonly T[]): Promise<readonly (Error | null)[]>
  sizeOf(item: T): number
  maximumOctets: number
  maximumItems: number
  /** Milliseconds an item waits while other batches are being written. */
  patience: number
  /** Batches being written at once. */
  concurrency: number
  /**
   * Items that a write costs no less for than for one of them: while others are written, what does not fill a group
   * goes with the next batch. 1 where it is all the same.
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
  /** Stops the clock that runs for the oldest item. */
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
    // With nothing being written, only what this turn of the event loop brings goes along.
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

  /** The oldest items that fit one batch, at least one. What is left waits anew. */
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
