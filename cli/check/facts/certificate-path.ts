/**
 * Builds the path from a certificate to a root, to find the missing certificates. OpenSSL decides about trust. Pure.
 */
import type { X509Certificate } from 'node:crypto'
import { isSelfSigned } from '../../../shared/tls/unreadable-key.ts'
import { validFrom, validTo } from '../../../shared/tls/validity.ts'

/** A trusted certificate. */
export interface Anchor {
  readonly certificate: X509Certificate
  /** The trust store's name, for messages. */
  readonly store: string
  /** False when only this machine trusts the certificate. */
  readonly isTrustedByDeployment: boolean
}

export interface Step {
  readonly certificate: X509Certificate
  /** `Fetched`: from the issuer URL in the certificate below. */
  readonly origin: 'Presented' | 'Fetched'
}

export interface Path {
  /** The steps from the leaf upwards; the anchor is included only if the server presented it. */
  readonly steps: readonly Step[]
  readonly anchor: Anchor | null
}

/** Longer than any real path. */
const maxPathLength = 10

/** Prefers an anchor to a presented certificate, like OpenSSL. */
export function buildPath(
  presented: readonly [X509Certificate, ...X509Certificate[]],
  fetched: readonly X509Certificate[],
  anchors: readonly Anchor[],
  at: Date,
): Path {
  const steps: Step[] = [{ certificate: presented[0], origin: 'Presented' }]
  for (;;) {
    const { certificate } = steps.at(-1) as Step
    const anchor = anchorOf(certificate, anchors, at)
    if (anchor || isSelfSigned(certificate) || steps.length === maxPathLength) return { steps, anchor }
    const next =
      issuerOf(certificate, presented, 'Presented', steps, at) ??
      issuerOf(certificate, fetched, 'Fetched', steps, at)
    if (!next) return { steps, anchor: null }
    steps.push(next)
  }
}

function anchorOf(certificate: X509Certificate, anchors: readonly Anchor[], at: Date): Anchor | null {
  const candidates = anchors.filter(
    (anchor) => isSame(anchor.certificate, certificate) || isIssuedBy(certificate, anchor.certificate),
  )
  return candidates.find((anchor) => isValidAt(anchor.certificate, at)) ?? candidates[0] ?? null
}

/** Prefers a valid certificate when several have the same name and key. */
function issuerOf(
  certificate: X509Certificate,
  certificates: readonly X509Certificate[],
  origin: Step['origin'],
  steps: readonly Step[],
  at: Date,
): Step | null {
  const candidates = certificates.filter(
    (issuer) => isIssuedBy(certificate, issuer) && !steps.some((step) => isSame(step.certificate, issuer)),
  )
  const issuer = candidates.find((candidate) => isValidAt(candidate, at)) ?? candidates[0]
  return issuer ? { certificate: issuer, origin } : null
}

export const isSame = (a: X509Certificate, b: X509Certificate): boolean =>
  a.fingerprint256 === b.fingerprint256

/** Returns false for an unreadable key. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}

/**
 * Whether both certificates are of one authority: they have the same subject and the same key. The trust store of a
 * client decides which of the two is on the path.
 */
export function isOfSameAuthority(a: X509Certificate, b: X509Certificate): boolean {
  try {
    return a.subject === b.subject && a.publicKey.equals(b.publicKey)
  } catch {
    return false
  }
}

const isValidAt = (certificate: X509Certificate, at: Date): boolean =>
  validFrom(certificate) <= at && at <= validTo(certificate)
