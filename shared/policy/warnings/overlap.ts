/**
 * Connectors that speak of the same domains, of which one wins. Which one is asked of the selection itself, with a
 * snapshot of just the two, for what the two patterns have in common.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { plaintext } from '../../contract/message.ts'
import { because, inboundOrder, outboundOrder } from '../explain/precedence.ts'
import { judgeInbound } from '../inbound.ts'
import { outboundInOrder } from '../outbound.ts'
import { compileSnapshot, demand, matchesByDomain, restrictions } from '../snapshot.ts'
import { few } from '../words.ts'
import { shareIdentity } from './identity.ts'
import { exampleOf, narrower, Patterns } from './patterns.ts'
import type { Extent, Surroundings, Warning } from './warning.ts'

/** Partner with Partner, of the same mode; OnPremises with OnPremises. Others take part side by side. */
export function inboundOverlaps(
  connector: InboundConnector,
  all: Surroundings,
  now: Date,
  extent: Extent,
): Warning[] {
  const { connectorType, mode, senderDomains } = connector
  const rivals = all.inbound.filter(
    (other) =>
      isRival(connector, other) &&
      other.connectorType === connectorType &&
      (connectorType === 'OnPremises' || other.mode === mode),
  )
  const claims = senderDomains.map((pattern, index) => ({ pattern, path: `senderDomains[${index}]` }))
  return describe(
    connector,
    overlapsWith(claims, rivals, (other) => other.senderDomains),
    {
      select: (other, domain) =>
        connectorType === 'Partner'
          ? firstPartner(connector, other, domain)
          : firstOfOurs(connector, other, domain, now),
      orderOf: inboundOrder,
      demandOf: restrictions,
      demandsAll: demandsAllInbound,
    },
    extent,
  )
}

export function outboundOverlaps(connector: OutboundConnector, all: Surroundings, extent: Extent): Warning[] {
  const accepted = all.acceptedDomains.map(({ domain }) => domain)
  const isAccepted = new Set(accepted)
  const claims = [
    ...connector.recipientDomains.map((pattern, index) => ({ pattern, path: `recipientDomains[${index}]` })),
    ...(connector.allAcceptedDomains
      ? accepted.map((pattern) => ({ pattern, path: 'allAcceptedDomains' }))
      : []),
  ]
  const rivals = all.outbound.filter((other) => isRival(connector, other))
  const patternsOf = ({ recipientDomains, allAcceptedDomains }: OutboundConnector) =>
    allAcceptedDomains ? [...recipientDomains, ...accepted] : recipientDomains
  return describe(
    connector,
    overlapsWith(claims, rivals, patternsOf),
    {
      select: (other, domain) => firstOutbound(connector, other, domain, isAccepted.has(domain)),
      orderOf: (it, domain) => outboundOrder(it, domain ?? '', isAccepted.has(domain ?? '')),
      demandOf: demand,
      demandsAll: demandsAllOutbound,
    },
    extent,
  )
}

/** Not the number of the demands: a certificate instead of an address is one lost and one won. */
function demandsAllInbound(one: InboundConnector, other: InboundConnector): boolean {
  const flags = ['requireTls', 'restrictDomainsToCertificate', 'restrictDomainsToIpAddresses'] as const
  return (
    flags.every((flag) => one[flag] || !other[flag]) &&
    one.minimumTlsVersion >= other.minimumTlsVersion &&
    (one.requireClientAuthEku || !other.requireClientAuthEku || !other.restrictDomainsToCertificate)
  )
}

const demandsAllOutbound = (one: OutboundConnector, other: OutboundConnector): boolean =>
  demand(one) >= demand(other) && one.minimumTlsVersion >= other.minimumTlsVersion

const isRival = <C extends InboundConnector | OutboundConnector>(connector: C, other: C): boolean =>
  other.enabled && other.id !== connector.id

/** The one of two that goes first for a domain; null when not both are for it. */
type Selected<C> = C | null

function firstPartner(
  one: InboundConnector,
  other: InboundConnector,
  domain: string,
): Selected<InboundConnector> {
  const { partners } = compileSnapshot({ ...nothing, inbound: [one, other] })
  return firstOfBoth([...matchesByDomain(partners[one.mode], domain)].map(({ connector }) => connector))
}

/** A peer that both know is needed, so both are given the same one to know. */
function firstOfOurs(
  one: InboundConnector,
  other: InboundConnector,
  domain: string,
  at: Date,
): Selected<InboundConnector> {
  if (!shareIdentity(one, other)) return null
  const peer = {
    senderIpAddresses: ['127.0.0.1'],
    tlsSenderCertificateNames: [],
    certificateFingerprints: [],
  }
  const inbound = [one, other].map((connector) => ({ ...connector, ...peer }))
  const session = { ip: '127.0.0.1', tls: plaintext, mailFrom: `postmaster@${domain}`, at }
  const known = judgeInbound(compileSnapshot({ ...nothing, inbound }), session).attributedTo
  return [one, other].find(({ id }) => id === known?.id) ?? null
}

