/**
 * Warns about connectors that match the same domains. The selection itself, with a snapshot of just the two, says which
 * takes precedence.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { plaintext } from '../../contract/message.ts'
import { inboundOrder, outboundOrder } from '../explain/precedence.ts'
import { judgeInbound } from '../inbound.ts'
import { demand, restrictions, revocationRank } from '../order.ts'
import { outboundInOrder } from '../outbound.ts'
import { compileSnapshot, matchesByDomain } from '../snapshot.ts'
import { shareIdentity } from './identity.ts'
import { readsAuthoritiesOutbound } from './own.ts'
import { overlapsWith } from './shared-domains.ts'
import type { Extent, Surroundings, Warning } from './warning.ts'
import { describe, type Selected } from './who-wins.ts'

/**
 * Compares Partner with Partner connectors of the same mode, and OnPremises with OnPremises connectors. Other pairs
 * apply side by side.
 */
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

/** Compares each requirement, not their number: a certificate instead of an address is one lost and one gained. */
function demandsAllInbound(one: InboundConnector, other: InboundConnector): boolean {
  const flags = ['requireTls', 'restrictDomainsToCertificate', 'restrictDomainsToIpAddresses'] as const
  return (
    flags.every((flag) => one[flag] || !other[flag]) &&
    one.minimumTlsVersion >= other.minimumTlsVersion &&
    (revocationRank(one) >= revocationRank(other) || !other.restrictDomainsToCertificate) &&
    (one.requireClientAuthEku || !other.requireClientAuthEku || !other.restrictDomainsToCertificate)
  )
}

const demandsAllOutbound = (one: OutboundConnector, other: OutboundConnector): boolean =>
  demand(one) >= demand(other) &&
  one.minimumTlsVersion >= other.minimumTlsVersion &&
  (revocationRank(one) >= revocationRank(other) || readsAuthoritiesOutbound(other) !== null)

const isRival = <C extends InboundConnector | OutboundConnector>(connector: C, other: C): boolean =>
  other.enabled && other.id !== connector.id

function firstPartner(
  one: InboundConnector,
  other: InboundConnector,
  domain: string,
): Selected<InboundConnector> {
  const { partners } = compileSnapshot({ ...nothing, inbound: [one, other] })
  return firstOfBoth([...matchesByDomain(partners[one.mode], domain)].map(({ connector }) => connector))
}

/** The selection needs a client that both identify, so both get the same address. */
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
