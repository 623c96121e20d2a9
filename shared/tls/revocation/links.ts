/**
 * Lists the certificates of a chain whose revocation can be checked, each with its issuer. The attack: a certificate
 * beside the chain poses as the issuer and denies a revocation. The defence: only a certificate whose key verifies the
 * signature is the issuer. The limit: one of several paths to a root is followed.
 */
import type { X509Certificate } from 'node:crypto'
import { isIssuedBy } from '../issued-by.ts'

export interface ChainLink {
  certificate: X509Certificate
  /** Null if unknown. */
  issuer: X509Certificate | null
}

/** More than any path needs. */
const maxLinks = 8

/**
 * @param chain as presented, leaf first
 * @param anchors trust anchors, which are not checked
 */
export function linksOf(chain: readonly X509Certificate[], anchors: readonly X509Certificate[]): ChainLink[] {
  const trusted = new Set(anchors.map(({ fingerprint256 }) => fingerprint256))
  const links: ChainLink[] = []
  for (let at = chain[0] ?? null; at !== null && links.length < maxLinks; ) {
    const certificate = at
    if (trusted.has(certificate.fingerprint256) || isIssuedBy(certificate, certificate)) break
    // Trust anchors come first, since the path ends there.
    const issuer = [...anchors, ...chain].find((other) => isIssuedBy(certificate, other)) ?? null
    links.push({ certificate, issuer })
    at = issuer
  }
  return links
}