function firstOutbound(
  one: OutboundConnector,
  other: OutboundConnector,
  domain: string,
  accepted: boolean,
): Selected<OutboundConnector> {
  const acceptedDomains = accepted ? [{ domain }] : []
  const snapshot = compileSnapshot({ ...nothing, outbound: [one, other], acceptedDomains })
  return firstOfBoth([...outboundInOrder(snapshot, domain)])
}

const nothing = { version: 0, inbound: [], outbound: [], acceptedDomains: [] }

const firstOfBoth = <C>(inOrder: readonly C[]): Selected<C> =>
  new Set(inOrder).size < 2 ? null : (inOrder[0] ?? null)

/** A pattern of the connector, and the field that has it. */
interface Claim {
  pattern: string
  path: string
}

interface Overlap<C> {
  other: C
  path: string
  /** What the two have in common. */
  pattern: string
  same: boolean
}

/** Of each other connector so many are looked at: they say enough, and a connector may have a thousand domains. */
const mostOfEach = 10

function overlapsWith<C>(
  claims: readonly Claim[],
  others: readonly C[],
  patternsOf: (other: C) => readonly string[],
): Overlap<C>[] {
  const paths = new Map(claims.toReversed().map(({ pattern, path }) => [pattern, path]))
  const index = new Patterns([...paths.keys()])
  return others.flatMap((other) => {
    const found = new Map<string, Overlap<C>>()
    for (const pattern of patternsOf(other)) {
      for (const mine of index.overlapping(pattern)) {
        const common = narrower(mine, pattern)
        const same = mine === pattern
        // Of two that have the same in common, the one that is more like it tells more.
        if (same || !found.has(common))
          found.set(common, { other, path: paths.get(mine) ?? '', pattern: common, same })
        if (found.size >= mostOfEach) return [...found.values()]
      }
    }
    return [...found.values()]
  })
}

interface Judge<C> {
  select(other: C, domain: string): Selected<C>
  orderOf: Parameters<typeof because<C>>[3]
  demandOf(connector: C): number
  demandsAll(one: C, other: C): boolean
}

interface Decided<C> extends Overlap<C> {
  winner: C
  loser: C
  why: string
  /** Neither is for something more specific than the other. */
  level: boolean
  /** The winner asks for less than the loser does. */
  weaker: boolean
}

/** Beyond it nobody reads, and each is a selection of its own. */
const mostAsked = 500

function describe<C extends InboundConnector | OutboundConnector>(
  connector: C,
  overlaps: Overlap<C>[],
  { select, orderOf, demandOf, demandsAll }: Judge<C>,
  extent: Extent,
): Warning[] {
  const telling = overlaps.sort((one, other) => Number(other.same) - Number(one.same))
  const decided = telling.slice(0, mostAsked).flatMap((overlap): Decided<C>[] => {
    const { other, pattern } = overlap
    const domain = exampleOf(pattern)
    const winner = select(other, domain)
    if (winner === null) return []
    const loser = winner === other ? connector : other
    const why =
      winner.mode === loser.mode
        ? because(winner, loser, domain, orderOf)
        : 'is enforced, and the other only reports'
    const level = orderOf(winner, domain).specificity === orderOf(loser, domain).specificity
    const asMeant = !level && winner.mode === loser.mode && demandsAll(winner, loser)
    if (asMeant && extent === 'WhatWeakens') return []
    return [{ ...overlap, winner, loser, why, level, weaker: demandOf(winner) < demandOf(loser) }]
  })
  const warnings = [...Map.groupBy(decided, kindOf).values()]
    .sort((one, other) => Number(other[0]?.weaker) - Number(one[0]?.weaker))
    .map((group) => ({ path: group[0]?.path ?? '', message: sentence(group) }))
  const unasked = telling.length - mostAsked
  return unasked > 0
    ? [
        ...warnings,
        { path: '', message: `overlaps with others in ${unasked} more domains, which were not looked at` },
      ]
    : warnings
}

/**
 * What can be said in one sentence: that the general goes behind so many particular ones. Two that are level have
 * their own.
 */
function kindOf<C extends InboundConnector | OutboundConnector>(it: Decided<C>): string {
  const field = it.path.split('[')[0]
  const { other, winner, loser, weaker, level } = it
  return [field, winner === other, winner.mode, loser.mode, weaker, level && other.id].join(' ')
}

function sentence<C extends InboundConnector | OutboundConnector>(group: readonly Decided<C>[]): string {
  const [{ pattern, winner, loser, why, weaker }, ...more] = group as [Decided<C>, ...Decided<C>[]]
  const likewise = more.map((it) => `${it.pattern} ("${it.other.name}")`)
  return [
    `for ${spoken(pattern)} "${winner.name}" wins over "${loser.name}": it ${why}`,
    ...(weaker ? [`, and demands less than "${loser.name}"`] : []),
    ...(likewise.length > 0 ? [`; likewise for ${few(likewise)}`] : []),
  ].join('')
}

const spoken = (pattern: string): string => (pattern === '*' ? 'every other domain' : pattern)
