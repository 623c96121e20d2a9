/**
 * Forced TLS with a partner needs two connectors, one for each direction. If one is forgotten, half of the mail goes in
 * the clear while all believe it protected. The selection itself says what is in force.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { selectOutbound } from '../outbound.ts'
import { compileSnapshot, first, matchesByDomain, type Snapshot } from '../snapshot.ts'
import { few } from '../words.ts'
import { exampleOf, narrower, Patterns } from './patterns.ts'
import type { Surroundings, Warning } from './warning.ts'

/** Warns about the partner's domains to which no connector forces TLS. */
export function unprotectedTo(connector: InboundConnector, all: Surroundings): Warning[] {
  if (connector.connectorType !== 'Partner') return []
  const patternsOf = ({ recipientDomains }: OutboundConnector) => recipientDomains
  const counterpart = counterpartOf(connector.senderDomains, all.outbound, patternsOf)
  const ours = all.outbound.filter((other) => other.enabled && other.allAcceptedDomains)
  const outbound = [...new Set([...counterpart.connectors, ...ours])]
  const snapshot = compileSnapshot({ ...all, version: 0, inbound: [], outbound })
  return warningsFor('senderDomains', counterpart, (domain) => missingTo(snapshot, domain), {
    consequence: (domains) => `mail to ${domains} is not forced to use TLS`,
    nobody: 'there is no outbound connector for',
  })
}

/** Warns about the partner's domains from which no connector requires TLS. */
export function unprotectedFrom(connector: OutboundConnector, all: Surroundings): Warning[] {
  if (connector.connectorType !== 'Partner') return []
  const partners = all.inbound.filter(({ connectorType }) => connectorType === 'Partner')
  const counterpart = counterpartOf(connector.recipientDomains, partners, (it) => it.senderDomains)
  const snapshot = compileSnapshot({ ...all, version: 0, inbound: counterpart.connectors, outbound: [] })
  return warningsFor('recipientDomains', counterpart, (domain) => missingFrom(snapshot, domain), {
    consequence: (domains) => `mail from ${domains} is accepted in the clear`,
    nobody: 'there is no inbound Partner connector for',
  })
}

/**
 * The reason why a domain is unprotected: a clause, or null when no connector matches. Undefined when it is protected.
 */
type Missing = string | null | undefined

function missingTo(snapshot: Snapshot, domain: string): Missing {
  const winner = selectOutbound(snapshot, domain)
  if (winner === null) return null
  if (winner.mode === 'ReportOnly') return `outbound connector "${winner.name}" only reports`
  return winner.tlsSettings === null ? `outbound connector "${winner.name}" does not force TLS` : undefined
}

function missingFrom({ partners }: Snapshot, domain: string): Missing {
  const winner = first(matchesByDomain(partners.Enforce, domain))
  if (winner !== null)
    return winner.connector.requireTls
      ? undefined
      : `inbound connector "${winner.connector.name}" does not require TLS`
  const trial = first(matchesByDomain(partners.ReportOnly, domain))
  return trial && `inbound connector "${trial.connector.name}" only reports`
}

interface Counterpart<C> {
  /** Connectors of the other direction that overlap with the patterns. */
  connectors: C[]
  /**
   * The connector's patterns without `*`, which means no particular partner, and the parts shared with other
   * connectors.
   */
  parts: ReadonlyMap<string, ReadonlySet<string>>
}

function counterpartOf<C extends { enabled: boolean }>(
  patterns: readonly string[],
  others: readonly C[],
  patternsOf: (other: C) => readonly string[],
): Counterpart<C> {
  const parts = new Map(patterns.filter((it) => it !== '*').map((pattern) => [pattern, new Set([pattern])]))
  const index = new Patterns([...parts.keys()])
  const meets = (other: string): boolean => {
    if (other === '*') return true
    const shared = [...index.overlapping(other)]
    for (const mine of shared) parts.get(mine)?.add(narrower(mine, other))
    return shared.length > 0
  }
  const connectors = others.filter((other) => other.enabled && patternsOf(other).filter(meets).length > 0)
  return { connectors, parts }
}

interface Words {
  consequence(domains: string): string
  nobody: string
}

/** A pattern is protected when some part of it is: how a partner divides its domains is unknown here. */
function warningsFor<C>(
  path: string,
  { parts }: Counterpart<C>,
  missing: (domain: string) => Missing,
  { consequence, nobody }: Words,
): Warning[] {
  const unprotected = [...parts].flatMap(([pattern, shared]) => {
    let because: string | null = null
    for (const part of shared) {
      const why = missing(exampleOf(part))
      if (why === undefined) return []
      because ??= why
    }
    return [{ pattern, because }]
  })
  return [...Map.groupBy(unprotected, ({ because }) => because)].map(([because, of]) => {
    const why = because ?? `${nobody} ${of.length === 1 ? 'it' : 'them'}`
    return { path, message: `${consequence(few(of.map(({ pattern }) => pattern)))}: ${why}` }
  })
}
