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
}

interface Waiting<T> {
  item: T
  settle(failure: Error | null): void
}

export class GroupCommit<T> {
  readonly #options: GroupCommitOptions<T>
  #waiting: Waiting<T>[] = []
  #octets = 0
  #writing = 0
  #alarmIsSet = false

  constructor(options: GroupCommitOptions<T>) {
    this.#options = options
  }

  /** Resolves when the item is written. */
  commit(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, settle: (failure) => (failure ? reject(failure) : resolve()) })
      this.#octets += this.#options.sizeOf(item)
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isFull()) this.#flush()
    else if (!this.#alarmIsSet) this.#setAlarm()
  }

  #setAlarm(): void {
    this.#alarmIsSet = true
    const ring = () => {
      this.#alarmIsSet = false
      this.#flush()
    }
    // With nothing being written, only what this turn of the event loop brings goes along.
    if (this.#writing === 0) setImmediate(ring)
    else setTimeout(ring, this.#options.patience)
  }

  #isFull(): boolean {
    return this.#octets >= this.#options.maximumOctets || this.#waiting.length >= this.#options.maximumItems
  }

  #flush(): void {
    if (this.#waiting.length === 0 || this.#writing >= this.#options.concurrency) return
    void this.#write(this.#take())
  }

  /** The oldest items that fit one batch, at least one. */
  #take(): Waiting<T>[] {
    const { sizeOf, maximumItems, maximumOctets } = this.#options
    let octets = 0
    let count = 0
    for (const { item } of this.#waiting) {
      octets += sizeOf(item)
      if (count > 0 && (octets > maximumOctets || count === maximumItems)) break
      this.#octets -= sizeOf(item)
      count++
    }
    return this.#waiting.splice(0, count)
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
