/** Reproducible random numbers: the same seed gives the same run. */
export interface Random {
  /** Returns true with this probability. */
  happens(probability: number): boolean
  /** Returns an integer from 0, below the limit. */
  integerBelow(limit: number): number
  oneOf<T>(items: readonly T[]): T
}

/** Uses Marsaglia's xorshift32. */
export function createRandom(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    happens: (probability) => next() < probability,
    integerBelow: below,
    oneOf: (items) => items[below(items.length)] as (typeof items)[number],
  }
}
