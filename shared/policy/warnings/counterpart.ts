/**
 * Forced TLS with a partner needs two connectors, one for each direction. If one is forgotten, mail in that
 * direction is sent in the clear, although the administrator believes that it is protected. The checks use the same
 * selection as the decision.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { requiresNextHopTls } from '../mandatory-policies.ts'
import { selectOutbound } from '../outbound.ts'
import { compileSnapshot, firstOrNull, matchesByDomain, type Snapshot } from '../snapshot.ts'
import { proseList } from '../text-lists.ts'
import { inboundCandidates, outboundCandidates } from './overlap-candidates.ts'
import { exampleDomain, narrowerPattern, PatternIndex } from './pattern-index.ts'
import type { ComparedConnectors, Warning } from './warning.ts'

/** Warns about domains of the partner for which no outbound connector forces TLS. */
export function unprotectedOutbound(connector: InboundConnector, all: ComparedConnectors): Warning[] {
  if (connector.connectorType !== 'Partner') return []
  const patternsOf = ({ recipientDomains }: OutboundConnector) => recipientDomains
  const candidates = [...outboundCandidates(all, connector.senderDomains)]
  const counterpart = counterpartOf(connector.senderDomains, candidates, patternsOf)
  const acceptedDomainConnectors = all.outbound.filter((other) => other.enabled && other.allAcceptedDomains)
  const outbound = [...new Set([...counterpart.connectors, ...acceptedDomainConnectors])]
  const snapshot = compileSnapshot({ ...all, version: 0, inbound: [], outbound })
  return warningsFor('senderDomains', counterpart, (domain) => outboundGap(snapshot, domain), {
    consequence: (domains) => `mail to ${domains} is not forced to use TLS`,
    noCounterpart: 'there is no outbound connector for',
  })
}

/** Warns about domains of the partner for which no inbound connector requires TLS. */
export function unprotectedInbound(connector: OutboundConnector, all: ComparedConnectors): Warning[] {
  if (connector.connectorType !== 'Partner') return []
  const candidates = [...inboundCandidates(all, connector.recipientDomains)]
  const partners = candidates.filter(({ connectorType }) => connectorType === 'Partner')
  const counterpart = counterpartOf(connector.recipientDomains, partners, (partner) => partner.senderDomains)
  const snapshot = compileSnapshot({ ...all, version: 0, inbound: counterpart.connectors, outbound: [] })
  return warningsFor('recipientDomains', counterpart, (domain) => inboundGap(snapshot, domain), {
    consequence: (domains) => `the other direction, mail from ${domains}, is accepted in the clear`,
    noCounterpart: 'there is no inbound Partner connector for',
  })
}

/**
 * The reason why a domain is unprotected: a clause, or null when no connector matches the domain. Undefined for a
 * protected domain.
 */
type ProtectionGap = string | null | undefined

function outboundGap(snapshot: Snapshot, domain: string): ProtectionGap {
  const winner = selectOutbound(snapshot, domain)
  if (winner === null) return null
  if (winner.mode === 'ReportOnly') return `outbound connector "${winner.name}" only reports`
  return requiresNextHopTls(winner) ? undefined : `outbound connector "${winner.name}" does not force TLS`
}

function inboundGap({ partners }: Snapshot, domain: string): ProtectionGap {
  const winner = firstOrNull(matchesByDomain(partners.Enforce, domain))
  if (winner !== null)
    return winner.connector.requireTls
      ? undefined
      : `inbound connector "${winner.connector.name}" does not require TLS`
  const reportOnlyRule = firstOrNull(matchesByDomain(partners.ReportOnly, domain))
  return reportOnlyRule && `inbound connector "${reportOnlyRule.connector.name}" only reports`
}

interface Counterpart<C> {
  /** Connectors of the other direction that overlap with the patterns. */
  connectors: C[]
  /**
   * By pattern of the connector: the pattern itself, and its intersections with the patterns of the other connectors.
   * The pattern `*` is left out, because it stands for no particular partner.
   */
  overlapsByPattern: ReadonlyMap<string, ReadonlySet<string>>
}

function counterpartOf<C extends { enabled: boolean }>(
  patterns: readonly string[],
  others: readonly C[],
  patternsOf: (other: C) => readonly string[],
): Counterpart<C> {
  const overlapsByPattern = new Map(
    patterns.filter((pattern) => pattern !== '*').map((pattern) => [pattern, new Set([pattern])]),
  )
  const index = new PatternIndex([...overlapsByPattern.keys()])
  const overlaps = (otherPattern: string): boolean => {
    if (otherPattern === '*') return true
    const overlappingPatterns = [...index.overlapping(otherPattern)]
    for (const pattern of overlappingPatterns)
      overlapsByPattern.get(pattern)?.add(narrowerPattern(pattern, otherPattern))
    return overlappingPatterns.length > 0
  }
  const connectors = others.filter((other) => other.enabled && patternsOf(other).filter(overlaps).length > 0)
  return { connectors, overlapsByPattern }
}

interface MessageParts {
  consequence(domains: string): string
  noCounterpart: string
}

/**
 * A pattern counts as protected when any part of it is protected: mailflow does not know how a partner divides its
 * domains.
 */
function warningsFor<C>(
  path: string,
  { overlapsByPattern }: Counterpart<C>,
  gapOf: (domain: string) => ProtectionGap,
  { consequence, noCounterpart }: MessageParts,
): Warning[] {
  const unprotected = [...overlapsByPattern].flatMap(([pattern, shared]) => {
    let reason: string | null = null
    for (const part of shared) {
      const gap = gapOf(exampleDomain(part))
      if (gap === undefined) return []
      reason ??= gap
    }
    return [{ pattern, reason }]
  })
  return [...Map.groupBy(unprotected, ({ reason }) => reason)].map(([reason, group]) => {
    const reasonText = reason ?? `${noCounterpart} ${group.length === 1 ? 'it' : 'them'}`
    return { path, message: `${consequence(proseList(group.map(({ pattern }) => pattern)))}: ${reasonText}` }
  })
}
