/** Limits events by key in fixed windows that all keys share. The counts are lost with the process. */
export class RateLimiter {
  readonly #most: number
  readonly #windowMs: number
  readonly #taken = new Map<string, number>()
  #window = Number.NaN

  /** @param most maximum in a window for each key */
  constructor(most: number, windowMs: number) {
    this.#most = most
    this.#windowMs = windowMs
  }

  isLeft(key: string, now: Date): boolean {
    this.#turnTo(now)
    return (this.#taken.get(key) ?? 0) < this.#most
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
