/**
 * A second implementation of selection, close to the specification: without indexes, and with domains and names
 * compared label by label. Tests compare the code's results with it.
 */
import { BlockList, isIP } from 'node:net'
import type { InboundConnector, OutboundConnector } from '../../../shared/connectors/schema.ts'
import type { ClientCertificate } from '../../../shared/contract/message.ts'

type Mode = InboundConnector['mode']

/** The sender in comparable form: a domain, an address without a domain, or the null reverse path. */
export type Sender = { domain: string } | 'atAnAddress' | 'nullReversePath'

export function referencePartner(
  connectors: readonly InboundConnector[],
  mode: Mode,
  sender: Sender,
  recipientDomain: string,
): InboundConnector | null {
  const candidates = connectors
    .filter((it) => it.enabled && it.connectorType === 'Partner' && it.mode === mode)
    .filter((it) => specificFor(it, sender) > 0 && isInScope(it, recipientDomain))
  return highest(candidates, (it) => [
    specificFor(it, sender),
    requirementCount(it),
    revocationStrictness(it),
  ])
}

/** @param trusts whether an authority that the connector trusts has issued the certificate */
export function referenceAttribution(
  connectors: readonly InboundConnector[],
  peer: {
    sender: Sender
    recipientDomain: string
    ip: string
    certificate: ClientCertificate | null
    at: Date
  },
  trusts: (connector: InboundConnector, certificate: ClientCertificate) => boolean,
): InboundConnector | null {
  const { sender, ip, certificate, at } = peer
  const own = connectors
    .filter((it) => it.enabled && it.connectorType === 'OnPremises')
    .filter((it) => sender === 'nullReversePath' || specificFor(it, sender) > 0)
    .filter((it) => isInScope(it, peer.recipientDomain))
  const attributions = [
    (it: InboundConnector) => certificate !== null && shows(it, certificate, at, trusts),
    (it: InboundConnector) => holds(it.senderIpAddresses, ip),
  ]
  for (const mode of ['Enforce', 'ReportOnly'])
    for (const attributes of attributions) {
      const matching = own.filter((it) => it.mode === mode && attributes(it))
      const highestRanked = highest(matching, (it) => [
        sender === 'nullReversePath' ? 0 : specificFor(it, sender),
        requirementCount(it),
        revocationStrictness(it),
      ])
      if (highestRanked) return highestRanked
    }
  return null
}

export function referenceOutbound(
  connectors: readonly OutboundConnector[],
  domain: string,
  isAccepted: boolean,
): OutboundConnector | null {
  const specific = (it: OutboundConnector): number => {
    const byName = Math.max(
      0,
      ...it.recipientDomains.filter((pattern) => pattern !== '*').map(specificOf(domain)),
    )
    if (byName > 0) return byName
    if (it.allAcceptedDomains && isAccepted) return 0.75
    const matchesEveryDomain = it.recipientDomains.includes('*') && (!isAccepted || it.route === 'SmartHosts')
    return matchesEveryDomain ? 0.5 : 0
  }
  for (const mode of ['Enforce', 'ReportOnly']) {
    const candidates = connectors.filter((it) => it.enabled && it.mode === mode && specific(it) > 0)
    const highestRanked = highest(candidates, (it) => [
      specific(it),
      level(it),
      Number(it.minimumTlsVersion === 'TLSv1.3'),
      level(it) < 2 ? 0 : strictness(it),
    ])
    if (highestRanked) return highestRanked
  }
  return null
}

const level = ({ tlsSettings }: OutboundConnector): number =>
  [null, 'EncryptionOnly', 'CertificateValidation', 'DomainValidation'].indexOf(tlsSettings)

const isInScope = ({ associatedAcceptedDomains: domains }: InboundConnector, domain: string): boolean =>
  domains.length === 0 || domains.some((each) => each === domain)

/** The number of requirements that a connector has of a sender. */
function requirementCount(it: InboundConnector): number {
  let count = 0
  if (it.requireTls) count += 1
  if (it.minimumTlsVersion === 'TLSv1.3') count += 1
  if (it.restrictDomainsToCertificate) count += 1
  if (it.restrictDomainsToCertificate && it.requireClientAuthEku) count += 1
  if (it.restrictDomainsToIpAddresses) count += 1
  if (it.requireDmarc) count += 1
  return count
}

