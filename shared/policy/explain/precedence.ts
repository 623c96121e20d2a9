/** Why one connector goes before another: the order of order.ts and outbound.ts, in words. */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { bestPattern, demand, restrictions, specificity } from '../order.ts'
import type { Finding } from './considered.ts'

/** How two connectors for one domain are ordered: the higher goes first, compared number by number. */
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
  // Below every name, above everyone.
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

/** Why the winner goes first. Reads after its name. */
export function because<C>(
  winner: C,
  loser: C,
  domain: string | null,
  orderOf: (connector: C, domain: string | null) => Order,
): string {
  const [first, second] = [orderOf(winner, domain), orderOf(loser, domain)]
  if (first.specificity !== second.specificity)
    return `is for ${first.pattern}, which is more specific than ${second.pattern}`
  return first.demand !== second.demand ? 'demands more' : 'comes first by name'
}

/** What brings an outbound connector into question for a domain. */
export function patternOf(connector: OutboundConnector, domain: string, accepted: boolean): string | null {
  const pattern = bestPattern(connector.recipientDomains, domain)
  if (!connector.allAcceptedDomains || !accepted || (pattern !== null && pattern !== '*')) return pattern
  return 'allAcceptedDomains'
}
