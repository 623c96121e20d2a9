/** Limits a rate and allows bursts. Pure. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #filledAt = Number.NEGATIVE_INFINITY

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
  }

  /**
   * @param at milliseconds; an earlier time than in the last call adds no tokens
   * @param reserved tokens that must remain
   */
  take(at: number, reserved = 0): boolean {
    if (at > this.#filledAt) {
      const added = ((at - this.#filledAt) / 1000) * this.#perSecond
      this.#tokens = Math.min(this.#burst, this.#tokens + added)
      this.#filledAt = at
    }
    if (this.#tokens < reserved + 1) return false
    this.#tokens--
    return true
  }
}
