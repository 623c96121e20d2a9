/**
 * Plans the rotation at one instant: which certificate is next, which becomes deprecated, which is refused. Pure.
 * Attack: a certificate expires unnoticed, or changes before partners that pinned the old one could react. Defence: the
 * next certificate is checked and announced first, and served at the announced date. It is served earlier only when the
 * old certificate expires before that date, and later while senders that use DANE would refuse it. Not covered: whether partners have read the notice.
 */
import { X509Certificate } from 'node:crypto'
import type {
  IngressCertificates,
  PublishedCertificate,
  PublishedCertificates,
  TlsaStatus,
} from '../../shared/contract/certificates.ts'
import { dayMs } from '../../shared/contract/durations.ts'
import {
  type CertificateFault,
  type CertificatesAndKeys,
  earliestExpiry,
  findCertificateFault,
  nextServedFrom,
} from '../../shared/tls/certificate-choice.ts'
import { descriptionAt } from '../../shared/tls/description-at.ts'
import { fingerprintOf } from '../../shared/tls/fingerprint.ts'
import { certificatesIn } from '../../shared/tls/pem.ts'
import { serverIdentities } from '../../shared/tls/server-identity.ts'
import { validFrom } from '../../shared/tls/validity.ts'
import { scheduleNext, type TlsaLookup, tlsaStatusOf } from './tlsa-status.ts'

export interface Refusal extends CertificateFault {
  certificates: 'Current' | 'Next' | 'Offered'
}

export interface Facts {
  /** The content of the secret; null before it is filled. */
  set: IngressCertificates | null
  /** All certificates of the authority, if they are newer than those in the secret; null otherwise. */
  offer: CertificatesAndKeys | null
  hostname: string
  /** Checks that OpenSSL accepts the certificates. @throws Error with one line, when it does not */
  checkWithOpenSsl?(certificates: CertificatesAndKeys): void
  now: Date
  /** Milliseconds between announcement and use. */
  noticeMs: number
  /** The certificates as last published. */
  published: PublishedCertificates | null
  tlsa: TlsaLookup
}

export interface Plan {
  /** The new content of the secret; the same object as `Facts.set` when nothing changes. */
  set: IngressCertificates
  refused: Refusal[]
  /** Whether the TLSA records permit the next certificates; null when there are none, or no record restricts them. */
  nextTlsa: TlsaStatus | null
  /** False when a replacement in the secret is refused: tasks keep serving the previous certificate. */
  isReplacementAccepted: boolean
}

/** Limits of the published deprecated certificates. */
const deprecatedRetentionMs = 90 * dayMs
const maxDeprecated = 4

/** Secrets Manager allows 65536 octets; the rest is for other fields. */
const maxSecretOctets = 60_000

/** @throws Error when the secret is empty, and there is no acceptable offer */
export function planRotation(facts: Facts): Plan {
  const { now } = facts
  const refused: Refusal[] = []
  const filled = facts.set ?? fillEmptySecret(facts)
  const switched = switchWhenDue(filled, facts, refused)
  const fault = findCertificateFault(switched, { ...facts, at: now })
  if (fault) refused.push({ certificates: 'Current', ...fault })
  const isServed = fault === null || replacedCertificates(switched, facts).length === 0
  const replaced = isServed ? deprecateReplaced(switched, facts) : switched
  const offered = announceOffer(replaced, facts, refused)
  const isRefused = refused.some(({ certificates }) => certificates === 'Next')
  const nextTlsa = isRefused ? null : statusOfNext(offered, facts)
  const scheduled = isRefused ? offered : scheduleNext(offered, nextTlsa, now)
  return { set: dropOldDeprecated(scheduled, now), refused, nextTlsa, isReplacementAccepted: isServed }
}

const statusOfNext = ({ next }: IngressCertificates, { tlsa, hostname, now, published }: Facts) =>
  next ? tlsaStatusOf(next.certificate, tlsa, { hostname, now, previous: published?.nextTlsa ?? null }) : null

function fillEmptySecret(facts: Facts): IngressCertificates {
  const { offer, now } = facts
  if (offer === null) throw new Error('the secret is empty, and there is no certificate to fill it with')
  const fault = findCertificateFault(offer, { ...facts, at: now })
  if (fault)
    throw new Error(`the secret is empty, and the certificate to fill it with is refused: ${fault.detail}`)
  return { ...offer, servedFrom: now.toISOString(), deprecated: [] }
}

