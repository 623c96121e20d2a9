/** Limits events by key in fixed windows that all keys share. The counts are lost with the process. */
export class RateLimiter {
  readonly #maxEvents: number
  readonly #windowMs: number
  readonly #taken = new Map<string, number>()
  #window = Number.NaN

  /** @param maxEvents maximum in a window for each key */
  constructor(maxEvents: number, windowMs: number) {
    this.#maxEvents = maxEvents
    this.#windowMs = windowMs
  }

  isLeft(key: string, now: Date): boolean {
    this.#turnTo(now)
    return (this.#taken.get(key) ?? 0) < this.#maxEvents
  }

  take(key: string, now: Date): void {
    this.#turnTo(now)
    this.#taken.set(key, (this.#taken.get(key) ?? 0) + 1)
  }

  giveBack(key: string): void {
    this.#taken.set(key, (this.#taken.get(key) ?? 1) - 1)
  }

  #turnTo(now: Date): void {
    const window = Math.floor(now.getTime() / this.#windowMs)
    if (window === this.#window) return
    this.#window = window
    this.#taken.clear()
  }
}
