/** Pairs the inbound and the outbound connector of each partner. Pure. */
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import { type Connector, Overlaps } from './overlaps.ts'

export interface Pair {
  /** Identifies the pair in addresses: a domain that only this pair names, otherwise the id of a connector. */
  name: string
  kind: 'Partner' | 'YourServers' | 'EveryDomain'
  domains: string[]
  inbound: InboundConnector | null
  outbound: OutboundConnector | null
}

const withoutCatchAll = (patterns: readonly string[]): string[] =>
  patterns.filter((pattern) => pattern !== '*')

/**
 * A connector may be in several pairs, such as an outbound connector for all partners. Each connector is in at least
 * one.
 */
export function pairConnectors(
  inbound: readonly InboundConnector[],
  outbound: readonly OutboundConnector[],
): Pair[] {
  const inboundPartners = inbound.filter(isPartnerPair)
  const outboundPartners = outbound.filter(isPartnerPair)
  const inboundOverlaps = new Overlaps(inboundPartners, (c) => withoutCatchAll(c.senderDomains))
  const outboundOverlaps = new Overlaps(outboundPartners, (c) => withoutCatchAll(c.recipientDomains))

  const pairs: [InboundConnector | null, OutboundConnector | null][] = inboundPartners.map((connector) => [
    connector,
    outboundOverlaps.best(withoutCatchAll(connector.senderDomains)),
  ])
  const paired = new Set(pairs.map(([, connector]) => connector))
  for (const connector of outboundPartners)
    if (!paired.has(connector))
      pairs.push([inboundOverlaps.best(withoutCatchAll(connector.recipientDomains)), connector])

  const partnerRows = pairs.map(
    ([first, second]): Unnamed => ({
      kind: 'Partner',
      domains: commonDomains(first, second),
      inbound: first,
      outbound: second,
    }),
  )
  const isOther = (connector: Connector) => !isPartnerPair(connector)
  const others = [
    ...inbound.filter(isOther).map((connector) => otherRow(connector, connector, null)),
    ...outbound.filter(isOther).map((connector) => otherRow(connector, null, connector)),
  ]
  return named([...partnerRows, ...others])
}

type Unnamed = Omit<Pair, 'name'>

const isPartnerType = ({ connectorType }: Connector): boolean => connectorType === 'Partner'

const patternsOf = (connector: Connector): readonly string[] =>
  'senderDomains' in connector ? connector.senderDomains : connector.recipientDomains

/** A connector for no particular partner has a row of its own. */
const isPartnerPair = (connector: Connector): boolean =>
  isPartnerType(connector) && withoutCatchAll(patternsOf(connector)).length > 0

function commonDomains(inbound: InboundConnector | null, outbound: OutboundConnector | null): string[] {
  const [first, second] = [inbound?.senderDomains ?? [], outbound?.recipientDomains ?? []]
  const common = first.filter((pattern) => second.includes(pattern))
  if (common.length > 0) return withoutCatchAll(common)
  return withoutCatchAll(first.length > 0 ? first : second)
}

function otherRow(
  connector: Connector,
  inbound: InboundConnector | null,
  outbound: OutboundConnector | null,
): Unnamed {
  const accepted = outbound?.allAcceptedDomains ? ['accepted domains'] : []
  return {
    kind: isPartnerType(connector) ? 'EveryDomain' : 'YourServers',
    domains: [...accepted, ...patternsOf(connector)],
    inbound,
    outbound,
  }
}

function named(pairs: readonly Unnamed[]): Pair[] {
  const uses = new Map<string, number>()
  for (const { domains } of pairs) for (const domain of domains) uses.set(domain, (uses.get(domain) ?? 0) + 1)
  const seen = new Set<string>()
  return pairs.map((pair) => {
    const domain =
      pair.kind === 'Partner'
        ? pair.domains.find((each) => uses.get(each) === 1 && !each.startsWith('*'))
        : undefined
    const ids = [pair.inbound?.id, pair.outbound?.id].filter((id) => id !== undefined)
    const name = domain ?? ids.find((id) => !seen.has(id)) ?? ids.join('+')
    for (const id of ids) seen.add(id)
    return { ...pair, name }
  })
}

/** @param name of a pair, a domain, or the id of a connector */
export function findPair(pairs: readonly Pair[], name: string): Pair | null {
  const wanted = name.toLowerCase()
  return (
    pairs.find((pair) => pair.name.toLowerCase() === wanted) ??
    pairs.find(({ domains }) => domains.includes(wanted)) ??
    pairs.find(({ inbound, outbound }) => [inbound, outbound].some((c) => c?.id.toLowerCase() === wanted)) ??
    null
  )
}

export const kindTexts: Readonly<Record<Pair['kind'], string>> = {
  Partner: 'Partner',
  YourServers: 'Your servers',
  EveryDomain: 'Every domain',
}

export const titleOf = ({ kind, domains, inbound, outbound }: Pair): string =>
  kind === 'Partner' ? (domains[0] ?? '') : (inbound?.name ?? outbound?.name ?? '')
