/**
 * Finds the connectors that can overlap with given patterns, without comparing each pair: for a file of thousands of
 * connectors, that takes minutes.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { PatternIndex } from './pattern-index.ts'
import type { ComparedConnectors } from './warning.ts'

interface PatternOwners<C> {
  index: PatternIndex
  owners: ReadonlyMap<string, readonly C[]>
}

interface Lookup {
  inbound: PatternOwners<InboundConnector>
  outbound: PatternOwners<OutboundConnector>
}

const lookups = new WeakMap<ComparedConnectors, Lookup>()

function lookupOf(all: ComparedConnectors): Lookup {
  const known = lookups.get(all)
  if (known) return known
  const accepted = all.acceptedDomains.map(({ domain }) => domain)
  const lookup = {
    inbound: patternOwners(all.inbound, ({ senderDomains }) => senderDomains),
    outbound: patternOwners(all.outbound, ({ recipientDomains, allAcceptedDomains }) =>
      allAcceptedDomains ? [...recipientDomains, ...accepted] : recipientDomains,
    ),
  }
  lookups.set(all, lookup)
  return lookup
}

function patternOwners<C>(
  connectors: readonly C[],
  patternsOf: (c: C) => readonly string[],
): PatternOwners<C> {
  const owners = new Map<string, C[]>()
  for (const connector of connectors)
    for (const pattern of patternsOf(connector)) {
      const list = owners.get(pattern)
      if (list) list.push(connector)
      else owners.set(pattern, [connector])
    }
  return { index: new PatternIndex([...owners.keys()]), owners }
}

function* ownersOf<C>({ index, owners }: PatternOwners<C>, patterns: Iterable<string>): Generator<C> {
  for (const pattern of patterns)
    for (const overlapping of index.overlapping(pattern)) yield* owners.get(overlapping) ?? []
}

/** @returns the connectors with a pattern that overlaps with one of `patterns` */
export const inboundCandidates = (all: ComparedConnectors, patterns: Iterable<string>) =>
  new Set(ownersOf(lookupOf(all).inbound, patterns))

/** @returns the connectors with a pattern, or an accepted domain, that overlaps with one of `patterns` */
export const outboundCandidates = (all: ComparedConnectors, patterns: Iterable<string>) =>
  new Set(ownersOf(lookupOf(all).outbound, patterns))
