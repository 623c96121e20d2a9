/**
 * Whether a presented chain leads to one of a connector's own certificate authorities. The attack: a certificate
 * that names the partner and was issued by somebody else, or for something else; or a chain in which everybody
 * vouches for everybody, so that there is no end of paths to try. The defence: signatures, names of issuers, CA
 * flags, path lengths, dates and purposes along the whole path (RFC 5280 §6.1), each certificate followed once and each
 * signature verified once. Its limits: name constraints within a connector's own authority are not read, nor is
 * anything revoked.
 */
import { X509Certificate } from 'node:crypto'
import { isIssuedBy } from './issued-by.ts'
import { pathLength } from './path-length.ts'
import { validFrom, validTo } from './validity.ts'

const serverAuth = '1.3.6.1.5.5.7.3.1'
const clientAuth = '1.3.6.1.5.5.7.3.2'
const anyPurpose = '2.5.29.37.0'

/** A mail server's certificate is for servers or for clients, and its issuers must be for the same. */
const either = [serverAuth, clientAuth]

/**
 * @param chain presented certificates, leaf first, base64 DER; what is read of them is kept as long as the array is
 * @param authorities PEM; likewise
 * @param at the instant for which every certificate on the path must be valid
 */
export function chainsTo(chain: readonly string[], authorities: readonly string[], at: Date): boolean {
  return leadsToFor(either, chain, authorities, at)
}

/** As chainsTo, for use by a server only. */
export function chainsToForServers(
  chain: readonly string[],
  authorities: readonly string[],
  at: Date,
): boolean {
  return leadsToFor([serverAuth], chain, authorities, at)
}

/** As chainsTo, for use by a client only. */
export function chainsToForClients(
  chain: readonly string[],
  authorities: readonly string[],
  at: Date,
): boolean {
  return leadsToFor([clientAuth], chain, authorities, at)
}

function leadsToFor(
  purposes: readonly string[],
  chain: readonly string[],
  authorities: readonly string[],
  at: Date,
): boolean {
  const presented = readChain(chain)
  const anchors = readAuthorities(authorities).filter((anchor) => isValidAt(anchor, at))
  return purposes.some((purpose) =>
    leadsTo(presented, anchors, (certificate) => isValidAt(certificate, at) && allows(certificate, purpose)),
  )
}

/**
 * Every issuer that fits is followed: of two with the same name and key only one may lead further. The nearest come
 * first, so each is met with as few authorities below it as there can be.
 */
function leadsTo(
  presented: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  isGood: (certificate: X509Certificate) => boolean,
): boolean {
  /** How many authorities stand below each. Grows while it is walked. */
  const followed = new Map(
    presented
      .slice(0, 1)
      .filter(isGood)
      .map((leaf) => [leaf, 0]),
  )
  for (const [certificate, below] of followed) {
    const between = certificate === presented[0] ? 0 : below + 1
    if (anchors.some((anchor) => isSame(anchor, certificate))) return true
    if (
      anchors.some(
        (anchor) => anchor.ca && isIssuedBy(certificate, anchor) && pathLength(anchor.raw) >= between,
      )
    )
      return true
    for (const issuer of issuersOf(certificate, presented))
      if (!followed.has(issuer) && isGood(issuer) && pathLength(issuer.raw) >= between)
        followed.set(issuer, between)
  }
  return false
}

/**
 * Whether some certificate could be below either of two others, which have the same name then. Whoever looks for one
 * path may have seen another than chainsTo follows.
 */
export function isAmbiguous(chain: readonly string[]): boolean {
  const presented = readChain(chain)
  return presented.some((certificate) => {
    const issuers = presented.filter((other) => !isSame(other, certificate) && certificate.checkIssued(other))
    return issuers.some((issuer) => !isSame(issuer, issuers[0] as X509Certificate))
  })
}

const chainsRead = new WeakMap<readonly string[], readonly X509Certificate[]>()
const authoritiesRead = new WeakMap<readonly string[], readonly X509Certificate[]>()
const issuersFound = new WeakMap<X509Certificate, readonly X509Certificate[]>()

function readChain(chain: readonly string[]): readonly X509Certificate[] {
  const known = chainsRead.get(chain)
  if (known) return known
  const certificates = chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  chainsRead.set(chain, certificates)
  return certificates
}

function readAuthorities(authorities: readonly string[]): readonly X509Certificate[] {
  const known = authoritiesRead.get(authorities)
  if (known) return known
  const certificates = authorities.map((pem) => new X509Certificate(pem))
  authoritiesRead.set(authorities, certificates)
  return certificates
}

/** @param presented the chain that the certificate is of */
function issuersOf(
  certificate: X509Certificate,
  presented: readonly X509Certificate[],
): readonly X509Certificate[] {
  const known = issuersFound.get(certificate)
  if (known) return known
  const issuers = presented.filter((other) => other.ca && isIssuedBy(certificate, other))
  issuersFound.set(certificate, issuers)
  return issuers
}

/** RFC 5280 §4.2.1.12: without the extension a certificate is for everything. */
function allows({ keyUsage }: X509Certificate, purpose: string): boolean {
  return !keyUsage || keyUsage.includes(purpose) || keyUsage.includes(anyPurpose)
}

export const allowsClientAuth = (certificate: X509Certificate): boolean => allows(certificate, clientAuth)

export const allowsServerAuth = (certificate: X509Certificate): boolean => allows(certificate, serverAuth)

/** Whether it may be used by a mail server at all, be it as a server or as a client. */
export const allowsMail = (certificate: X509Certificate): boolean =>
  either.some((purpose) => allows(certificate, purpose))

function isValidAt(certificate: X509Certificate, at: Date): boolean {
  return validFrom(certificate) <= at && at <= validTo(certificate)
}

function isSame(one: X509Certificate, other: X509Certificate): boolean {
  return one.fingerprint256 === other.fingerprint256
}
