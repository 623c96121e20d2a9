/** Parses trust anchors and chains. */
import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'

const read = new WeakMap<readonly string[], readonly X509Certificate[]>()

/** @param authorities PEM; empty means the public roots. Cached by the array's identity */
export function anchorsOf(authorities: readonly string[]): readonly X509Certificate[] {
  const pems = authorities.length > 0 ? authorities : getCACertificates()
  const known = read.get(pems)
  if (known) return known
  const anchors = pems.map((pem) => new X509Certificate(pem))
  read.set(pems, anchors)
  return anchors
}

/** @param chain base64 DER. Stops at the first unreadable certificate */
export function certificatesOf(chain: readonly string[]): X509Certificate[] {
  const certificates: X509Certificate[] = []
  try {
    for (const der of chain) certificates.push(new X509Certificate(Buffer.from(der, 'base64')))
  } catch {
    return certificates
  }
  return certificates
}
