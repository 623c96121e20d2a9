/** Warnings about one connector, without comparison to others. */
import { X509Certificate } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { findShared, openRelayFaults } from '../../connectors/open-relay.ts'
import type { AcceptedDomain, InboundConnector, OutboundConnector } from '../../connectors/schema.ts'
import { providerOfName, providerOfRange } from '../../connectors/shared-providers.ts'
import { dayMs } from '../../contract/durations.ts'
import { validFrom, validTo } from '../../tls/validity.ts'
import { requiresNextHopTls } from '../mandatory-policies.ts'
import { bestPattern } from '../order.ts'
import { proseList } from '../text-lists.ts'
import type { Warning } from './warning.ts'

export function notEnforcedWarning({ enabled, mode }: InboundConnector | OutboundConnector): Warning[] {
  if (!enabled) return [{ path: 'enabled', message: 'nothing is enforced: the connector is disabled' }]
  if (mode === 'Enforce') return []
  return [
    {
      path: 'mode',
      message: 'no requirement is enforced: violations are only recorded',
    },
  ]
}

export function inboundOwnWarnings(connector: InboundConnector, now: Date): Warning[] {
  return [
    ...(connector.connectorType === 'Partner' ? partnerWarnings(connector) : []),
    ...authorityWarnings(connector, unverifiedReasonInbound(connector), now),
    ...purposeWarning(connector),
    ...revocationWarning(connector, uncheckedReasonInbound(connector)),
    ...rateLimitWarning(connector),
    ...openRelayWarning(connector),
    ...sharedRestrictionWarnings(connector),
    ...connector.senderIpAddresses.flatMap((range, index) => wideRangeWarning(connector, range, index)),
  ]
}

export function outboundOwnWarnings(
  connector: OutboundConnector,
  acceptedDomains: readonly Pick<AcceptedDomain, 'domain'>[],
  now: Date,
): Warning[] {
  return [
    ...opportunisticWarning(connector),
    ...unseenReportOnlyWarning(connector),
    ...catchAllWarning(connector),
    ...loopWarning(connector, acceptedDomains),
    ...authorityWarnings(connector, unverifiedReasonOutbound(connector), now),
    ...revocationWarning(connector, unverifiedReasonOutbound(connector)),
  ]
}

function partnerWarnings(connector: InboundConnector): Warning[] {
  const { requireTls, restrictDomainsToCertificate, restrictDomainsToIpAddresses, requireDmarc } = connector
  const warnings: Warning[] = []
  const add = (path: string, message: string) => warnings.push({ path, message })
  const catchAllIndex = connector.senderDomains.indexOf('*')
  const hasRequirements = requireTls || restrictDomainsToCertificate || restrictDomainsToIpAddresses
  if (!hasRequirements && !requireDmarc)
    add('requireTls', 'the connector requires nothing: mail in the clear is accepted')
  if (hasRequirements && catchAllIndex >= 0 && connector.mode === 'Enforce')
    add(
      `senderDomains[${catchAllIndex}]`,
      `mail from every sender that ${missedRequirementText(connector)} is ${connector.onViolation === 'Defer' ? 'held' : 'refused'}`,
    )
  if (!restrictDomainsToCertificate)
    for (const field of ['tlsSenderCertificateNames', 'certificateFingerprints'] as const)
      if (connector[field].length > 0)
        add(field, 'restricts nothing: restrictDomainsToCertificate is false, so clients need no certificate')
  if (!restrictDomainsToIpAddresses && connector.senderIpAddresses.length > 0)
    add(
      'senderIpAddresses',
      'restricts nothing: restrictDomainsToIpAddresses is false, so mail from any address is accepted',
    )
  return warnings
}

function missedRequirementText(connector: InboundConnector): string {
  if (connector.restrictDomainsToCertificate) return 'does not present the certificate'
  if (connector.restrictDomainsToIpAddresses) return 'does not come from the listed addresses'
  return `does not use TLS${connector.minimumTlsVersion === 'TLSv1.3' ? ' 1.3' : ''}`
}

/** Concerns connectors that were saved before the API refused them. */
function openRelayWarning(connector: InboundConnector): Warning[] {
  return openRelayFaults(connector).map(({ path, message }) => ({ path, message: `open relay: ${message}` }))
}

/**
 * The attack: a customer of the partner's provider sends mail with the partner's address, and meets the restriction.
 * DMARC tells them apart by DKIM. Not covered: DMARC that passes by SPF alone, if the provider lets its customers send in
 * each other's names.
 */
function sharedRestrictionWarnings(connector: InboundConnector): Warning[] {
  const { restrictDomainsToCertificate, restrictDomainsToIpAddresses, requireDmarc } = connector
  if (connector.connectorType !== 'Partner' || requireDmarc) return []
  const fields = [
    ...(restrictDomainsToCertificate ? (['tlsSenderCertificateNames'] as const) : []),
    ...(restrictDomainsToIpAddresses ? (['senderIpAddresses'] as const) : []),
  ]
  return fields.flatMap((field) => {
    const providerOf = field === 'senderIpAddresses' ? providerOfRange : providerOfName
    const shared = findShared(connector[field], providerOf)
    if (shared === null) return []
    const { value, provider } = shared
    return [
      {
        path: field,
        message: `${value} is shared by all customers of ${provider.name}, so each of them passes this restriction; set requireDmarc to true`,
      },
    ]
  })
}

