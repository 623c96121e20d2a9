/** Indexes the domain patterns of one connector, to find those that overlap with a pattern of another connector. */

export class PatternIndex {
  /** Patterns without a wildcard. */
  readonly #exact = new Set<string>()
  /** `*.example.com` is stored as `example.com`. */
  readonly #wildcard = new Set<string>()
  /** By domain: the patterns for that domain or for domains below it. */
  readonly #below = new Map<string, string[]>()
  readonly #hasCatchAll: boolean

  constructor(patterns: readonly string[]) {
    this.#hasCatchAll = patterns.includes('*')
    for (const pattern of new Set(patterns)) {
      if (pattern === '*') continue
      const domain = domainOfPattern(pattern)
      if (pattern === domain) this.#exact.add(domain)
      else this.#wildcard.add(domain)
      for (const suffix of suffixes(domain)) {
        const list = this.#below.get(suffix)
        if (list) list.push(pattern)
        else this.#below.set(suffix, [pattern])
      }
    }
  }

  /** The patterns that match at least one domain that the other pattern also matches. */
  *overlapping(other: string): Generator<string> {
    if (this.#hasCatchAll) yield '*'
    if (other === '*') {
      for (const domain of this.#exact) yield domain
      for (const domain of this.#wildcard) yield `*.${domain}`
      return
    }
    const domain = domainOfPattern(other)
    if (other === domain) {
      if (this.#exact.has(domain)) yield domain
      yield* this.#wildcardsAround(suffixes(domain))
    } else {
      yield* this.#below.get(domain) ?? []
      yield* this.#wildcardsAround(suffixes(domain).slice(1))
    }
  }

  *#wildcardsAround(domains: readonly string[]): Generator<string> {
    for (const domain of domains) if (this.#wildcard.has(domain)) yield `*.${domain}`
  }
}

const domainOfPattern = (pattern: string): string => (pattern.startsWith('*.') ? pattern.slice(2) : pattern)

/** The domain and all its parents. */
function suffixes(domain: string): string[] {
  const labels = domain.split('.')
  return labels.map((_, index) => labels.slice(index).join('.'))
}

/** The narrower of two overlapping patterns, which is their intersection. */
export function narrowerPattern(first: string, second: string): string {
  if (first === '*') return second
  if (second === '*' || !first.startsWith('*.')) return first
  return !second.startsWith('*.') || second.length > first.length ? second : first
}

/** A domain that the pattern matches. For a wildcard it has a label that no connector names. */
export function exampleDomain(pattern: string): string {
  if (pattern === '*') return anyLabel
  return pattern.startsWith('*.') ? `${anyLabel}.${pattern.slice(2)}` : pattern
}

const anyLabel = '_any'