/** The revocation check affects the rank only if the connector checks a certificate. */
const revocationStrictness = (it: InboundConnector): number =>
  it.connectorType === 'OnPremises' || it.restrictDomainsToCertificate ? strictness(it) : 1

const strictness = ({ revocationCheck }: Pick<InboundConnector, 'revocationCheck'>): number =>
  ['None', 'SoftFail', 'HardFail'].indexOf(revocationCheck)

const specificFor = ({ senderDomains }: InboundConnector, sender: Sender): number => {
  if (typeof sender === 'string') return senderDomains.includes('*') ? 0.5 : 0
  return Math.max(...senderDomains.map(specificOf(sender.domain)))
}

/**
 * Ranks a pattern by how specific it is: 1000 for the exact domain, the number of labels for a wildcard, 0.5 for `*`,
 * 0 when the pattern does not match the domain.
 */
const specificOf =
  (domain: string) =>
  (pattern: string): number => {
    if (pattern === '*') return 0.5
    if (pattern === domain) return 1000
    if (!pattern.startsWith('*.')) return 0
    const patternLabels = pattern.split('.').slice(1)
    const last = domain.split('.').slice(-patternLabels.length)
    return last.join('.') === patternLabels.join('.') ? patternLabels.length : 0
  }

function shows(
  connector: InboundConnector,
  certificate: ClientCertificate,
  at: Date,
  trusts: (connector: InboundConnector, certificate: ClientCertificate) => boolean,
): boolean {
  if (Date.parse(certificate.notBefore) > at.getTime() || Date.parse(certificate.notAfter) < at.getTime())
    return false
  const { revocation } = certificate
  if (connector.revocationCheck !== 'None' && revocation?.status === 'Revoked') return false
  if (connector.revocationCheck === 'HardFail' && revocation?.status !== 'Good') return false
  if (connector.certificateFingerprints.includes(certificate.fingerprint256)) return true
  const { subjectAltNames, commonName } = certificate
  const names = subjectAltNames.length > 0 ? subjectAltNames : [commonName ?? '']
  const isNamed = names.some((name) =>
    connector.tlsSenderCertificateNames.some((pattern) => fits(name, pattern)),
  )
  return (
    isNamed && trusts(connector, certificate) && (certificate.clientAuth || !connector.requireClientAuthEku)
  )
}

/** Matches names (RFC 9525 §6.3), with a wildcard on either side. */
function fits(presented: string, pattern: string): boolean {
  const [nameLabels, patternLabels] = [presented.toLowerCase().split('.'), pattern.split('.')]
  if (nameLabels.length !== patternLabels.length) return false
  if (nameLabels.slice(1).join('.') !== patternLabels.slice(1).join('.')) return false
  return nameLabels[0] === patternLabels[0] || nameLabels[0] === '*' || patternLabels[0] === '*'
}

/** Uses Node's own list of addresses. An IPv4-mapped IPv6 address or range is treated as its IPv4 address or range. */
function holds(ranges: readonly string[], ip: string): boolean {
  const address = ip.replace('::ffff:', '')
  const family = isIP(address)
  const list = new BlockList()
  for (const range of ranges) {
    const [network = '', bits] = range.replace('::ffff:', '').split('/')
    if (isIP(network) !== family) continue
    const prefix = Number(bits ?? 128) - (range.startsWith('::ffff:') ? 96 : 0)
    list.addSubnet(network, Math.min(prefix, family === 4 ? 32 : 128), family === 4 ? 'ipv4' : 'ipv6')
  }
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function highest<C extends { name: string }>(
  connectors: readonly C[],
  rankOf: (connector: C) => number[],
): C | null {
  let best: C | null = null
  for (const connector of connectors) {
    if (best === null || precedes(rankOf(connector), connector.name, rankOf(best), best.name))
      best = connector
  }
  return best
}

function precedes(rank: number[], name: string, other: number[], otherName: string): boolean {
  for (const [index, value] of rank.entries()) {
    const against = other[index] as number
    if (value !== against) return value > against
  }
  return name < otherName
}
