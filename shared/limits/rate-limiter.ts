/** Limits events by key in fixed windows that all keys share. The counts are lost with the process. */
export class RateLimiter {
  readonly #maxEvents: number
  readonly #windowMs: number
  readonly #counts = new Map<string, number>()
  #window = Number.NaN

  /** @param maxEvents maximum per key and window */
  constructor(maxEvents: number, windowMs: number) {
    this.#maxEvents = maxEvents
    this.#windowMs = windowMs
  }

  isAllowed(key: string, now: Date): boolean {
    this.#startWindow(now)
    return (this.#counts.get(key) ?? 0) < this.#maxEvents
  }

  take(key: string, now: Date): void {
    this.#startWindow(now)
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  giveBack(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 1) - 1)
  }

  #startWindow(now: Date): void {
    const window = Math.floor(now.getTime() / this.#windowMs)
    // An event may have an earlier time, such as that of a long session.
    if (window <= this.#window) return
    this.#window = window
    this.#counts.clear()
  }
}
