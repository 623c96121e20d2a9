/** Describes connectors: levels, states, and requirements in plain sentences. Pure. */
import { countText, proseList } from '../../../../../shared/policy/text-lists.ts'
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import { isEnforced } from './overlaps.ts'

export type ConnectorDirection = 'inbound' | 'outbound'

/** The level that the connector requires of clients, in the terms of docs/tls-levels.md. */
export function levelIn(connector: InboundConnector): string {
  if (!connector.requireTls) return 'Opportunistic'
  const level = clientLevel(connector)
  return connector.minimumTlsVersion === 'TLSv1.3' ? `${level}, TLS 1.3` : level
}

/** As the program decides it (shared/policy/required-client-level.ts); a pinned certificate may have any name. */
const clientLevel = ({
  restrictDomainsToCertificate,
  tlsSenderCertificateNames,
}: InboundConnector): string => {
  if (!restrictDomainsToCertificate) return 'EncryptionOnly'
  return tlsSenderCertificateNames.length > 0 ? 'DomainValidation' : 'CertificateValidation'
}

/** The level that the connector requires of next hops, and the policies that it demands. */
export function levelOut(connector: OutboundConnector): string {
  const { tlsSettings, minimumTlsVersion, smtpDaneMode, mtaStsMode } = connector
  return [
    tlsSettings ?? (smtpDaneMode === 'Mandatory' ? 'Dane' : 'Opportunistic'),
    ...(minimumTlsVersion === 'TLSv1.3' ? ['TLS 1.3'] : []),
    ...(smtpDaneMode === 'Mandatory' && tlsSettings !== null ? ['DANE'] : []),
    ...(mtaStsMode === 'Mandatory' ? ['MTA-STS'] : []),
  ].join(', ')
}

export const forcesTlsOut = ({ tlsSettings, smtpDaneMode, mtaStsMode }: OutboundConnector): boolean =>
  tlsSettings !== null || smtpDaneMode === 'Mandatory' || mtaStsMode === 'Mandatory'

export const isInbound = (connector: InboundConnector | OutboundConnector): connector is InboundConnector =>
  'senderDomains' in connector

export function domainsText(connector: InboundConnector | OutboundConnector): string {
  if (isInbound(connector)) return patternsText(connector.senderDomains)
  const accepted = connector.allAcceptedDomains ? ['the accepted domains'] : []
  return [...accepted, ...connector.recipientDomains.map(patternText)].slice(0, 4).join(', ')
}

const patternText = (pattern: string): string => (pattern === '*' ? 'every domain' : pattern)
const patternsText = (patterns: readonly string[]): string => proseList(patterns.map(patternText))

const versionText = ({ minimumTlsVersion }: { minimumTlsVersion: string }): string =>
  minimumTlsVersion === 'TLSv1.3' ? 'TLS 1.3' : 'TLS 1.2 or later'

const authoritiesText = (authorities: readonly string[]): string =>
  authorities.length === 0
    ? 'The public authorities are trusted.'
    : `Only ${countText(authorities.length, 'certificate authority', 'certificate authorities')} of this connector ${authorities.length === 1 ? 'is' : 'are'} trusted.`

function identification(connector: InboundConnector): string {
  const { tlsSenderCertificateNames, certificateFingerprints } = connector
  const names = proseList(tlsSenderCertificateNames)
  const pinned = countText(certificateFingerprints.length, 'pinned certificate')
  if (certificateFingerprints.length === 0) return `a certificate for ${names}`
  return tlsSenderCertificateNames.length === 0 ? pinned : `a certificate for ${names}, or ${pinned}`
}

/** A connector that is not enforced has no consequence yet. */
const consequence = (connector: InboundConnector | OutboundConnector, text: string): string =>
  isEnforced(connector)
    ? `${text.charAt(0).toUpperCase()}${text.slice(1)}`
    : `Once the connector is enforced, ${text}`

