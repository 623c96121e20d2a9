/**
 * Checks one path of certificates, from the leaf to a trust anchor, as RFC 5280 §6.1 requires. It is the only check of
 * paths: for clients and servers, for a connector's own authorities, public roots and DANE, and for explanations. The
 * caller has verified names and signatures. Not checked: revocation, and certificate policies (RFC 5280 §6.1.2–6.1.5
 * valid_policy_tree), whose extensions are accepted even if they are critical, as in OpenSSL.
 */
import type { X509Certificate } from 'node:crypto'
import { type CertificateParts, readCertificateParts } from './certificate-parts.ts'
import { keyFault, signatureFault } from './cryptographic-strength.ts'
import { extensionIds, extensionsOf, hasKeyUsage, keyUsages } from './extension.ts'
import { constrainedNamesOf, nameConstraintFault, nameConstraintsOf } from './name-constraints.ts'
import { pathLengthOf } from './path-length.ts'
import { allowsPurpose, type Purpose } from './purpose.ts'
import { validFrom, validTo } from './validity.ts'

/** Leaf first, trust anchor last. The leaf can be the trust anchor. */
export type CertificatePath = readonly [X509Certificate, ...X509Certificate[]]

/** What is known of a path independently of time and purpose, so that later checks of it are cheap. */
export interface AssessedPath {
  /** The first fault that depends neither on time nor purpose. */
  readonly lastingFault: string | null
  /** Each certificate's dates in milliseconds since the epoch. */
  readonly dates: readonly { position: string; from: number; to: number }[]
  /** Each purpose's fault. */
  readonly purposeFaults: Readonly<Record<Purpose, string | null>>
}

export function assessPath(path: CertificatePath): AssessedPath {
  return {
    lastingFault: lastingFaultOf(path),
    dates: path.map((certificate, index) => ({
      position: positionIn(path, index),
      from: validFrom(certificate).getTime(),
      to: validTo(certificate).getTime(),
    })),
    purposeFaults: { Server: purposeFault(path, 'Server'), Client: purposeFault(path, 'Client') },
  }
}

/**
 * @param purposes one of them must be allowed by all certificates of the path
 * @param at the time at which all certificates of the path must be valid; null: dates are not checked
 * @returns the first fault, such as `the intermediate certificate is signed with SHA-1, which is not accepted`; null
 * without a fault
 */
export function pathFault(
  { lastingFault, dates, purposeFaults }: AssessedPath,
  purposes: readonly Purpose[],
  at: Date | null,
): string | null {
  const dateFault = at === null ? null : dateFaultOf(dates, at)
  if (lastingFault !== null || dateFault !== null) return lastingFault ?? dateFault
  const faults = purposes.map((purpose) => purposeFaults[purpose])
  return faults.includes(null) ? null : (faults[0] ?? null)
}

function dateFaultOf(dates: AssessedPath['dates'], at: Date): string | null {
  for (const { position, from, to } of dates) {
    if (Number.isNaN(from + to)) return `${position} has invalid dates`
    if (at.getTime() > to) return `${position} expired on ${new Date(to).toISOString()}`
    if (at.getTime() < from) return `${position} is not valid before ${new Date(from).toISOString()}`
  }
  return null
}

/** By their position, certificates are named without text that an attacker chooses. */
function positionIn({ length }: CertificatePath, index: number): string {
  if (index === 0) return 'the certificate'
  if (index === length - 1) return 'the trust anchor'
  return length === 3 ? 'the intermediate certificate' : `intermediate certificate ${index}`
}

function lastingFaultOf(path: CertificatePath): string | null {
  for (const [index, certificate] of path.entries()) {
    const fault = faultAt(path, index, certificate)
    if (fault !== null) return `${positionIn(path, index)} ${fault}`
  }
  return null
}

