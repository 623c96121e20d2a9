/** Explains why one connector takes precedence over another, by the order of order.ts and outbound.ts. */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { bestPattern, demand, restrictions, specificity } from '../order.ts'
import type { Finding } from './considered.ts'

/** Sort key of a connector for one domain; the higher one takes precedence, compared field by field. */
interface Order {
  pattern: string | null
  specificity: number
  demand: number
}

export const inboundOrder = (connector: InboundConnector, domain: string | null): Order => {
  const pattern = bestPattern(connector.senderDomains, domain)
  return {
    pattern,
    specificity: pattern === null ? -1 : specificity(pattern),
    demand: restrictions(connector),
  }
}

export function outboundOrder(connector: OutboundConnector, domain: string, accepted: boolean): Order {
  const pattern = patternOf(connector, domain, accepted)
  // Less specific than any name, more specific than `*`.
  const specific = pattern === 'allAcceptedDomains' ? 0.5 : pattern === null ? -1 : specificity(pattern)
  return { pattern, specificity: specific, demand: demand(connector) }
}

export function outranked<C extends { name: string }>(
  winner: C,
  loser: C,
  domain: string | null,
  orderOf: (connector: C, domain: string | null) => Order,
): Finding {
  return { outcome: 'Outranked', why: `"${winner.name}" ${because(winner, loser, domain, orderOf)}.` }
}

/** A clause that follows the winner's name. */
export function because<C>(
  winner: C,
  loser: C,
  domain: string | null,
  orderOf: (connector: C, domain: string | null) => Order,
): string {
  const [first, second] = [orderOf(winner, domain), orderOf(loser, domain)]
  if (first.specificity !== second.specificity)
    return `is for ${first.pattern}, which is more specific than ${second.pattern}`
  return first.demand !== second.demand ? 'has stricter requirements' : 'comes first by name'
}

/** The pattern for which an outbound connector matches a domain. */
export function patternOf(connector: OutboundConnector, domain: string, accepted: boolean): string | null {
  const pattern = bestPattern(connector.recipientDomains, domain)
  if (!connector.allAcceptedDomains || !accepted || (pattern !== null && pattern !== '*')) return pattern
  return 'allAcceptedDomains'
}
