/**
 * The way from a certificate up to a root, for people to see what is on it and what is missing. It decides nothing: what
 * is trusted says OpenSSL. Pure.
 */
import type { X509Certificate } from 'node:crypto'
import { validFrom, validTo } from '../../../shared/tls/validity.ts'

/** A certificate that is trusted. */
export interface Anchor {
  readonly certificate: X509Certificate
  /** Where it stands, for people. */
  readonly store: string
  /** False where only this machine trusts it. */
  readonly everywhere: boolean
}

export interface Step {
  readonly certificate: X509Certificate
  /** `Fetched`: from where the one below it says that it is. */
  readonly from: 'Presented' | 'Fetched'
}

export interface Path {
  /** Leaf first; the anchor only where it was presented itself. */
  readonly steps: readonly Step[]
  readonly anchor: Anchor | null
}

/** More than any path needs. */
const mostSteps = 10

/** As OpenSSL does, an anchor is preferred to what was presented. */
export function pathOf(
  presented: readonly [X509Certificate, ...X509Certificate[]],
  fetched: readonly X509Certificate[],
  anchors: readonly Anchor[],
  at: Date,
): Path {
  const steps: Step[] = [{ certificate: presented[0], from: 'Presented' }]
  for (;;) {
    const { certificate } = steps.at(-1) as Step
    const anchor = anchorOf(certificate, anchors, at)
    if (anchor || isSelfSigned(certificate) || steps.length === mostSteps) return { steps, anchor }
    const next =
      issuerOf(certificate, presented, 'Presented', steps) ?? issuerOf(certificate, fetched, 'Fetched', steps)
    if (!next) return { steps, anchor: null }
    steps.push(next)
  }
}

/** Of several with one name and key, one that is valid. */
function anchorOf(certificate: X509Certificate, anchors: readonly Anchor[], at: Date): Anchor | null {
  const fitting = anchors.filter(
    (anchor) =>
      anchor.certificate.fingerprint256 === certificate.fingerprint256 ||
      isIssuedBy(certificate, anchor.certificate),
  )
  return fitting.find((anchor) => isValidAt(anchor.certificate, at)) ?? fitting[0] ?? null
}

function issuerOf(
  certificate: X509Certificate,
  among: readonly X509Certificate[],
  from: Step['from'],
  steps: readonly Step[],
): Step | null {
  const found = among.find(
    (other) =>
      isIssuedBy(certificate, other) &&
      steps.every((step) => step.certificate.fingerprint256 !== other.fingerprint256),
  )
  return found ? { certificate: found, from } : null
}

/** A key that cannot be read has signed nothing. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}

/** Whether it is its own issuer, be it an authority or not. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey)
  } catch {
    return false
  }
}

const isValidAt = (certificate: X509Certificate, at: Date): boolean =>
  validFrom(certificate) <= at && at <= validTo(certificate)
