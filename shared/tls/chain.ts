/**
 * Finds the paths by which a presented chain leads to given trust anchors, such as a connector's own authorities or the
 * public roots, and the fault of the best path. The attacks: a certificate that names the partner but has another issuer
 * or purpose, or violates its issuer's constraints; a chain in which all certificates are cross-signed, with endless
 * paths. The defence: each path is checked completely (path-fault.ts); the number of paths is limited, and each
 * signature is verified once. Not covered: see path-fault.ts.
 */
import { hash, X509Certificate } from 'node:crypto'
import { RecentMap } from '../limits/recent-map.ts'
import { hasKeyUsage, keyUsages } from './extension.ts'
import { isIssuedBy } from './issued-by.ts'
import { type AssessedPath, assessPath, type CertificatePath, pathFault } from './path-fault.ts'
import type { Purpose } from './purpose.ts'

/** The fault of a chain without any path to a trust anchor. */
export const noPathFault = 'it leads to no trust anchor'

/**
 * @param purposes one of them must be allowed by all certificates of the path
 * @param chain presented certificates, leaf first, base64 DER; the caches need an array that does not change
 * @param authorities PEM; also an array that does not change
 * @param at the time at which all certificates of the path must be valid; null: dates are not checked
 * @returns null if a path without a fault exists; otherwise the fault of the shortest path, in one line of plain text
 * @throws Error when a certificate cannot be parsed
 */
export function chainFault(
  purposes: readonly Purpose[],
  chain: readonly string[],
  authorities: readonly string[],
  at: Date | null,
): string | null {
  const faults = assessedPaths(chain, authorities).map((path) => pathFault(path, purposes, at))
  return faults.includes(null) ? null : (faults[0] ?? noPathFault)
}

/** Node's name for those of OpenSSL's errors that it does not list, such as a weak key or violated name constraints. */
const unnamedError = 'UNSPECIFIED'

/**
 * Why a chain is not trusted, for an administrator.
 * @param code the error code of OpenSSL's own check; null if it succeeded
 * @param findFault calls chainFault; not called if OpenSSL's code says enough
 * @returns null if both checks succeeded
 */
export const trustErrorOf = (code: string | null, findFault: () => string | null): string | null =>
  code === null || code === unnamedError ? (findFault() ?? code) : code

/** Paths by the contents of chain and authorities: most sessions present a chain that was assessed before. */
const cachedPaths = new RecentMap<string, readonly AssessedPath[]>(200)

function assessedPaths(chain: readonly string[], authorities: readonly string[]): readonly AssessedPath[] {
  const key = `${digestOf(chain)} ${digestOf(authorities)}`
  const cached = cachedPaths.get(key)
  if (cached) return cached
  const paths = pathsTo(readAuthorities(authorities), readChain(chain)).map(assessPath)
  cachedPaths.set(key, paths)
  return paths
}

/** A session's chain is evaluated for every recipient, and the public roots for every session. */
const cachedDigest = new WeakMap<readonly string[], string>()

function digestOf(certificates: readonly string[]): string {
  const cached = cachedDigest.get(certificates)
  if (cached !== undefined) return cached
  const digest = hash('sha256', certificates.join(' '), 'base64')
  cachedDigest.set(certificates, digest)
  return digest
}

/** Limit for the partial paths that are followed: far more than real chains have, even with cross-signed authorities. */
const maxPartialPaths = 60

/** Shortest first. A path ends at the first anchor, because what is above an anchor needs no proof. */
function pathsTo(anchors: Anchors, presented: readonly X509Certificate[]): readonly CertificatePath[] {
  const complete: CertificatePath[] = []
  const partial: CertificatePath[] = presented.slice(0, 1).map((leaf) => [leaf])
  for (const path of partial) {
    const top = path.at(-1) ?? path[0]
    if (anchors.fingerprints.has(top.fingerprint256)) {
      complete.push(path)
      continue
    }
    for (const anchor of anchors.certificates) if (isSignedBy(top, anchor)) complete.push([...path, anchor])
    for (const issuer of issuersOf(top, presented))
      if (partial.length < maxPartialPaths && !path.some((below) => isSame(below, issuer)))
        partial.push([...path, issuer])
  }
  return complete
}

interface Anchors {
  certificates: readonly X509Certificate[]
  fingerprints: ReadonlySet<string>
}

const parsedChains = new WeakMap<readonly string[], readonly X509Certificate[]>()
const parsedAuthorities = new WeakMap<readonly string[], Anchors>()
const cachedIssuers = new WeakMap<X509Certificate, readonly X509Certificate[]>()

function readChain(chain: readonly string[]): readonly X509Certificate[] {
  const cached = parsedChains.get(chain)
  if (cached) return cached
  const certificates = chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  parsedChains.set(chain, certificates)
  return certificates
}

function readAuthorities(authorities: readonly string[]): Anchors {
  const cached = parsedAuthorities.get(authorities)
  if (cached) return cached
  const certificates = authorities.map((pem) => new X509Certificate(pem))
  const fingerprints = new Set(certificates.map(({ fingerprint256 }) => fingerprint256))
  const anchors = { certificates, fingerprints }
  parsedAuthorities.set(authorities, anchors)
  return anchors
}

/** @param presented the certificate's chain */
function issuersOf(
  certificate: X509Certificate,
  presented: readonly X509Certificate[],
): readonly X509Certificate[] {
  const cached = cachedIssuers.get(certificate)
  if (cached) return cached
  const issuers = presented.filter((other) => isSignedBy(certificate, other))
  cachedIssuers.set(certificate, issuers)
  return issuers
}

/**
 * Unlike isIssuedBy, includes an issuer that may not sign certificates, so that path-fault.ts can report this fault. An
 * issuer whose key cannot be read has signed nothing.
 */
function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    if (!maySign(issuer)) return certificate.issuer === issuer.subject && certificate.verify(issuer.publicKey)
    return isIssuedBy(certificate, issuer)
  } catch {
    return false
  }
}

const cachedMaySign = new WeakMap<X509Certificate, boolean>()

/** @throws RangeError for an invalid certificate */
function maySign(certificate: X509Certificate): boolean {
  const cached = cachedMaySign.get(certificate)
  if (cached !== undefined) return cached
  const may = hasKeyUsage(certificate.raw, keyUsages.keyCertSign)
  cachedMaySign.set(certificate, may)
  return may
}

function isSame(first: X509Certificate, second: X509Certificate): boolean {
  return first.fingerprint256 === second.fingerprint256
}
