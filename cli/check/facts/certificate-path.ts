/**
 * Builds the path from a certificate to a root, to show what is missing. Trust is decided by OpenSSL, not here. Pure.
 */
import type { X509Certificate } from 'node:crypto'
import { validFrom, validTo } from '../../../shared/tls/validity.ts'

/** A trusted certificate. */
export interface Anchor {
  readonly certificate: X509Certificate
  /** The trust store's name, for messages. */
  readonly store: string
  /** False when only this machine trusts it. */
  readonly isTrustedElsewhere: boolean
}

export interface Step {
  readonly certificate: X509Certificate
  /** `Fetched`: from the issuer URL in the certificate below. */
  readonly origin: 'Presented' | 'Fetched'
}

export interface Path {
  /** Leaf first; includes the anchor only if it was presented. */
  readonly steps: readonly Step[]
  readonly anchor: Anchor | null
}

/** No real path is longer. */
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
  const fitting = anchors.filter(
    (anchor) => isSame(anchor.certificate, certificate) || isIssuedBy(certificate, anchor.certificate),
  )
  return fitting.find((anchor) => isValidAt(anchor.certificate, at)) ?? fitting[0] ?? null
}

/** Prefers a valid certificate when several have the same name and key. */
function issuerOf(
  certificate: X509Certificate,
  among: readonly X509Certificate[],
  from: Step['origin'],
  steps: readonly Step[],
  at: Date,
): Step | null {
  const fitting = among.filter(
    (other) => isIssuedBy(certificate, other) && !steps.some((step) => isSame(step.certificate, other)),
  )
  const found = fitting.find((other) => isValidAt(other, at)) ?? fitting[0]
  return found ? { certificate: found, origin: from } : null
}

export const isSame = (one: X509Certificate, other: X509Certificate): boolean =>
  one.fingerprint256 === other.fingerprint256

/** Returns false for an unreadable key. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}

export function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey)
  } catch {
    return false
  }
}

/** Whether both certificates are of one authority. The client's trust store decides which one is on the path. */
export function isOfSameAuthority(one: X509Certificate, other: X509Certificate): boolean {
  try {
    return one.subject === other.subject && one.publicKey.equals(other.publicKey)
  } catch {
    return false
  }
}

const isValidAt = (certificate: X509Certificate, at: Date): boolean =>
  validFrom(certificate) <= at && at <= validTo(certificate)
