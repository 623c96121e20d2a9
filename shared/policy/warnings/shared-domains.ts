/** The domains that a connector has in common with others. */
import { narrower, Patterns } from './patterns.ts'

/** A pattern of the connector, and the field that has it. */
export interface Claim {
  pattern: string
  path: string
}

export interface Overlap<C> {
  other: C
  path: string
  /** What the two have in common. */
  pattern: string
  /** Both have it in just these words. */
  same: boolean
}

/** Of each other connector so many are looked at: they say enough, and a connector may have a thousand domains. */
const mostOfEach = 10

/** @param patternsOf those of another connector, as far as the claims are concerned */
export function overlapsWith<C>(
  claims: readonly Claim[],
  others: readonly C[],
  patternsOf: (other: C) => readonly string[],
): Overlap<C>[] {
  const paths = new Map(claims.toReversed().map(({ pattern, path }) => [pattern, path]))
  const index = new Patterns([...paths.keys()])
  return others.flatMap((other) => {
    const found = new Map<string, Overlap<C>>()
    for (const pattern of patternsOf(other)) {
      for (const mine of index.overlapping(pattern)) {
        const common = narrower(mine, pattern)
        const same = mine === pattern
        // Of two that have the same in common, the one that is more like it tells more.
        if (same || !found.has(common))
          found.set(common, { other, path: paths.get(mine) ?? '', pattern: common, same })
        if (found.size >= mostOfEach) return [...found.values()]
      }
    }
    return [...found.values()]
  })
}
