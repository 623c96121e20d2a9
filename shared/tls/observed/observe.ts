/**
 * Adds one observation to the record of an endpoint. One name may stand for several servers, and only some of them are
 * renewed. So several certificates may be in use, and a stored certificate that comes back is no change.
 */
import { hourMs } from '../../contract/durations.ts'
import type { NewObservation, Observation, ObservedCertificate, ObservedChange } from './observation.ts'

/** Certificates stored for an endpoint. */
const maxCertificates = 6
const maxChanges = 5

export interface ObservationUpdate {
  observation: Observation
  /** Set if a certificate is new at an endpoint that had another. */
  change: ObservedChange | null
}

/** @returns null without news: the stored observation is less than an hour old, or newer */
export function observe(known: Observation | null, newObservation: NewObservation): ObservationUpdate | null {
  const { endpoint, certificate, verifiedBy, at } = newObservation
  const before = known?.certificates ?? []
  const same = before.find(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256)
  if (same && at.getTime() - Date.parse(same.lastSeen) < hourMs) return null
  const seenAt = at.toISOString()
  const now: ObservedCertificate = {
    ...certificate,
    verifiedBy,
    firstSeen: same?.firstSeen ?? seenAt,
    lastSeen: seenAt,
  }
  const others = before.filter((other) => other !== same)
  const change = same === undefined ? changeTo(now, predecessor(now, others, endpoint.kind)) : null
  const certificates = [now, ...others].sort(latestFirst).slice(0, maxCertificates)
  // A late observation: all stored certificates were seen after it.
  if (!certificates.includes(now)) return null
  const changes = [...(change ? [change] : []), ...(known?.changes ?? [])].slice(0, maxChanges)
  return { observation: { ...endpoint, certificates, changes }, change }
}

const latestFirst = (one: ObservedCertificate, other: ObservedCertificate): number =>
  other.lastSeen.localeCompare(one.lastSeen)

/** The ingress may serve two certificates, one for each key type; neither replaces the other. */
function predecessor(
  { keyType, lastSeen }: ObservedCertificate,
  others: readonly ObservedCertificate[],
  kind: NewObservation['endpoint']['kind'],
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
    from: comparedFieldsOf(from),
    to: comparedFieldsOf(to),
  }
}

/** An unreadable key counts as the same. */
const isSameKey = (one: ObservedCertificate, other: ObservedCertificate): boolean =>
  one.publicKeyFingerprint256 === null ||
  other.publicKeyFingerprint256 === null ||
  one.publicKeyFingerprint256 === other.publicKeyFingerprint256

const comparedFieldsOf = ({
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
