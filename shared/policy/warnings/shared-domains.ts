/** Finds the domains that a connector shares with others. */
import { narrower, Patterns } from './patterns.ts'

/** A pattern of the connector, and its field. */
export interface Claim {
  pattern: string
  path: string
}

export interface Overlap<C> {
  other: C
  path: string
  /** The intersection of the two patterns. */
  pattern: string
  /** Both connectors have exactly this pattern. */
  same: boolean
}

/** Overlaps found with each other connector. A connector may have a thousand domains; ten say enough. */
const maxOverlapsPerConnector = 10

/** @param patternsOf the patterns of another connector */
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
        // Of two overlaps with the same intersection, the identical pattern says more.
        if (same || !found.has(common))
          found.set(common, { other, path: paths.get(mine) ?? '', pattern: common, same })
        if (found.size >= maxOverlapsPerConnector) return [...found.values()]
      }
    }
    return [...found.values()]
  })
}
