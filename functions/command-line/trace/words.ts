/** Facts of a session or an attempt in a few words. */
import { printable, timeOf } from '../text/words.ts'
import type { Attempt, ClientCertificate, Entry } from './entry.ts'

export const senderText = (mailFrom: string): string => (mailFrom === '' ? '<>' : printable(mailFrom))

/** How a message came in. */
export function cameIn({ source, tls }: Entry): string {
  if (source === null) return 'made here'
  return tls.negotiated ? (tls.protocol ?? 'TLS') : 'in the clear'
}

/** How an attempt's message left, or would have. */
export function leftBy({ tls, host }: Attempt): string {
  if (host === 'Amazon SES') return 'by Amazon SES'
  if (tls === null) return 'without TLS'
  const group = tls.group === null ? '' : `, ${tls.group}`
  return `${tls.protocol}, ${tls.cipher}${group}, certificate ${tls.verified ? 'verified' : 'not verified'}`
}

export function certificateText(certificate: ClientCertificate): string[] {
  const { subject, subjectAltNames, issuer, fingerprint256, notBefore, notAfter, trusted, trustError } =
    certificate
  return [
    `${printable(subject)}, issued by ${printable(issuer)}`,
    ...(subjectAltNames.length > 0 ? [`names ${subjectAltNames.map(printable).join(', ')}`] : []),
    `valid from ${timeOf(notBefore)} to ${timeOf(notAfter)}`,
    trusted ? 'of a trusted authority' : `not of a public authority (${trustError ?? 'unknown'})`,
    `SHA-256 ${fingerprint256}`,
  ]
}