/** Makes the next certificate current when it is due. The ingress switches at the same time, by its own clock. */
function switchWhenDue(set: IngressCertificates, facts: Facts, refused: Refusal[]): IngressCertificates {
  const { now } = facts
  const { next } = set
  if (!next) return set
  const switchTime = nextServedFrom(set, next)
  const isDue = switchTime <= now
  const fault = findCertificateFault(next, { ...facts, at: isDue ? now : switchTime })
  if (fault) refused.push({ certificates: 'Next', ...fault })
  if (fault || !isDue) return set
  const servedFrom = switchTime.toISOString()
  return {
    certificate: next.certificate,
    privateKey: next.privateKey,
    servedFrom,
    next: null,
    deprecated: [{ certificate: set.certificate, servedUntil: servedFrom }, ...set.deprecated],
  }
}

/**
 * An administrator may overwrite a certificate in the secret. The overwritten certificate is still published as
 * current, so it becomes deprecated.
 */
function deprecateReplaced(set: IngressCertificates, facts: Facts): IngressCertificates {
  const formerCertificates = replacedCertificates(set, facts)
  if (formerCertificates.length === 0) return set
  const servedUntil = facts.now.toISOString()
  return {
    ...set,
    servedFrom: servedUntil,
    deprecated: [
      { certificate: formerCertificates.map(({ chain }) => chain).join('\n'), servedUntil },
      ...set.deprecated,
    ],
  }
}

/** Returns certificates that are published as current and are no longer in the secret. */
function replacedCertificates(set: IngressCertificates, { now, published }: Facts): PublishedCertificate[] {
  if (published === null) return []
  const storedFingerprints = new Set(
    [set.certificate, ...set.deprecated.map(({ certificate }) => certificate)].flatMap(fingerprintsIn),
  )
  return descriptionAt(published, now).certificates.filter(
    ({ state, fingerprint256 }) => state === 'Current' && !storedFingerprints.has(fingerprint256),
  )
}

function announceOffer(set: IngressCertificates, facts: Facts, refused: Refusal[]): IngressCertificates {
  const { offer, now, noticeMs } = facts
  if (offer === null || !isNewer(set, certificatesIn(offer.certificate))) return set
  const afterNotice = new Date(now.getTime() + noticeMs)
  const end = earliestExpiry(set)
  const from = end !== null && end <= afterNotice ? now : afterNotice
  const fault = findCertificateFault(offer, { ...facts, at: from })
  if (fault) refused.push({ certificates: 'Offered', ...fault })
  return fault ? set : { ...set, next: { ...offer, servedFrom: from.toISOString() } }
}

/**
 * Whether offered certificates follow those in the secret: at least one is unknown, and none is older than the secret's
 * latest certificate (next, else current) of its key type. So an administrator's replacement is not undone by the
 * certificate that it replaced.
 * @param offered PEM; may include issuers
 */
export function isNewer(set: IngressCertificates, offered: readonly string[]): boolean {
  const storedFingerprints = new Set(
    [
      set.certificate,
      set.next?.certificate ?? '',
      ...set.deprecated.map(({ certificate }) => certificate),
    ].flatMap(fingerprintsIn),
  )
  const latest = leavesOf(set.next ?? set)
  const leaves = offered.map((pem) => new X509Certificate(pem)).filter(({ ca }) => !ca)
  const isOlder = (leaf: X509Certificate) =>
    latest.some((current) => keyTypeOf(current) === keyTypeOf(leaf) && validFrom(leaf) < validFrom(current))
  return leaves.some((leaf) => !storedFingerprints.has(fingerprintOf(leaf))) && !leaves.some(isOlder)
}

function dropOldDeprecated(set: IngressCertificates, now: Date): IngressCertificates {
  const recent = set.deprecated
    .filter(({ servedUntil }) => now.getTime() - Date.parse(servedUntil) < deprecatedRetentionMs)
    .filter(({ certificate }) => fingerprintsIn(certificate).length > 0)
    .slice(0, maxDeprecated)
  // The next certificate must fit into the secret; the oldest deprecated certificates are dropped for it.
  while (recent.length > 0 && octetsOf({ ...set, deprecated: recent }) > maxSecretOctets) recent.pop()
  return recent.length === set.deprecated.length ? set : { ...set, deprecated: recent }
}

const octetsOf = (set: IngressCertificates): number => Buffer.byteLength(JSON.stringify(set))

function leavesOf({ certificate, privateKey }: CertificatesAndKeys): X509Certificate[] {
  try {
    return serverIdentities(privateKey, certificate).map(({ cert }) => new X509Certificate(cert))
  } catch {
    return []
  }
}

const keyTypeOf = ({ publicKey }: X509Certificate): string => publicKey.asymmetricKeyType ?? ''

/** Returns the fingerprints of all readable certificates in a PEM text. */
function fingerprintsIn(text: string): string[] {
  return certificatesIn(text).flatMap((pem) => {
    try {
      return [fingerprintOf(new X509Certificate(pem))]
    } catch {
      return []
    }
  })
}
