/**
 * Warns about connectors that match the same domains. The selection itself, with a snapshot of just the two, says which
 * takes precedence.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { noTls } from '../../contract/message.ts'
import { inboundOrder, outboundOrder } from '../explain/precedence.ts'
import { evaluateInbound } from '../inbound.ts'
import { requirementStrength, restrictionCount, revocationRank } from '../order.ts'
import { outboundByPrecedence } from '../outbound.ts'
import { compileSnapshot, matchesByDomain } from '../snapshot.ts'
import { canIdentifySameClient } from './identity.ts'
import { describeOverlaps, type Selected } from './precedence.ts'
import { findOverlaps } from './shared-domains.ts'
import { unverifiedReasonOutbound } from './single-connector.ts'
import type { OtherConnectors, Warning, WarningScope } from './warning.ts'

/**
 * Compares Partner with Partner connectors of the same mode, and OnPremises with OnPremises connectors. Other pairs
 * apply side by side.
 */
export function inboundOverlaps(
  connector: InboundConnector,
  all: OtherConnectors,
  now: Date,
  extent: WarningScope,
): Warning[] {
  const { connectorType, mode, senderDomains } = connector
  const others = all.inbound.filter(
    (other) =>
      isOtherEnabled(connector, other) &&
      other.connectorType === connectorType &&
      (connectorType === 'OnPremises' || other.mode === mode),
  )
  const fieldPatterns = senderDomains.map((pattern, index) => ({ pattern, path: `senderDomains[${index}]` }))
  return describeOverlaps(
    connector,
    findOverlaps(fieldPatterns, others, (other) => other.senderDomains),
    {
      select: (other, domain) =>
        connectorType === 'Partner'
          ? firstPartner(connector, other, domain)
          : firstOnPremises(connector, other, domain, now),
      orderOf: inboundOrder,
      strengthOf: restrictionCount,
      requiresAll: requiresAllInbound,
    },
    extent,
  )
}

export function outboundOverlaps(
  connector: OutboundConnector,
  all: OtherConnectors,
  extent: WarningScope,
): Warning[] {
  const accepted = all.acceptedDomains.map(({ domain }) => domain)
  const isAccepted = new Set(accepted)
  const fieldPatterns = [
    ...connector.recipientDomains.map((pattern, index) => ({ pattern, path: `recipientDomains[${index}]` })),
    ...(connector.allAcceptedDomains
      ? accepted.map((pattern) => ({ pattern, path: 'allAcceptedDomains' }))
      : []),
  ]
  const others = all.outbound.filter((other) => isOtherEnabled(connector, other))
  const patternsOf = ({ recipientDomains, allAcceptedDomains }: OutboundConnector) =>
    allAcceptedDomains ? [...recipientDomains, ...accepted] : recipientDomains
  return describeOverlaps(
    connector,
    findOverlaps(fieldPatterns, others, patternsOf),
    {
      select: (other, domain) => firstOutbound(connector, other, domain, isAccepted.has(domain)),
      orderOf: (it, domain) => outboundOrder(it, domain ?? '', isAccepted.has(domain ?? '')),
      strengthOf: requirementStrength,
      requiresAll: requiresAllOutbound,
    },
    extent,
  )
}

/** Compares each requirement, not their number: a certificate instead of an address is one lost and one gained. */
function requiresAllInbound(one: InboundConnector, other: InboundConnector): boolean {
  const flags = ['requireTls', 'restrictDomainsToCertificate', 'restrictDomainsToIpAddresses'] as const
  return (
    flags.every((flag) => one[flag] || !other[flag]) &&
    one.minimumTlsVersion >= other.minimumTlsVersion &&
    (revocationRank(one) >= revocationRank(other) || !other.restrictDomainsToCertificate) &&
    (one.requireClientAuthEku || !other.requireClientAuthEku || !other.restrictDomainsToCertificate)
  )
}

const requiresAllOutbound = (one: OutboundConnector, other: OutboundConnector): boolean =>
  requirementStrength(one) >= requirementStrength(other) &&
  one.minimumTlsVersion >= other.minimumTlsVersion &&
  (revocationRank(one) >= revocationRank(other) || unverifiedReasonOutbound(other) !== null)

const isOtherEnabled = <C extends InboundConnector | OutboundConnector>(connector: C, other: C): boolean =>
  other.enabled && other.id !== connector.id

function firstPartner(
  one: InboundConnector,
  other: InboundConnector,
  domain: string,
): Selected<InboundConnector> {
  const { partners } = compileSnapshot({ ...emptySet, inbound: [one, other] })
  return firstOfBoth([...matchesByDomain(partners[one.mode], domain)].map(({ connector }) => connector))
}

/** The selection needs a client that both identify, so both get the same address. */
function firstOnPremises(
  one: InboundConnector,
  other: InboundConnector,
  domain: string,
  at: Date,
): Selected<InboundConnector> {
  if (!canIdentifySameClient(one, other)) return null
  const sharedIdentity = {
    senderIpAddresses: ['127.0.0.1'],
    tlsSenderCertificateNames: [],
    certificateFingerprints: [],
  }
  const inbound = [one, other].map((connector) => ({ ...connector, ...sharedIdentity }))
  const session = { ip: '127.0.0.1', tls: noTls, mailFrom: `postmaster@${domain}`, at }
  const known = evaluateInbound(compileSnapshot({ ...emptySet, inbound }), session).attributedTo
  return [one, other].find(({ id }) => id === known?.id) ?? null
}

function firstOutbound(
  one: OutboundConnector,
  other: OutboundConnector,
  domain: string,
  accepted: boolean,
): Selected<OutboundConnector> {
  const acceptedDomains = accepted ? [{ domain }] : []
  const snapshot = compileSnapshot({ ...emptySet, outbound: [one, other], acceptedDomains })
  return firstOfBoth([...outboundByPrecedence(snapshot, domain)])
}

const emptySet = { version: 0, inbound: [], outbound: [], acceptedDomains: [] }

const firstOfBoth = <C>(inOrder: readonly C[]): Selected<C> =>
  new Set(inOrder).size < 2 ? null : (inOrder[0] ?? null)