function faultAt(path: CertificatePath, index: number, certificate: X509Certificate): string | null {
  try {
    const parts = readCertificateParts(certificate)
    return (
      extensionFault(certificate) ??
      keyFault(certificate.publicKey, parts) ??
      // The trust anchor is trusted without its own signature (RFC 5280 §6.1.1 d).
      (index === path.length - 1 ? null : signatureFault(parts)) ??
      (index === 0 ? leafUsageFault(certificate) : issuerFault(path, index, certificate))
    )
  } catch {
    return 'cannot be read'
  }
}

/** Extensions that this check processes, or accepts as described above. */
const knownExtensions: ReadonlySet<string> = new Set([
  extensionIds.keyUsage,
  extensionIds.subjectAltName,
  extensionIds.basicConstraints,
  extensionIds.nameConstraints,
  extensionIds.crlDistributionPoints,
  extensionIds.certificatePolicies,
  extensionIds.policyMappings,
  extensionIds.policyConstraints,
  extensionIds.extendedKeyUsage,
  extensionIds.inhibitAnyPolicy,
])

/**
 * RFC 5280 §4.2: an unknown critical extension is a fault. So is a repeated extension, of which two programs may read
 * different ones.
 */
function extensionFault({ raw }: X509Certificate): string | null {
  const extensions = extensionsOf(raw)
  const ids = extensions.map(({ id }) => id)
  if (ids.includes(extensionIds.precertificatePoison))
    return 'is a precertificate of Certificate Transparency (RFC 6962 §3.1)'
  if (new Set(ids).size < ids.length) return 'has an extension twice'
  return extensions.some(({ id, isCritical }) => isCritical && !knownExtensions.has(id))
    ? 'has an unknown critical extension'
    : null
}

/** Ways to use a key in a TLS handshake, as OpenSSL accepts them. */
const tlsKeyUsages = keyUsages.digitalSignature | keyUsages.keyEncipherment | keyUsages.keyAgreement

const leafUsageFault = ({ raw }: X509Certificate): string | null =>
  hasKeyUsage(raw, tlsKeyUsages) ? null : 'may not be used for TLS (keyUsage)'

/** The fault of an issuer, and of its constraints for the certificates below it. */
function issuerFault(path: CertificatePath, index: number, issuer: X509Certificate): string | null {
  if (!hasKeyUsage(issuer.raw, keyUsages.keyCertSign))
    return 'may not sign certificates (keyUsage without keyCertSign)'
  if (!issuer.ca) return 'is not an authority (basicConstraints)'
  // RFC 5280 §4.2.1.9 does not count self-issued authorities.
  const below = path.slice(1, index).filter((certificate) => !isSelfIssued(certificate)).length
  const limit = pathLengthOf(issuer.raw)
  if (below > limit) return `permits ${limit} authorities below it, and ${below} are (pathLenConstraint)`
  return constraintFault(path, index, issuer)
}

/** RFC 5280 §6.1.3 b: self-issued authorities are exempt. */
function constraintFault(path: CertificatePath, index: number, issuer: X509Certificate): string | null {
  const constraints = nameConstraintsOf(issuer.raw)
  if (constraints === null) return null
  for (const [below, certificate] of path.slice(0, index).entries()) {
    if (below > 0 && isSelfIssued(certificate)) continue
    const fault = nameConstraintFault(constraints, constrainedNamesOf(certificate, below === 0))
    if (fault !== null) return `has name constraints that ${fault} of ${positionIn(path, below)}`
  }
  return null
}

function isSelfIssued(certificate: X509Certificate): boolean {
  const { issuer, subject }: CertificateParts = readCertificateParts(certificate)
  return issuer.equals(subject)
}

/** All certificates of the path must allow the purpose, as in OpenSSL; RFC 5280 §4.2.1.12 requires it of the leaf. */
function purposeFault(path: CertificatePath, purpose: Purpose): string | null {
  const index = path.findIndex((certificate) => !allowsPurpose(certificate, purpose))
  return index < 0
    ? null
    : `${positionIn(path, index)} is not for TLS ${purpose === 'Server' ? 'servers' : 'clients'} (extendedKeyUsage)`
}
