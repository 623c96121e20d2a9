import type { X509Certificate } from 'node:crypto'

/** By its names, key identifiers and signature. @throws when a key cannot be read */
export const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
