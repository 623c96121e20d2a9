/**
 * Whether a presented chain leads to one of a connector's own certificate authorities. The attack: a certificate
 * that names the partner and was issued by somebody else, or for something else. The defence: signatures, names
 * of issuers, CA flags, dates and purposes along the whole path (RFC 5280 §6.1). Its limits: path lengths and
 * name constraints within a connector's own authority are not read, nor is anything revoked.
 */
import { X509Certificate } from 'node:crypto'

/**
 * @param chain presented certificates, leaf first, base64 DER
 * @param authorities PEM; what is read of them is kept as long as the array is
 * @param at the instant for which every certificate on the path must be valid
 */
export function chainsTo(chain: readonly string[], authorities: readonly string[], at: Date): boolean {
  const [leaf, ...others] = chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  if (leaf === undefined || !isValidAt(leaf, at)) return false
  const anchors = read(authorities).filter((anchor) => isValidAt(anchor, at))
  const issuers = others.filter((certificate) => certificate.ca && isValidAt(certificate, at))
  return purposes.some(
    (purpose) =>
      allows(leaf, purpose) &&
      leadsTo(
        leaf,
        issuers.filter((issuer) => allows(issuer, purpose)),
        anchors,
      ),
  )
}

const authoritiesRead = new WeakMap<readonly string[], readonly X509Certificate[]>()

function read(authorities: readonly string[]): readonly X509Certificate[] {
  const known = authoritiesRead.get(authorities)
  if (known) return known
  const certificates = authorities.map((pem) => new X509Certificate(pem))
  authoritiesRead.set(authorities, certificates)
  return certificates
}

/** Every issuer that fits is followed: of two with the same name and key only one may lead further. */
function leadsTo(
  certificate: X509Certificate,
  issuers: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
): boolean {
  if (anchors.some((anchor) => isSame(anchor, certificate))) return true
  if (anchors.some((anchor) => anchor.ca && isIssuedBy(certificate, anchor))) return true
  return issuers.some((issuer, index) => {
    if (!isIssuedBy(certificate, issuer)) return false
    return leadsTo(issuer, issuers.toSpliced(index, 1), anchors)
  })
}

const serverAuth = '1.3.6.1.5.5.7.3.1'
const clientAuth = '1.3.6.1.5.5.7.3.2'
const anyPurpose = '2.5.29.37.0'

/** A mail server's certificate is for servers or for clients, and its issuers must be for the same. */
const purposes = [serverAuth, clientAuth]

/** RFC 5280 §4.2.1.12: without the extension a certificate is for everything. */
function allows({ keyUsage }: X509Certificate, purpose: string): boolean {
  return !keyUsage || keyUsage.includes(purpose) || keyUsage.includes(anyPurpose)
}

export const allowsClientAuth = (certificate: X509Certificate): boolean => allows(certificate, clientAuth)

function isValidAt(certificate: X509Certificate, at: Date): boolean {
  return certificate.validFromDate <= at && at <= certificate.validToDate
}

function isSame(one: X509Certificate, other: X509Certificate): boolean {
  return one.fingerprint256 === other.fingerprint256
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}
