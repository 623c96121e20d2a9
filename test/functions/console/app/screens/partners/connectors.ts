/** Connectors as the API returns them. */
import type {
  InboundConnector,
  OutboundConnector,
} from '../../../../../../functions/console/app/api/types.ts'

const written = {
  createdAt: '2026-11-29T12:00:00.000Z',
  updatedAt: '2026-11-29T12:00:00.000Z',
  version: 1,
  comment: '',
}

export const inboundOf = (fields: Partial<InboundConnector> = {}): InboundConnector => ({
  id: `IN-${fields.name ?? 'From the bank'}`,
  name: 'From the bank',
  connectorType: 'Partner',
  enabled: true,
  mode: 'Enforce',
  onViolation: 'Bounce',
  senderDomains: ['bank.example'],
  senderIpAddresses: [],
  requireTls: true,
  minimumTlsVersion: 'TLSv1.2',
  tlsSenderCertificateNames: [],
  certificateAuthorities: [],
  certificateFingerprints: [],
  requireClientAuthEku: false,
  revocationCheck: 'SoftFail',
  restrictDomainsToCertificate: false,
  restrictDomainsToIpAddresses: false,
  messageRateLimit: null,
  requireDmarc: false,
  associatedAcceptedDomains: [],
  exchangeOnline: null,
  treatMessagesAsInternal: false,
  ...written,
  ...fields,
})

export const outboundOf = (fields: Partial<OutboundConnector> = {}): OutboundConnector => ({
  id: `OUT-${fields.name ?? 'To the bank'}`,
  name: 'To the bank',
  connectorType: 'Partner',
  enabled: true,
  mode: 'Enforce',
  onTlsFailure: 'Defer',
  recipientDomains: ['bank.example'],
  allAcceptedDomains: false,
  route: 'Mx',
  smartHosts: [],
  tlsSettings: 'EncryptionOnly',
  tlsDomain: null,
  certificateAuthorities: [],
  minimumTlsVersion: 'TLSv1.2',
  revocationCheck: 'SoftFail',
  clientCertificate: null,
  smtpDaneMode: 'Opportunistic',
  mtaStsMode: 'Opportunistic',
  expirationHours: 24,
  validation: null,
  ...written,
  ...fields,
})
