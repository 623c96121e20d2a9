/** Parses trust anchors and chains. */
import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'

const parsedAnchors = new WeakMap<readonly string[], readonly X509Certificate[]>()

/** @param authorities as PEM; empty means the public roots. The result is cached by the array's identity */
export function parseAnchors(authorities: readonly string[]): readonly X509Certificate[] {
  const pems = authorities.length > 0 ? authorities : getCACertificates()
  const cached = parsedAnchors.get(pems)
  if (cached) return cached
  const anchors = pems.map((pem) => new X509Certificate(pem))
  parsedAnchors.set(pems, anchors)
  return anchors
}

/** @param chain as base64 DER. Parsing stops at the first unreadable certificate */
export function parseChain(chain: readonly string[]): X509Certificate[] {
  const certificates: X509Certificate[] = []
  try {
    for (const der of chain) certificates.push(new X509Certificate(Buffer.from(der, 'base64')))
  } catch {
    return certificates
  }
  return certificates
}
