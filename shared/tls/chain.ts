/**
 * Checks whether a presented chain leads to one of the given authorities, such as a connector's own or the public
 * roots. The attacks: a certificate that names the partner but has another issuer or purpose; a chain in which all
 * certificates are cross-signed, with endless paths. The defence: signatures, issuer names, CA flags, path lengths,
 * dates and purposes are checked along the whole path (RFC 5280 §6.1). Each certificate is followed once, and each
 * signature is verified once. Not covered: revocation, and name constraints.
 */
import { X509Certificate } from 'node:crypto'
import { isIssuedBy } from './issued-by.ts'
import { pathLengthOf } from './path-length.ts'
import { validFrom, validTo } from './validity.ts'

const serverAuth = '1.3.6.1.5.5.7.3.1'
const clientAuth = '1.3.6.1.5.5.7.3.2'
const anyPurpose = '2.5.29.37.0'

/** A mail server's certificate is for servers or for clients, and its issuers must allow the same purpose. */
const mailPurposes = [serverAuth, clientAuth]

/**
 * @param chain presented certificates, leaf first, base64 DER; parsed certificates are cached by array identity
 * @param authorities PEM; parsed certificates are also cached by array identity
 * @param at the time at which every certificate on the path must be valid
 */
export function chainsTo(chain: readonly string[], authorities: readonly string[], at: Date): boolean {
  return chainsToForPurposes(mailPurposes, chain, authorities, at)
}

/** Checks like chainsTo, for certificates of servers only. */
export function chainsToForServers(
  chain: readonly string[],
  authorities: readonly string[],
  at: Date,
): boolean {
  return chainsToForPurposes([serverAuth], chain, authorities, at)
}

/** Checks like chainsTo, for certificates of clients only. */
export function chainsToForClients(
  chain: readonly string[],
  authorities: readonly string[],
  at: Date,
): boolean {
  return chainsToForPurposes([clientAuth], chain, authorities, at)
}

function chainsToForPurposes(
  purposes: readonly string[],
  chain: readonly string[],
  authorities: readonly string[],
  at: Date,
): boolean {
  const presented = readChain(chain)
  const anchors = readAuthorities(authorities).filter((anchor) => isValidAt(anchor, at))
  return purposes.some((purpose) =>
    reachesAnchor(
      presented,
      anchors,
      (certificate) => isValidAt(certificate, at) && allowsPurpose(certificate, purpose),
    ),
  )
}

/**
 * Follows every matching issuer: of two issuers with the same name and key, perhaps only one leads to an anchor. The
 * search is breadth first, so each certificate is reached with the fewest authorities below it.
 */
function reachesAnchor(
  presented: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  isUsable: (certificate: X509Certificate) => boolean,
): boolean {
  /** The certificates reached, with the number of authorities below each. The loop adds their issuers. */
  const belowCounts = new Map(
    presented
      .slice(0, 1)
      .filter(isUsable)
      .map((leaf) => [leaf, 0]),
  )
  for (const [certificate, below] of belowCounts) {
    const belowIssuer = certificate === presented[0] ? 0 : below + 1
    if (anchors.some((anchor) => isSame(anchor, certificate))) return true
    if (
      anchors.some(
        (anchor) => anchor.ca && isIssuedBy(certificate, anchor) && pathLengthOf(anchor.raw) >= belowIssuer,
      )
    )
      return true
    for (const issuer of issuersOf(certificate, presented))
      if (!belowCounts.has(issuer) && isUsable(issuer) && pathLengthOf(issuer.raw) >= belowIssuer)
        belowCounts.set(issuer, belowIssuer)
  }
  return false
}

/**
 * Whether any certificate has several possible issuers with the same name. If so, other software may verify another
 * path than chainsTo.
 */
export function isAmbiguous(chain: readonly string[]): boolean {
  const presented = readChain(chain)
  return presented.some((certificate) => {
    const issuers = presented.filter((other) => !isSame(other, certificate) && certificate.checkIssued(other))
    return issuers.some((issuer) => !isSame(issuer, issuers[0] as X509Certificate))
  })
}

const parsedChains = new WeakMap<readonly string[], readonly X509Certificate[]>()
const parsedAuthorities = new WeakMap<readonly string[], readonly X509Certificate[]>()
const cachedIssuers = new WeakMap<X509Certificate, readonly X509Certificate[]>()

function readChain(chain: readonly string[]): readonly X509Certificate[] {
  const cached = parsedChains.get(chain)
  if (cached) return cached
  const certificates = chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  parsedChains.set(chain, certificates)
  return certificates
}

function readAuthorities(authorities: readonly string[]): readonly X509Certificate[] {
  const cached = parsedAuthorities.get(authorities)
  if (cached) return cached
  const certificates = authorities.map((pem) => new X509Certificate(pem))
  parsedAuthorities.set(authorities, certificates)
  return certificates
}

/** @param presented the certificate's chain */
function issuersOf(
  certificate: X509Certificate,
  presented: readonly X509Certificate[],
): readonly X509Certificate[] {
  const cached = cachedIssuers.get(certificate)
  if (cached) return cached
  const issuers = presented.filter((other) => other.ca && isIssuedBy(certificate, other))
  cachedIssuers.set(certificate, issuers)
  return issuers
}

/** RFC 5280 §4.2.1.12: without the extension every purpose is allowed. */
function allowsPurpose({ keyUsage }: X509Certificate, purpose: string): boolean {
  return !keyUsage || keyUsage.includes(purpose) || keyUsage.includes(anyPurpose)
}

export const allowsClientAuth = (certificate: X509Certificate): boolean =>
  allowsPurpose(certificate, clientAuth)

export const allowsServerAuth = (certificate: X509Certificate): boolean =>
  allowsPurpose(certificate, serverAuth)

/** Whether a mail server may use the certificate, as server or client. */
export const allowsMail = (certificate: X509Certificate): boolean =>
  mailPurposes.some((purpose) => allowsPurpose(certificate, purpose))

function isValidAt(certificate: X509Certificate, at: Date): boolean {
  return validFrom(certificate) <= at && at <= validTo(certificate)
}

function isSame(first: X509Certificate, second: X509Certificate): boolean {
  return first.fingerprint256 === second.fingerprint256
}
