/** The TLS level that an inbound connector requires of the client, in the terms of next hops, for events and reports. */
import type { InboundConnector } from '../connectors/schema.ts'
import type { TlsLevel } from '../contract/message.ts'

/** A pinned certificate may have any name. */
export function requiredClientLevel({
  requireTls,
  restrictDomainsToCertificate,
  tlsSenderCertificateNames,
}: Pick<
  InboundConnector,
  'requireTls' | 'restrictDomainsToCertificate' | 'tlsSenderCertificateNames'
>): TlsLevel {
  if (!requireTls) return 'Opportunistic'
  if (!restrictDomainsToCertificate) return 'EncryptionOnly'
  return tlsSenderCertificateNames.length > 0 ? 'DomainValidation' : 'CertificateValidation'
}
