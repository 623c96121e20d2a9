/**
 * From what was known of a place and what is seen there now to what is known. Several certificates may be in use at one
 * place: behind one name there are several servers, of which some were renewed. So a certificate that comes back is no
 * change, as long as it is remembered.
 */
import { hourMs } from '../../contract/durations.ts'
import type { Observation, ObservedCertificate, ObservedChange, Sighting } from './observation.ts'

/** Certificates remembered of a place. */
const mostCertificates = 6
const mostChanges = 5

export interface Observed {
  observation: Observation
  /** What is seen for the first time where another was seen before. */
  change: ObservedChange | null
}

/** @returns null when nothing is news: it was seen within the hour, or later than this */
export function observe(known: Observation | null, sighting: Sighting): Observed | null {
  const { place, certificate, verifiedBy, at } = sighting
  const before = known?.certificates ?? []
  const same = before.find(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256)
  if (same && at.getTime() - Date.parse(same.lastSeen) < hourMs) return null
  const seen = at.toISOString()
  const now: ObservedCertificate = {
    ...certificate,
    verifiedBy,
    firstSeen: same?.firstSeen ?? seen,
    lastSeen: seen,
  }
  const others = before.filter((other) => other !== same)
  const change = same === undefined ? changeTo(now, predecessor(now, others, place.kind)) : null
  const certificates = [now, ...others].sort(latestFirst).slice(0, mostCertificates)
  // A sighting that is written late, when all that is remembered was seen after it.
  if (!certificates.includes(now)) return null
  const changes = [...(change ? [change] : []), ...(known?.changes ?? [])].slice(0, mostChanges)
  return { observation: { ...place, certificates, changes }, change }
}

const latestFirst = (one: ObservedCertificate, other: ObservedCertificate): number =>
  other.lastSeen.localeCompare(one.lastSeen)

/** Ours may be two side by side, one for each kind of key, of which neither takes the other's place. */
function predecessor(
  { keyType, lastSeen }: ObservedCertificate,
  others: readonly ObservedCertificate[],
  kind: Sighting['place']['kind'],
): ObservedCertificate | null {
  const earlier = others.filter((other) => other.lastSeen <= lastSeen)
  const alike = earlier.find((other) => other.keyType === keyType)
  return alike ?? (kind === 'Own' ? null : (earlier[0] ?? null))
}

function changeTo(to: ObservedCertificate, from: ObservedCertificate | null): ObservedChange | null {
  if (from === null) return null
  const what: ObservedChange['what'] = [
    ...(from.issuer === to.issuer ? [] : (['Issuer'] as const)),
    ...(isSameKey(from, to) ? [] : (['Key'] as const)),
  ]
  return {
    at: to.firstSeen,
    what: what.length > 0 ? what : ['Certificate'],
    from: compared(from),
    to: compared(to),
  }
}

/** Of a key that could not be read nobody knows. */
const isSameKey = (one: ObservedCertificate, other: ObservedCertificate): boolean =>
  one.publicKeyFingerprint256 === null ||
  other.publicKeyFingerprint256 === null ||
  one.publicKeyFingerprint256 === other.publicKeyFingerprint256

const compared = ({
  fingerprint256,
  publicKeyFingerprint256,
  issuer,
  notAfter,
}: ObservedCertificate): ObservedChange['from'] => ({
  fingerprint256,
  publicKeyFingerprint256,
  issuer,
  notAfter,
})
