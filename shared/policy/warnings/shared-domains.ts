/** Finds the domains that a connector shares with others. */
import { narrowerPattern, PatternIndex } from './pattern-index.ts'

/** A domain pattern of the connector, and the field that holds it. */
export interface FieldPattern {
  pattern: string
  path: string
}

export interface Overlap<C> {
  otherConnector: C
  path: string
  /** The intersection of the two patterns. */
  pattern: string
  /** Both connectors have exactly this pattern. */
  isIdentical: boolean
}

/** Overlaps listed for each other connector. A connector may have a thousand domains; ten are enough for a warning. */
const maxOverlapsPerConnector = 10

/** @param patternsOf the patterns of another connector */
export function findOverlaps<C>(
  fieldPatterns: readonly FieldPattern[],
  others: readonly C[],
  patternsOf: (other: C) => readonly string[],
): Overlap<C>[] {
  const paths = new Map(fieldPatterns.toReversed().map(({ pattern, path }) => [pattern, path]))
  const index = new PatternIndex([...paths.keys()])
  return others.flatMap((other) => {
    const overlapsByPattern = new Map<string, Overlap<C>>()
    for (const pattern of patternsOf(other)) {
      for (const ownPattern of index.overlapping(pattern)) {
        const commonPattern = narrowerPattern(ownPattern, pattern)
        const isIdentical = ownPattern === pattern
        // Of two overlaps with the same intersection, the one with the identical pattern is more useful.
        if (isIdentical || !overlapsByPattern.has(commonPattern))
          overlapsByPattern.set(commonPattern, {
            otherConnector: other,
            path: paths.get(ownPattern) ?? '',
            pattern: commonPattern,
            isIdentical,
          })
        if (overlapsByPattern.size >= maxOverlapsPerConnector) return [...overlapsByPattern.values()]
      }
    }
    return [...overlapsByPattern.values()]
  })
}
