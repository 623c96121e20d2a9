/** The rules for an inbound connector that span several of its fields. */
import { exchangeOnlineRules } from './exchange-online.ts'
import type { InboundFields } from './inbound-fields.ts'
import { openRelayByAddress, openRelayByName } from './open-relay.ts'
import type { SpanningRule } from './spanning-rules.ts'

const identifiesByCertificate = (connector: InboundFields): boolean =>
  connector.tlsSenderCertificateNames.length > 0 || connector.certificateFingerprints.length > 0

export const inboundRules: SpanningRule<InboundFields>[] = [
  {
    at: 'restrictDomainsToIpAddresses',
    reads: ['restrictDomainsToCertificate', 'restrictDomainsToIpAddresses'],
    isBroken: (connector) => connector.restrictDomainsToCertificate && connector.restrictDomainsToIpAddresses,
    message: 'cannot be set together with restrictDomainsToCertificate',
  },
  {
    at: 'restrictDomainsToCertificate',
    reads: ['restrictDomainsToCertificate', 'tlsSenderCertificateNames', 'certificateFingerprints'],
    isBroken: (connector) => connector.restrictDomainsToCertificate && !identifiesByCertificate(connector),
    message: 'needs tlsSenderCertificateNames or certificateFingerprints',
  },
  {
    at: 'restrictDomainsToIpAddresses',
    reads: ['restrictDomainsToIpAddresses', 'senderIpAddresses'],
    isBroken: (connector) =>
      connector.restrictDomainsToIpAddresses && connector.senderIpAddresses.length === 0,
    message: 'needs senderIpAddresses',
  },
  {
    at: 'requireTls',
    reads: ['requireTls', 'tlsSenderCertificateNames', 'certificateFingerprints'],
    isBroken: (connector) => identifiesByCertificate(connector) && !connector.requireTls,
    message: 'must be true when the connector names a certificate',
  },
  {
    at: 'minimumTlsVersion',
    reads: ['requireTls', 'minimumTlsVersion'],
    isBroken: (connector) => connector.minimumTlsVersion === 'TLSv1.3' && !connector.requireTls,
    message: 'TLSv1.3 needs requireTls; without it mail in the clear is accepted',
  },
  ...(['restrictDomainsToCertificate', 'restrictDomainsToIpAddresses'] as const).map(
    (restriction): SpanningRule<InboundFields> => ({
      at: restriction,
      reads: ['connectorType', restriction],
      isBroken: (connector) => connector.connectorType === 'OnPremises' && connector[restriction],
      message: 'is for Partner connectors only',
    }),
  ),
  {
    at: 'senderIpAddresses',
    reads: ['connectorType', 'senderIpAddresses', 'tlsSenderCertificateNames', 'certificateFingerprints'],
    isBroken: (connector) =>
      connector.connectorType === 'OnPremises' &&
      !identifiesByCertificate(connector) &&
      connector.senderIpAddresses.length === 0,
    message:
      'an OnPremises connector grants relay, so it needs senderIpAddresses, tlsSenderCertificateNames or certificateFingerprints',
  },
  {
    at: 'tlsSenderCertificateNames',
    reads: [
      'connectorType',
      'enabled',
      'tlsSenderCertificateNames',
      'certificateAuthorities',
      'exchangeOnline',
    ],
    isBroken: (connector) => openRelayByName(connector) !== null,
    message: (connector) => openRelayByName(connector) ?? '',
  },
  {
    at: 'senderIpAddresses',
    reads: ['connectorType', 'enabled', 'senderIpAddresses'],
    isBroken: (connector) => openRelayByAddress(connector) !== null,
    message: (connector) => openRelayByAddress(connector) ?? '',
  },
  {
    at: 'treatMessagesAsInternal',
    reads: ['connectorType', 'treatMessagesAsInternal'],
    isBroken: (connector) => connector.connectorType === 'Partner' && connector.treatMessagesAsInternal,
    message: 'is for OnPremises connectors only',
  },
  {
    at: 'requireDmarc',
    reads: ['connectorType', 'requireDmarc'],
    isBroken: (connector) => connector.connectorType === 'OnPremises' && connector.requireDmarc,
    message: 'is for Partner connectors only',
  },
  ...exchangeOnlineRules,
]