/** A sentence for each requirement for clients, and for its consequence. */
export function inboundSentences(connector: InboundConnector): string[] {
  const { connectorType, requireTls, senderIpAddresses, exchangeOnline, associatedAcceptedDomains } =
    connector
  const domains = patternsText(connector.senderDomains)
  const namesCertificate =
    connector.tlsSenderCertificateNames.length > 0 || connector.certificateFingerprints.length > 0
  const sentences = [
    requireTls
      ? `Mail from ${domains} must arrive over ${versionText(connector)}.`
      : `Mail from ${domains} may arrive in the clear.`,
  ]
  if (connectorType === 'OnPremises') {
    const identifiers = [
      ...(namesCertificate ? [identification(connector)] : []),
      ...(senderIpAddresses.length > 0 ? [`the addresses ${proseList(senderIpAddresses)}`] : []),
      ...(exchangeOnline ? [`the tenant ${proseList(exchangeOnline.tenantIds)}`] : []),
    ]
    sentences.push(`Your servers are identified by ${proseList(identifiers)}, and may relay.`)
  } else {
    if (connector.restrictDomainsToCertificate)
      sentences.push(`The client must present ${identification(connector)}.`)
    if (connector.restrictDomainsToIpAddresses)
      sentences.push(`The client must have one of the addresses ${proseList(senderIpAddresses)}.`)
    if (connector.requireDmarc) sentences.push('The mail must pass DMARC.')
  }
  if (namesCertificate && (connectorType === 'OnPremises' || connector.restrictDomainsToCertificate))
    sentences.push(authoritiesText(connector.certificateAuthorities))
  if (connector.messageRateLimit !== null)
    sentences.push(`At most ${countText(connector.messageRateLimit, 'message')} a minute are accepted.`)
  if (associatedAcceptedDomains.length > 0)
    sentences.push(`It applies only to recipients in ${proseList(associatedAcceptedDomains)}.`)
  sentences.push(
    consequence(
      connector,
      connector.onViolation === 'Defer'
        ? 'other mail is held until the connector is corrected, or an administrator releases it.'
        : 'other mail is refused.',
    ),
  )
  return sentences
}

/** A sentence for each requirement for next hops, and for its consequence. */
export function outboundSentences(connector: OutboundConnector): string[] {
  const { route, smartHosts, onTlsFailure, expirationHours } = connector
  const hosts = smartHosts.map(({ host, port }) => (port === 25 ? host : `${host}:${port}`))
  const routeText = {
    Mx: 'to the MX hosts of the domain',
    SmartHosts: `through ${proseList(hosts)}`,
    Ses: 'through Amazon SES',
  }[route]
  return [
    `Mail to ${domainsText(connector)} goes ${routeText}.`,
    ...tlsSentences(connector),
    ...(forcesTlsOut(connector)
      ? [
          consequence(
            connector,
            onTlsFailure === 'Bounce'
              ? 'where a server does not meet this, mail bounces at once.'
              : `where a server does not meet this, mail is deferred. It bounces after ${expirationHours} hours.`,
          ),
        ]
      : []),
  ]
}

function tlsSentences(connector: OutboundConnector): string[] {
  const { tlsSettings, tlsDomain, smtpDaneMode, mtaStsMode, clientCertificate } = connector
  const published = [
    ...(smtpDaneMode === 'Opportunistic' ? ['TLSA records (DANE)'] : []),
    ...(mtaStsMode === 'Opportunistic' ? ['an MTA-STS policy'] : []),
  ]
  const sentences =
    tlsSettings === null
      ? [
          'TLS is used where it works. Otherwise mail is sent in the clear.',
          ...(published.length > 0 ? [`If the domain publishes ${published.join(' or ')}, they apply.`] : []),
        ]
      : [
          `The server must negotiate ${versionText(connector)}.`,
          ...{
            EncryptionOnly: ['Its certificate is not checked.'],
            CertificateValidation: [
              'It must present a valid certificate of a trusted authority, for any name.',
              authoritiesText(connector.certificateAuthorities),
            ],
            DomainValidation: [
              `It must present a valid certificate of a trusted authority for ${tlsDomain ?? 'the domain'}.`,
              authoritiesText(connector.certificateAuthorities),
            ],
          }[tlsSettings],
        ]
  if (smtpDaneMode === 'Mandatory') sentences.push('Its TLSA records (DANE) must name the certificate.')
  if (mtaStsMode === 'Mandatory')
    sentences.push('The domain must publish an MTA-STS policy in mode enforce, and the server must meet it.')
  if (clientCertificate !== null) sentences.push(`mailflow presents the certificate ${clientCertificate}.`)
  return sentences
}
