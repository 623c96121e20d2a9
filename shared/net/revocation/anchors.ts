/** Whom a chain must lead to, read: certificates of which nobody is asked whether they were revoked. */
import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'

const read = new WeakMap<readonly string[], readonly X509Certificate[]>()

/**
 * @param authorities PEM; empty means the public roots. What is read of them is kept as long as the array is
 */
export function anchorsOf(authorities: readonly string[]): readonly X509Certificate[] {
  const pems = authorities.length > 0 ? authorities : getCACertificates()
  const known = read.get(pems)
  if (known) return known
  const anchors = pems.map((pem) => new X509Certificate(pem))
  read.set(pems, anchors)
  return anchors
}

/** @param chain base64 DER; ends at what cannot be read */
export function certificatesOf(chain: readonly string[]): X509Certificate[] {
  const certificates: X509Certificate[] = []
  try {
    for (const der of chain) certificates.push(new X509Certificate(Buffer.from(der, 'base64')))
  } catch {
    return certificates
  }
  return certificates
}
