/**
 * Warns about connectors that match the same domains. The selection, with a snapshot of only the two connectors,
 * determines which takes precedence.
 */
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { noTls } from '../../contract/message.ts'
import { inboundOrder, outboundOrder } from '../explain/precedence.ts'
import { evaluateInbound } from '../inbound.ts'
import { requirementStrength, restrictionCount, revocationRank, tlsLevels } from '../order.ts'
import { outboundByPrecedence } from '../outbound.ts'
import { compileSnapshot, matchesByDomain } from '../snapshot.ts'
import { canIdentifySameClient } from './identity.ts'
import { inboundCandidates, outboundCandidates } from './overlap-candidates.ts'
import { describeOverlaps, type Selected } from './precedence.ts'
import { findOverlaps } from './shared-domains.ts'
import { unverifiedReasonOutbound } from './single-connector.ts'
import type { ComparedConnectors, Warning, WarningScope } from './warning.ts'

/**
 * Compares Partner with Partner connectors of the same mode, and OnPremises with OnPremises connectors. Other pairs
 * apply side by side.
 */
export function inboundOverlaps(
  connector: InboundConnector,
  all: ComparedConnectors,
  now: Date,
  scope: WarningScope,
): Warning[] {
  const { connectorType, mode, senderDomains } = connector
  const candidates = inboundCandidates(all, senderDomains)
  const others = all.inbound.filter(
    (other) =>
      candidates.has(other) &&
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
    scope,
  )
}

export function outboundOverlaps(
  connector: OutboundConnector,
  all: ComparedConnectors,
  scope: WarningScope,
): Warning[] {
  const accepted = all.acceptedDomains.map(({ domain }) => domain)
  const isAccepted = new Set(accepted)
  const fieldPatterns = [
    ...connector.recipientDomains.map((pattern, index) => ({ pattern, path: `recipientDomains[${index}]` })),
    ...(connector.allAcceptedDomains
      ? accepted.map((pattern) => ({ pattern, path: 'allAcceptedDomains' }))
      : []),
  ]
  const candidates = outboundCandidates(
    all,
    fieldPatterns.map(({ pattern }) => pattern),
  )
  const others = all.outbound.filter((other) => candidates.has(other) && isOtherEnabled(connector, other))
  const patternsOf = ({ recipientDomains, allAcceptedDomains }: OutboundConnector) =>
    allAcceptedDomains ? [...recipientDomains, ...accepted] : recipientDomains
  return describeOverlaps(
    connector,
    findOverlaps(fieldPatterns, others, patternsOf),
    {
      select: (other, domain) => firstOutbound(connector, other, domain, isAccepted.has(domain)),
      orderOf: (compared, domain) => outboundOrder(compared, domain ?? '', isAccepted.has(domain ?? '')),
      strengthOf: requirementStrength,
      requiresAll: requiresAllOutbound,
    },
    scope,
  )
}

/**
 * Compares each requirement, not their number: two connectors may have equally many requirements, but different ones.
 */
function requiresAllInbound(first: InboundConnector, second: InboundConnector): boolean {
  const flags = [
    'requireTls',
    'restrictDomainsToCertificate',
    'restrictDomainsToIpAddresses',
    'requireDmarc',
  ] as const
  return (
    flags.every((flag) => first[flag] || !second[flag]) &&
    first.minimumTlsVersion >= second.minimumTlsVersion &&
    (revocationRank(first) >= revocationRank(second) || !second.restrictDomainsToCertificate) &&
    (first.requireClientAuthEku || !second.requireClientAuthEku || !second.restrictDomainsToCertificate)
  )
}

const requiresAllOutbound = (first: OutboundConnector, second: OutboundConnector): boolean =>
  tlsLevels.indexOf(first.tlsSettings) >= tlsLevels.indexOf(second.tlsSettings) &&
  policyModeFields.every((field) => first[field] === 'Mandatory' || second[field] !== 'Mandatory') &&
  first.minimumTlsVersion >= second.minimumTlsVersion &&
  (revocationRank(first) >= revocationRank(second) || unverifiedReasonOutbound(second) !== null)

const policyModeFields = ['smtpDaneMode', 'mtaStsMode'] as const

const isOtherEnabled = <C extends InboundConnector | OutboundConnector>(connector: C, other: C): boolean =>
  other.enabled && other.id !== connector.id

function firstPartner(
  connector: InboundConnector,
  other: InboundConnector,
  domain: string,
): Selected<InboundConnector> {
  const { partners } = compileSnapshot({ ...emptySet, inbound: [connector, other] })
  return firstOfBoth([...matchesByDomain(partners[connector.mode], domain)].map((rule) => rule.connector))
}

/** The selection needs a client that both connectors identify, so both get the same address. */
function firstOnPremises(
  connector: InboundConnector,
  other: InboundConnector,
  domain: string,
  at: Date,
): Selected<InboundConnector> {
  if (!canIdentifySameClient(connector, other)) return null
  const sharedIdentity = {
    senderIpAddresses: ['127.0.0.1'],
    tlsSenderCertificateNames: [],
    certificateFingerprints: [],
  }
  const inbound = [connector, other].map((original) => ({ ...original, ...sharedIdentity }))
  const session = { ip: '127.0.0.1', tls: noTls, mailFrom: `postmaster@${domain}`, at }
  const selected = evaluateInbound(compileSnapshot({ ...emptySet, inbound }), session).attributedTo
  return [connector, other].find(({ id }) => id === selected?.id) ?? null
}

function firstOutbound(
  connector: OutboundConnector,
  other: OutboundConnector,
  domain: string,
  accepted: boolean,
): Selected<OutboundConnector> {
  const acceptedDomains = accepted ? [{ domain }] : []
  const snapshot = compileSnapshot({ ...emptySet, outbound: [connector, other], acceptedDomains })
  return firstOfBoth([...outboundByPrecedence(snapshot, domain)])
}

const emptySet = { version: 0, inbound: [], outbound: [], acceptedDomains: [] }

const firstOfBoth = <C>(inOrder: readonly C[]): Selected<C> =>
  new Set(inOrder).size < 2 ? null : (inOrder[0] ?? null)
