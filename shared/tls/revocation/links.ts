/**
 * The certificates of a chain of which it can be asked whether they were revoked, each with who issued it. The attack: a
 * certificate beside the chain that poses as the issuer, and says of itself that nothing was revoked. The defence: an
 * issuer is whoever's key verifies the certificate. The limit: of several paths that lead to a root one is looked at.
 */
import type { X509Certificate } from 'node:crypto'
import { isIssuedBy } from '../issued-by.ts'

export interface Link {
  certificate: X509Certificate
  /** Null where nobody knows it. */
  issuer: X509Certificate | null
}

/** More than any path needs. */
const longest = 8

/**
 * @param chain as it was presented, leaf first
 * @param anchors whom the reader trusts, and asks nobody about
 */
export function linksOf(chain: readonly X509Certificate[], anchors: readonly X509Certificate[]): Link[] {
  const trusted = new Set(anchors.map(({ fingerprint256 }) => fingerprint256))
  const links: Link[] = []
  for (let at = chain[0] ?? null; at !== null && links.length < longest; ) {
    const certificate = at
    if (trusted.has(certificate.fingerprint256) || isIssuedBy(certificate, certificate)) break
    // Whom the reader trusts comes first: then the path is at its end.
    const issuer = [...anchors, ...chain].find((other) => isIssuedBy(certificate, other)) ?? null
    links.push({ certificate, issuer })
    at = issuer
  }
  return links
}
