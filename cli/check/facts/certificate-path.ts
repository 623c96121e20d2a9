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

/** Of several with one name and key, one that is valid. */
function issuerOf(
  certificate: X509Certificate,
  among: readonly X509Certificate[],
  from: Step['from'],
  steps: readonly Step[],
  at: Date,
): Step | null {
  const fitting = among.filter(
    (other) => isIssuedBy(certificate, other) && !steps.some((step) => isSame(step.certificate, other)),
  )
  const found = fitting.find((other) => isValidAt(other, at)) ?? fitting[0]
  return found ? { certificate: found, from } : null
}

export const isSame = (one: X509Certificate, other: X509Certificate): boolean =>
  one.fingerprint256 === other.fingerprint256

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

/** Whether both are of one authority: which of them is on a path, depends on whom the reader trusts. */
export function isOfSameAuthority(one: X509Certificate, other: X509Certificate): boolean {
  try {
    return one.subject === other.subject && one.publicKey.equals(other.publicKey)
  } catch {
    return false
  }
}

const isValidAt = (certificate: X509Certificate, at: Date): boolean =>
  validFrom(certificate) <= at && at <= validTo(certificate)