/** Exchange accepts no IPv4 range wider than /24. In IPv6, one site usually gets a /48. */
const minPrefixLength = { 4: 24, 6: 48 }

function wideRangeWarning({ connectorType }: InboundConnector, range: string, index: number): Warning[] {
  const { family, prefix } = familyOf(range)
  if (prefix >= minPrefixLength[family]) return []
  const address = family === 4 ? `each of ${2 ** (32 - prefix)} addresses` : 'each address in it'
  const right =
    connectorType === 'OnPremises'
      ? "may relay as the organisation's own server"
      : 'is accepted as the partner'
  return [
    {
      path: `senderIpAddresses[${index}]`,
      message: `${range} is wide: ${address} ${right}; /${minPrefixLength[family]} or longer is usual`,
    },
  ]
}

/** Reads an IPv4 range mapped into IPv6 as the IPv4 range. */
function familyOf(range: string): { family: 4 | 6; prefix: number } {
  const [address = '', bits] = range.split('/')
  const parsed = ipaddr.parse(address)
  if (parsed.kind() === 'ipv4') return { family: 4, prefix: Number(bits ?? 32) }
  const prefix = Number(bits ?? 128)
  const mapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && prefix >= 96
  return mapped ? { family: 4, prefix: prefix - 96 } : { family: 6, prefix }
}

const unverifiedReasonInbound = ({ tlsSenderCertificateNames }: InboundConnector): string | null =>
  tlsSenderCertificateNames.length > 0 ? null : 'tlsSenderCertificateNames is empty'

/** @returns why no certificate is checked; null if certificates are checked */
function uncheckedReasonInbound(connector: InboundConnector): string | null {
  const { connectorType, restrictDomainsToCertificate } = connector
  if (connectorType === 'Partner')
    return restrictDomainsToCertificate ? null : 'restrictDomainsToCertificate is false'
  const certificateCount =
    connector.tlsSenderCertificateNames.length + connector.certificateFingerprints.length
  return certificateCount > 0 ? null : 'the connector identifies its servers by address'
}

/** @param unusedReason why no certificate is checked; null if certificates are checked */
function revocationWarning(
  { revocationCheck }: InboundConnector | OutboundConnector,
  unusedReason: string | null,
): Warning[] {
  if (revocationCheck !== 'HardFail' || unusedReason === null) return []
  return [{ path: 'revocationCheck', message: `has no effect: ${unusedReason}` }]
}

/** An administrator who sets requireClientAuthEku may believe that a certificate is required. */
function purposeWarning(connector: InboundConnector): Warning[] {
  const { connectorType, requireClientAuthEku, restrictDomainsToCertificate } = connector
  if (!requireClientAuthEku) return []
  const unusedReason =
    connectorType === 'Partner' && !restrictDomainsToCertificate
      ? 'restrictDomainsToCertificate is false, so clients need no certificate'
      : unverifiedReasonInbound(connector)
  return unusedReason === null
    ? []
    : [{ path: 'requireClientAuthEku', message: `restricts nothing: ${unusedReason}` }]
}

/** The limit is for the partner, but any client that the connector does not exclude can use it up. */
function rateLimitWarning(connector: InboundConnector): Warning[] {
  const { connectorType, mode, messageRateLimit, senderDomains, onViolation } = connector
  if (!messageRateLimit || mode !== 'Enforce' || connectorType === 'OnPremises') return []
  const add = (message: string): Warning[] => [{ path: 'messageRateLimit', message }]
  if (senderDomains.includes('*'))
    return add('all senders share this limit: when one sender uses it up, mail from the others is deferred')
  if (!connector.restrictDomainsToCertificate && !connector.restrictDomainsToIpAddresses)
    return add(
      'any client that sends in the name of these domains can use it up: the connector requires neither certificate nor addresses',
    )
  if (onViolation === 'Bounce') return []
  return add(
    'the limit includes held messages: any client that sends in the name of these domains can use it up',
  )
}

/** @returns why no certificate is verified; null if certificates are verified */
export const unverifiedReasonOutbound = ({ tlsSettings }: OutboundConnector): string | null =>
  tlsSettings === 'CertificateValidation' || tlsSettings === 'DomainValidation'
    ? null
    : `tlsSettings is ${tlsSettings}`

/** @param unusedReason why no certificate is verified; null if certificates are verified */
function authorityWarnings(
  { certificateAuthorities }: InboundConnector | OutboundConnector,
  unusedReason: string | null,
  now: Date,
): Warning[] {
  if (certificateAuthorities.length === 0) return []
  if (unusedReason !== null)
    return [{ path: 'certificateAuthorities', message: `has no effect: ${unusedReason}` }]
  return certificateAuthorities.flatMap((pem, index) => {
    const message = validityWarning(new X509Certificate(pem), now)
    return message === null ? [] : [{ path: `certificateAuthorities[${index}]`, message }]
  })
}

