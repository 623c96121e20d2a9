/**
 * What becomes of our certificates at an instant: which follows, which is over, which is refused. Pure. The attack is
 * time: a certificate that expires unseen, or one that changes before partners who pinned the old could know. The
 * defence: what follows is judged and announced first, and served at its date; the date comes forward only where the old
 * one would not live to see it. The limit: nobody here knows whether partners have read what was announced.
 */
import { X509Certificate } from 'node:crypto'
import type {
  IngressCertificates,
  PublishedCertificate,
  PublishedCertificates,
} from '../../shared/contract/certificates.ts'
import { dayMs } from '../../shared/contract/durations.ts'
import {
  type CertificateFault,
  type CertificatesAndKeys,
  certificateFault,
  dueAt,
  firstEnd,
} from '../../shared/tls/certificate-choice.ts'
import { fingerprintOf } from '../../shared/tls/fingerprint.ts'
import { certificatesIn } from '../../shared/tls/pem.ts'
import { publishedAt } from '../../shared/tls/published.ts'
import { serverIdentities } from '../../shared/tls/server-identity.ts'
import { validFrom } from '../../shared/tls/validity.ts'

export interface Refusal extends CertificateFault {
  certificates: 'Current' | 'Next' | 'Offered'
}

export interface Facts {
  /** Null before the secret was filled. */
  set: IngressCertificates | null
  /** What an authority has issued since; null where there is nothing new. */
  offer: CertificatesAndKeys | null
  hostname: string
  /** Whether OpenSSL takes them. @throws Error in one line */
  prove?(certificates: CertificatesAndKeys): void
  now: Date
  /** Milliseconds between announcement and use. */
  noticeMs: number
  /** What partners were told last. */
  published: PublishedCertificates | null
}

export interface Plan {
  /** What the secret is to hold; the same object where it holds it already. */
  set: IngressCertificates
  refused: Refusal[]
  /** False where what was put in the place of another is at fault: tasks serve the other on, as partners know it. */
  isServed: boolean
}

/** How long, and how many, partners can compare with. */
const deprecatedMs = 90 * dayMs
const mostDeprecated = 4

/** Octets of the secret: Secrets Manager takes 65536, and others may have fields in it. */
const largestSecret = 60_000

/** @throws Error when there is neither a certificate nor one that may take its place */
export function planRotation(facts: Facts): Plan {
  const { now } = facts
  const refused: Refusal[] = []
  const filled = facts.set ?? firstOf(facts)
  const switched = switchWhenDue(filled, facts, refused)
  const fault = certificateFault(switched, { ...facts, at: now })
  if (fault) refused.push({ certificates: 'Current', ...fault })
  const isServed = fault === null || goneFrom(switched, facts).length === 0
  const replaced = isServed ? withReplaced(switched, facts) : switched
  const offered = withOffer(replaced, facts, refused)
  return { set: withoutOld(offered, now), refused, isServed }
}

function firstOf(facts: Facts): IngressCertificates {
  const { offer, now } = facts
  if (offer === null) throw new Error('the secret is empty, and there is no certificate to fill it with')
  const fault = certificateFault(offer, { ...facts, at: now })
  if (fault) throw new Error(`the secret is empty, and what would fill it is refused: ${fault.detail}`)
  return { ...offer, servedFrom: now.toISOString(), deprecated: [] }
}

/** As the ingress has done by its own clock. */
function switchWhenDue(set: IngressCertificates, facts: Facts, refused: Refusal[]): IngressCertificates {
  const { now } = facts
  const { next } = set
  if (!next) return set
  const due = dueAt(set, next)
  const isDue = due <= now
  const fault = certificateFault(next, { ...facts, at: isDue ? now : due })
  if (fault) refused.push({ certificates: 'Next', ...fault })
  if (fault || !isDue) return set
  const servedFrom = due.toISOString()
  return {
    certificate: next.certificate,
    privateKey: next.privateKey,
    servedFrom,
    next: null,
    deprecated: [{ certificate: set.certificate, servedUntil: servedFrom }, ...set.deprecated],
  }
}

