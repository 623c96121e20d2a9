/** A random number generator with a seed: the same seed gives the same numbers. */

/** Mulberry32, with a seed of 32 bits. Its quality suffices to spread faults. */
export class Random {
  #state: number

  /** @param parts numbers that together are the seed */
  constructor(...parts: readonly number[]) {
    this.#state = parts.reduce(
      (state, part) => Math.imul(state ^ part, 0x9e3779b1) ^ (state >>> 15),
      0x51ed270b,
    )
    this.number()
  }

  /** Returns a number in [0, 1). */
  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** Returns a whole number of at least `min` and below `limit`. */
  between(min: number, limit: number): number {
    return min + Math.floor(this.number() * (limit - min))
  }

  happens(probability: number): boolean {
    return this.number() < probability
  }

  of<T>(items: readonly T[]): T {
    return items[this.between(0, items.length)] as T
  }

  /** @param weights probabilities; the rest up to 1 is the probability of `otherwise` */
  weighted<T extends string>(weights: Partial<Record<T, number>>, otherwise: T): T {
    let remainder = this.number()
    for (const [item, weight] of Object.entries(weights) as [T, number][]) {
      remainder -= weight
      if (remainder < 0) return item
    }
    return otherwise
  }
}
