/** Explains why one connector takes precedence over another, according to order.ts and outbound.ts. */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { bestPattern, requirementStrength, restrictionCount, specificity } from '../order.ts'
import type { Finding } from './considered.ts'

/**
 * Sort key of a connector for one domain. The higher `specificity` takes precedence, then the higher `strength`.
 * `pattern` is only for the text of the explanation.
 */
interface PrecedenceKey {
  pattern: string | null
  specificity: number
  strength: number
}

export const inboundOrder = (connector: InboundConnector, domain: string | null): PrecedenceKey => {
  const pattern = bestPattern(connector.senderDomains, domain)
  return {
    pattern,
    specificity: pattern === null ? -1 : specificity(pattern),
    strength: restrictionCount(connector),
  }
}

export function outboundOrder(
  connector: OutboundConnector,
  domain: string,
  accepted: boolean,
): PrecedenceKey {
  const pattern = patternOf(connector, domain, accepted)
  // `allAcceptedDomains` is less specific than any name, and more specific than `*`.
  const patternSpecificity =
    pattern === 'allAcceptedDomains' ? 0.5 : pattern === null ? -1 : specificity(pattern)
  return { pattern, specificity: patternSpecificity, strength: requirementStrength(connector) }
}

export function outrankedFinding<C extends { name: string }>(
  winner: C,
  loser: C,
  domain: string | null,
  orderOf: (connector: C, domain: string | null) => PrecedenceKey,
): Finding {
  return {
    outcome: 'Outranked',
    why: `"${winner.name}" ${precedenceReason(winner, loser, domain, orderOf)}.`,
  }
}

/** A clause that follows the winner's name. */
export function precedenceReason<C>(
  winner: C,
  loser: C,
  domain: string | null,
  orderOf: (connector: C, domain: string | null) => PrecedenceKey,
): string {
  const [winnerKey, loserKey] = [orderOf(winner, domain), orderOf(loser, domain)]
  if (winnerKey.specificity !== loserKey.specificity)
    return `is for ${winnerKey.pattern}, which is more specific than ${loserKey.pattern}`
  return winnerKey.strength !== loserKey.strength ? 'has stricter requirements' : 'comes first by name'
}

/** The pattern, or `allAcceptedDomains`, by which an outbound connector matches a domain; null if it does not match. */
export function patternOf(connector: OutboundConnector, domain: string, accepted: boolean): string | null {
  const pattern = bestPattern(connector.recipientDomains, domain)
  if (!connector.allAcceptedDomains || !accepted || (pattern !== null && pattern !== '*')) return pattern
  return 'allAcceptedDomains'
}
