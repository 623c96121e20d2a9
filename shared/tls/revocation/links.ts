/**
 * Lists the certificates of a chain whose revocation can be checked, each with its issuer. The attack: a certificate
 * beside the chain imitates the issuer and signs a false status. The defence: only a certificate whose key verifies the
 * signature is the issuer. Not covered: if there are several paths to a root, only one is followed.
 */
import type { X509Certificate } from 'node:crypto'
import { isIssuedBy } from '../issued-by.ts'

export interface ChainLink {
  certificate: X509Certificate
  /** Null if the issuer is unknown. */
  issuer: X509Certificate | null
}

/** Limit for the links of a chain, more than any path needs. */
const maxLinks = 8

/**
 * @param chain the presented certificates, leaf first
 * @param anchors trust anchors, which are not checked
 */
export function linksOf(chain: readonly X509Certificate[], anchors: readonly X509Certificate[]): ChainLink[] {
  const trusted = new Set(anchors.map(({ fingerprint256 }) => fingerprint256))
  const links: ChainLink[] = []
  for (let at = chain[0] ?? null; at !== null && links.length < maxLinks; ) {
    const certificate = at
    if (trusted.has(certificate.fingerprint256) || isIssuedBy(certificate, certificate)) break
    // Trust anchors come first, because the path ends at an anchor.
    const issuer = [...anchors, ...chain].find((other) => isIssuedBy(certificate, other)) ?? null
    links.push({ certificate, issuer })
    at = issuer
  }
  return links
}
