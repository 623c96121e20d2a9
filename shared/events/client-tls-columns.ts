import { type MailEvent, maxCertificateColumnLength } from '../contract/events.ts'
import type { TlsFacts } from '../contract/message.ts'

/**
 * Returns the columns of the TLS session with a client, and of the certificate that it presented. Pure.
 * @param at the time of the session
 */
export function clientTlsColumns(
  { negotiated, protocol, cipher, clientCertificate }: TlsFacts,
  at: Date,
): Partial<MailEvent> {
  return {
    ...(negotiated && { tlsVersion: protocol ?? 'unknown' }),
    ...(cipher !== null && { cipher }),
    ...(clientCertificate !== null && certificateColumns(clientCertificate, at)),
  }
}

function certificateColumns(
  certificate: NonNullable<TlsFacts['clientCertificate']>,
  at: Date,
): Partial<MailEvent> {
  const { fingerprint256, subject, subjectAltNames, commonName, issuer, revocation } = certificate
  const { trusted, trustError, clientAuth, notBefore, notAfter } = certificate
  return {
    clientCertificateSha256: fingerprint256,
    clientCertificateNames: subjectAltNames.join(' ').slice(0, maxCertificateColumnLength),
    ...(subjectAltNames.length === 0 && commonName !== null && { clientCertificateCommonName: commonName }),
    clientCertificateSubject: subject.slice(0, maxCertificateColumnLength),
    clientCertificateIssuer: issuer.slice(0, maxCertificateColumnLength),
    clientCertificateVerdict: trusted
      ? 'trusted'
      : (trustError ?? 'not trusted').slice(0, maxCertificateColumnLength),
    ...(at > new Date(notAfter) && { clientCertificateValidity: 'Expired' }),
    ...(at < new Date(notBefore) && { clientCertificateValidity: 'NotYetValid' }),
    clientAuth,
    ...(revocation && { revocation: revocation.status }),
  }
}
