/**
 * Measures how many items arrive per second while a number of earlier items is outstanding, for each such number. A
 * single rate would mislead: a client that sends its next message after the reply to the last one may send many per
 * second, and yet none arrives while its message waits. Pure.
 */

/** Time after which a measurement counts e times less. */
const decayMs = 5_000
/**
 * Is added to the time of each measurement, so that a few arrivals in a short time are no high rate. After a pause, when
 * little is left of the measurement, the rate is near 0.
 */
const addedMs = 50
/** Larger numbers of outstanding items are measured together. */
const maxLevel = 255

export class ArrivalRates {
  readonly #arrivals = new Float64Array(maxLevel + 1)
  /** Time with each number of outstanding items. */
  readonly #durationsMs = new Float64Array(maxLevel + 1)
  readonly #measuredAt = new Float64Array(maxLevel + 1)
  #outstanding = 0
  #changedAt: number

  /** @param now milliseconds of a monotonic clock, as for the other functions */
  constructor(now: number) {
    this.#changedAt = now
  }

  /** An item arrives, and is outstanding from now on. */
  recordArrival(now: number): void {
    const level = this.#measure(now)
    this.#arrivals[level] = (this.#arrivals[level] as number) + 1
    this.#outstanding++
  }

  /** Items are no longer outstanding. */
  recordEnd(items: number, now: number): void {
    this.#measure(now)
    this.#outstanding -= items
  }

  /** Items per second while as many items are outstanding as now. */
  rateAt(now: number): number {
    const level = this.#measure(now)
    return (1000 * (this.#arrivals[level] as number)) / ((this.#durationsMs[level] as number) + addedMs)
  }

  /** @returns the current level, its measurement up to date */
  #measure(now: number): number {
    const level = Math.min(this.#outstanding, maxLevel)
    const weight = Math.exp(((this.#measuredAt[level] as number) - now) / decayMs)
    const passedWeight = Math.exp((this.#changedAt - now) / decayMs)
    this.#arrivals[level] = (this.#arrivals[level] as number) * weight
    this.#durationsMs[level] = (this.#durationsMs[level] as number) * weight + decayMs * (1 - passedWeight)
    this.#measuredAt[level] = now
    this.#changedAt = now
    return level
  }
}