/** This leaves enough time to get the next certificate from the partner. */
const expiryWarningMs = 30 * dayMs

function validityWarning(certificate: X509Certificate, now: Date): string | null {
  const { subject } = certificate
  const [from, to] = [validFrom(certificate), validTo(certificate)]
  const name = subject?.replaceAll('\n', ', ').slice(0, 200) || 'the authority'
  const day = (date: Date) => date.toISOString().slice(0, 10)
  if (to < now) return `${name} expired on ${day(to)}, so no certificate that it issued is trusted`
  if (from > now) return `${name} is not valid before ${day(from)}`
  if (to.getTime() - now.getTime() > expiryWarningMs) return null
  return `${name} expires on ${day(to)}; from then on no certificate that it issued is trusted`
}

/** Warns about a route to port 25 in a deployment whose deliveries leave from Lambda, outside the VPC. */
export function closedPortWarning({ route, smartHosts }: OutboundConnector): Warning[] {
  const usesPort25 =
    route === 'Mx' || (route === 'SmartHosts' && smartHosts.some(({ port }) => port === smtpPort))
  if (!usesPort25) return []
  const otherRoute = route === 'Mx' ? 'set route to Ses' : 'use smart hosts on another port'
  return [
    {
      path: 'route',
      message: `mail cannot leave: AWS closes outbound port 25 for deliveries outside the VPC; ${otherRoute}, or deploy with mailflow.deliverInVpc`,
    },
  ]
}

const smtpPort = 25

/** Warns about mandatory DANE in a deployment whose resolver proves no record. */
export const unprovenRecordsWarning = ({ smtpDaneMode }: OutboundConnector): Warning[] =>
  smtpDaneMode === 'Mandatory'
    ? [
        {
          path: 'smtpDaneMode',
          message:
            'no next hop can meet Mandatory: the resolver of this deployment proves no TLSA records; deploy with mailflow.dnsServers, resolvers that validate DNSSEC',
        },
      ]
    : []

function opportunisticWarning(connector: OutboundConnector): Warning[] {
  if (connector.connectorType !== 'Partner' || requiresNextHopTls(connector)) return []
  const serverText = connector.route === 'SmartHosts' ? 'a smart host' : 'a server'
  return [
    {
      path: 'tlsSettings',
      message: `TLS is not forced: mail is sent in the clear to ${serverText} that does not offer TLS`,
    },
  ]
}

function unseenReportOnlyWarning({ mode, route, tlsSettings }: OutboundConnector): Warning[] {
  if (mode !== 'ReportOnly' || route !== 'Ses' || tlsSettings === null) return []
  return [{ path: 'mode', message: 'reports nothing: Amazon SES does not report the TLS of its deliveries' }]
}

function catchAllWarning(connector: OutboundConnector): Warning[] {
  const { recipientDomains, tlsSettings, tlsDomain, route, mode } = connector
  const index = recipientDomains.indexOf('*')
  if (index < 0 || mode !== 'Enforce' || route === 'SmartHosts') return []
  const path = `recipientDomains[${index}]`
  const policies = mandatoryCatchAllMessages(connector).map((message) => ({ path, message }))
  if (tlsSettings === null) return policies
  const missingRequirement = {
    EncryptionOnly: 'without TLS',
    CertificateValidation: 'without a trusted certificate',
    DomainValidation: `without a trusted certificate for ${tlsDomain}`,
  }[tlsSettings]
  return [{ path, message: `mail to every server ${missingRequirement} is not delivered` }, ...policies]
}

/** Few domains publish either. */
const mandatoryCatchAllMessages = ({ smtpDaneMode, mtaStsMode }: OutboundConnector): string[] => [
  ...(smtpDaneMode === 'Mandatory'
    ? [
        'mail to most domains waits and then bounces: few have TLSA records, which smtpDaneMode Mandatory needs',
      ]
    : []),
  ...(mtaStsMode === 'Mandatory'
    ? [
        'mail to most domains waits and then bounces: few have an MTA-STS policy in mode enforce, which mtaStsMode Mandatory needs',
      ]
    : []),
]

/** The MX of an accepted domain is usually mailflow. */
function loopWarning(
  { recipientDomains, allAcceptedDomains, route }: OutboundConnector,
  acceptedDomains: readonly Pick<AcceptedDomain, 'domain'>[],
): Warning[] {
  if (route !== 'Mx') return []
  const patterns = recipientDomains.filter((pattern) => pattern !== '*')
  const looping = acceptedDomains
    .map(({ domain }) => domain)
    .filter((domain) => allAcceptedDomains || bestPattern(patterns, domain) !== null)
  if (looping.length === 0) return []
  return [
    {
      path: 'route',
      message: `${proseList(looping)}: accepted by mailflow, so delivery by MX lookup may cause a mail loop; use route SmartHosts to name the mailbox servers`,
    },
  ]
}
