import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { domainMatchesPattern } from '../../../../shared/mail/domain.ts'
import {
  exampleDomain,
  narrowerPattern,
  PatternIndex,
} from '../../../../shared/policy/warnings/pattern-index.ts'

/** Uses few labels, so that patterns often overlap. */
const domain = fc
  .array(fc.constantFrom('a', 'b', 'aa'), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join('.'))
const pattern = fc.oneof(
  { weight: 3, arbitrary: domain },
  { weight: 3, arbitrary: domain.map((suffix) => `*.${suffix}`) },
  fc.constant('*'),
)

/**
 * Two patterns overlap if both match the same candidate. The candidates of a pattern are its domain and, for a
 * wildcard, a domain below it that no pattern names.
 */
const doOverlap = (one: string, other: string): boolean =>
  [one, other]
    .flatMap((it) => [exampleDomain(it), it.replace('*.', '')])
    .some((candidate) => domainMatchesPattern(candidate, one) && domainMatchesPattern(candidate, other))

describe('the index of patterns', () => {
  test('finds exactly those of its patterns that overlap with a given pattern', () => {
    fc.assert(
      fc.property(fc.uniqueArray(pattern, { maxLength: 12 }), pattern, (patterns, other) => {
        const overlapping = [...new PatternIndex(patterns).overlapping(other)]
        assert.deepEqual(overlapping.toSorted(), patterns.filter((own) => doOverlap(own, other)).toSorted())
      }),
      { numRuns: 2000 },
    )
  })

  test('has a function narrowerPattern that returns the intersection of two overlapping patterns, in either order', () => {
    fc.assert(
      fc.property(pattern, pattern, (one, other) => {
        fc.pre(doOverlap(one, other))
        const intersection = narrowerPattern(one, other)
        assert.equal(narrowerPattern(other, one), intersection)
        for (const it of [one, other])
          assert.ok(domainMatchesPattern(exampleDomain(intersection), it), `${intersection} in ${it}`)
      }),
      { numRuns: 2000 },
    )
  })
})
