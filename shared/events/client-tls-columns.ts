import type { MailEvent } from '../contract/events.ts'
import type { TlsFacts } from '../contract/message.ts'

/** Characters of a column of a certificate. Any client can present any certificate. */
const maxLength = 1000

/** Returns the columns of the TLS session with a client, and of the certificate that it presented. Pure. */
export function clientTlsColumns({ protocol, cipher, clientCertificate }: TlsFacts): Partial<MailEvent> {
  return {
    ...(protocol !== null && { tlsVersion: protocol }),
    ...(cipher !== null && { cipher }),
    ...(clientCertificate !== null && certificateColumns(clientCertificate)),
  }
}

function certificateColumns(certificate: NonNullable<TlsFacts['clientCertificate']>): Partial<MailEvent> {
  const { fingerprint256, subject, subjectAltNames, issuer, trusted, trustError, revocation } = certificate
  return {
    clientCertificateSha256: fingerprint256,
    clientCertificateNames: subjectAltNames.join(' ').slice(0, maxLength),
    clientCertificateSubject: subject.slice(0, maxLength),
    clientCertificateIssuer: issuer.slice(0, maxLength),
    clientCertificateVerdict: trusted ? 'trusted' : (trustError ?? 'not trusted').slice(0, maxLength),
    ...(revocation && { revocation: revocation.status }),
  }
}
