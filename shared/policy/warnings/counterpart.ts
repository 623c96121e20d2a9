/**
 * Forced TLS with a partner needs two connectors, one for each direction. If one is forgotten, half of the mail goes in
 * the clear while all believe it protected. The selection itself says what is in force.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { selectOutbound } from '../outbound.ts'
import { compileSnapshot, first, matchesByDomain, type Snapshot } from '../snapshot.ts'
import { proseList } from '../text-lists.ts'
import { exampleDomain, narrowerPattern, PatternIndex } from './pattern-index.ts'
import type { OtherConnectors, Warning } from './warning.ts'

/** Warns about the partner's domains to which no connector forces TLS. */
export function unprotectedOutbound(connector: InboundConnector, all: OtherConnectors): Warning[] {
  if (connector.connectorType !== 'Partner') return []
  const patternsOf = ({ recipientDomains }: OutboundConnector) => recipientDomains
  const counterpart = counterpartOf(connector.senderDomains, all.outbound, patternsOf)
  const acceptedDomainConnectors = all.outbound.filter((other) => other.enabled && other.allAcceptedDomains)
  const outbound = [...new Set([...counterpart.connectors, ...acceptedDomainConnectors])]
  const snapshot = compileSnapshot({ ...all, version: 0, inbound: [], outbound })
  return warningsFor('senderDomains', counterpart, (domain) => outboundGap(snapshot, domain), {
    consequence: (domains) => `mail to ${domains} is not forced to use TLS`,
    noCounterpart: 'there is no outbound connector for',
  })
}

/** Warns about the partner's domains from which no connector requires TLS. */
export function unprotectedInbound(connector: OutboundConnector, all: OtherConnectors): Warning[] {
  if (connector.connectorType !== 'Partner') return []
  const partners = all.inbound.filter(({ connectorType }) => connectorType === 'Partner')
  const counterpart = counterpartOf(connector.recipientDomains, partners, (it) => it.senderDomains)
  const snapshot = compileSnapshot({ ...all, version: 0, inbound: counterpart.connectors, outbound: [] })
  return warningsFor('recipientDomains', counterpart, (domain) => inboundGap(snapshot, domain), {
    consequence: (domains) => `mail from ${domains} is accepted in the clear`,
    noCounterpart: 'there is no inbound Partner connector for',
  })
}

/**
 * The reason why a domain is unprotected: a clause, or null when no connector matches. Undefined when it is protected.
 */
type ProtectionGap = string | null | undefined

function outboundGap(snapshot: Snapshot, domain: string): ProtectionGap {
  const winner = selectOutbound(snapshot, domain)
  if (winner === null) return null
  if (winner.mode === 'ReportOnly') return `outbound connector "${winner.name}" only reports`
  return winner.tlsSettings === null ? `outbound connector "${winner.name}" does not force TLS` : undefined
}

function inboundGap({ partners }: Snapshot, domain: string): ProtectionGap {
  const winner = first(matchesByDomain(partners.Enforce, domain))
  if (winner !== null)
    return winner.connector.requireTls
      ? undefined
      : `inbound connector "${winner.connector.name}" does not require TLS`
  const reportOnlyRule = first(matchesByDomain(partners.ReportOnly, domain))
  return reportOnlyRule && `inbound connector "${reportOnlyRule.connector.name}" only reports`
}

interface Counterpart<C> {
  /** Connectors of the other direction that overlap with the patterns. */
  connectors: C[]
  /**
   * The connector's patterns without `*`, which means no particular partner, and the parts shared with other
   * connectors.
   */
  overlapsByPattern: ReadonlyMap<string, ReadonlySet<string>>
}

function counterpartOf<C extends { enabled: boolean }>(
  patterns: readonly string[],
  others: readonly C[],
  patternsOf: (other: C) => readonly string[],
): Counterpart<C> {
  const overlapsByPattern = new Map(
    patterns.filter((it) => it !== '*').map((pattern) => [pattern, new Set([pattern])]),
  )
  const index = new PatternIndex([...overlapsByPattern.keys()])
  const overlaps = (other: string): boolean => {
    if (other === '*') return true
    const shared = [...index.overlapping(other)]
    for (const own of shared) overlapsByPattern.get(own)?.add(narrowerPattern(own, other))
    return shared.length > 0
  }
  const connectors = others.filter((other) => other.enabled && patternsOf(other).filter(overlaps).length > 0)
  return { connectors, overlapsByPattern }
}

interface MessageParts {
  consequence(domains: string): string
  noCounterpart: string
}

/** A pattern is protected when some part of it is: how a partner divides its domains is unknown here. */
function warningsFor<C>(
  path: string,
  { overlapsByPattern }: Counterpart<C>,
  gapOf: (domain: string) => ProtectionGap,
  { consequence, noCounterpart }: MessageParts,
): Warning[] {
  const unprotected = [...overlapsByPattern].flatMap(([pattern, shared]) => {
    let because: string | null = null
    for (const part of shared) {
      const why = gapOf(exampleDomain(part))
      if (why === undefined) return []
      because ??= why
    }
    return [{ pattern, because }]
  })
  return [...Map.groupBy(unprotected, ({ because }) => because)].map(([because, of]) => {
    const why = because ?? `${noCounterpart} ${of.length === 1 ? 'it' : 'them'}`
    return { path, message: `${consequence(proseList(of.map(({ pattern }) => pattern)))}: ${why}` }
  })
}