/** Who writes a certificate in the place of another makes no note of the other: partners were told of it, so we know. */
function withReplaced(set: IngressCertificates, facts: Facts): IngressCertificates {
  const gone = goneFrom(set, facts)
  if (gone.length === 0) return set
  const servedUntil = facts.now.toISOString()
  return {
    ...set,
    servedFrom: servedUntil,
    deprecated: [{ certificate: gone.map(({ chain }) => chain).join('\n'), servedUntil }, ...set.deprecated],
  }
}

/** What partners know as the current, and the secret knows no more. */
function goneFrom(set: IngressCertificates, { now, published }: Facts): PublishedCertificate[] {
  if (published === null) return []
  const known = new Set(
    [set.certificate, ...set.deprecated.map(({ certificate }) => certificate)].flatMap(fingerprintsIn),
  )
  return publishedAt(published, now).certificates.filter(
    ({ state, fingerprint256 }) => state === 'Current' && !known.has(fingerprint256),
  )
}

function withOffer(set: IngressCertificates, facts: Facts, refused: Refusal[]): IngressCertificates {
  const { offer, now, noticeMs } = facts
  if (offer === null || !isNews(set, certificatesIn(offer.certificate))) return set
  const noticed = new Date(now.getTime() + noticeMs)
  const end = firstEnd(set)
  const from = end !== null && end <= noticed ? now : noticed
  const fault = certificateFault(offer, { ...facts, at: from })
  if (fault) refused.push({ certificates: 'Offered', ...fault })
  return fault ? set : { ...set, next: { ...offer, servedFrom: from.toISOString() } }
}

/**
 * Whether certificates that are offered follow on those we have: one of them is unknown, and none is older than ours of
 * its kind. So what an administrator put in their place is not undone by what it replaced.
 * @param offered PEM, whatever issuers are among them
 */
export function isNews(set: IngressCertificates, offered: readonly string[]): boolean {
  const known = new Set(
    [
      set.certificate,
      set.next?.certificate ?? '',
      ...set.deprecated.map(({ certificate }) => certificate),
    ].flatMap(fingerprintsIn),
  )
  const latest = leavesOf(set.next ?? set)
  const leaves = offered.map((pem) => new X509Certificate(pem)).filter(({ ca }) => !ca)
  const isOlder = (leaf: X509Certificate) =>
    latest.some((ours) => kindOf(ours) === kindOf(leaf) && validFrom(leaf) < validFrom(ours))
  return leaves.some((leaf) => !known.has(fingerprintOf(leaf))) && !leaves.some(isOlder)
}

function withoutOld(set: IngressCertificates, now: Date): IngressCertificates {
  const young = set.deprecated
    .filter(({ servedUntil }) => now.getTime() - Date.parse(servedUntil) < deprecatedMs)
    .filter(({ certificate }) => fingerprintsIn(certificate).length > 0)
    .slice(0, mostDeprecated)
  // What follows must find room; what is over is told of for as long as there is some.
  while (young.length > 0 && octetsOf({ ...set, deprecated: young }) > largestSecret) young.pop()
  return young.length === set.deprecated.length ? set : { ...set, deprecated: young }
}

const octetsOf = (set: IngressCertificates): number => Buffer.byteLength(JSON.stringify(set))

function leavesOf({ certificate, privateKey }: CertificatesAndKeys): X509Certificate[] {
  try {
    return serverIdentities(privateKey, certificate).map(({ cert }) => new X509Certificate(cert))
  } catch {
    return []
  }
}

const kindOf = ({ publicKey }: X509Certificate): string => publicKey.asymmetricKeyType ?? ''

/** Of all that can be read in a text of PEM. */
function fingerprintsIn(text: string): string[] {
  return certificatesIn(text).flatMap((pem) => {
    try {
      return [fingerprintOf(new X509Certificate(pem))]
    } catch {
      return []
    }
  })
}
