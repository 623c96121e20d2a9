/** Properties of certificates that may have a key that OpenSSL cannot read. */
import type { X509Certificate } from 'node:crypto'

/** Returns null for a key that OpenSSL cannot read. */
export function keyOf(certificate: X509Certificate): X509Certificate['publicKey'] | null {
  try {
    return certificate.publicKey
  } catch {
    return null
  }
}

export function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey)
  } catch {
    return false
  }
}
