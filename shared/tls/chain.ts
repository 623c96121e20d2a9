/** Whether a presented chain leads to one of a connector's own certificate authorities (RFC 5280 §6.1, in short). */
import { X509Certificate } from 'node:crypto'

/**
 * @param chain presented certificates, leaf first, base64 DER
 * @param authorities PEM
 * @param at the instant for which every certificate on the path must be valid
 */
export function chainsTo(chain: readonly string[], authorities: readonly string[], at: Date): boolean {
  const anchors = authorities.map((pem) => new X509Certificate(pem)).filter((anchor) => isValidAt(anchor, at))
  const presented = chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  let current = presented.shift()
  while (current !== undefined && isValidAt(current, at)) {
    const certificate = current
    if (anchors.some((anchor) => isSame(anchor, certificate) || isIssuedBy(certificate, anchor))) return true
    const next = presented.findIndex((candidate) => candidate.ca && isIssuedBy(certificate, candidate))
    current = next < 0 ? undefined : presented.splice(next, 1)[0]
  }
  return false
}

function isValidAt(certificate: X509Certificate, at: Date): boolean {
  return certificate.validFromDate <= at && at <= certificate.validToDate
}

function isSame(one: X509Certificate, other: X509Certificate): boolean {
  return one.fingerprint256 === other.fingerprint256
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}
