/** The purposes for which certificates may be used (RFC 5280 §4.2.1.12). */
import type { X509Certificate } from 'node:crypto'

/** Object identifiers of extended key usages. */
const purposeIds = { Server: '1.3.6.1.5.5.7.3.1', Client: '1.3.6.1.5.5.7.3.2' } as const
export type Purpose = keyof typeof purposeIds

const anyPurpose = '2.5.29.37.0'

/** A mail server's certificate is for servers or for clients. */
export const mailPurposes = ['Server', 'Client'] as const

/** Without the extension every purpose is allowed. Node's `keyUsage` holds the extended key usages. */
export function allowsPurpose({ keyUsage }: X509Certificate, purpose: Purpose): boolean {
  return !keyUsage || keyUsage.includes(purposeIds[purpose]) || keyUsage.includes(anyPurpose)
}

export const allowsClientAuth = (certificate: X509Certificate): boolean =>
  allowsPurpose(certificate, 'Client')

export const allowsServerAuth = (certificate: X509Certificate): boolean =>
  allowsPurpose(certificate, 'Server')

/** Whether a mail server may use the certificate, as server or client. */
export const allowsMail = (certificate: X509Certificate): boolean =>
  mailPurposes.some((purpose) => allowsPurpose(certificate, purpose))
