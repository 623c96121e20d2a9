import type { X509Certificate } from 'node:crypto'

/**
 * Compares names and key identifiers, and verifies the signature.
 * @throws Error when a key cannot be read
 */
export const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
