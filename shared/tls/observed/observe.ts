/**
 * Adds one observation to the record of an endpoint. One name may stand for several servers, whose certificates are
 * renewed at different times. So several certificates may be in use, and an observation of a stored certificate is not
 * a change.
 */
import { hourMs } from '../../contract/durations.ts'
import type { NewObservation, Observation, ObservedCertificate, ObservedChange } from './observation.ts'

/** Limit for the certificates stored for an endpoint. */
const maxCertificates = 6
const maxChanges = 5

export interface ObservationUpdate {
  observation: Observation
  /** Whether the endpoint presented the certificate for the first time. */
  isNew: boolean
  /** The change if the certificate is new and replaces an earlier one of the endpoint; otherwise null. */
  change: ObservedChange | null
}

/**
 * @returns null if there is nothing to store: the certificate was already observed later or less than an hour earlier,
 * or certificates that were observed later use up the limit
 */
export function addObservation(
  stored: Observation | null,
  newObservation: NewObservation,
): ObservationUpdate | null {
  const { endpoint, certificate, verifiedBy, facts = null, at } = newObservation
  const storedCertificates = stored?.certificates ?? []
  const storedSame = storedCertificates.find(
    ({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256,
  )
  if (storedSame && at.getTime() - Date.parse(storedSame.lastSeen) < hourMs) return null
  const observedAt = at.toISOString()
  const observed: ObservedCertificate = {
    ...certificate,
    verifiedBy,
    facts,
    firstSeen: storedSame?.firstSeen ?? observedAt,
    lastSeen: observedAt,
  }
  const others = storedCertificates.filter((other) => other !== storedSame)
  const change =
    storedSame === undefined ? changeTo(observed, predecessor(observed, others, endpoint.kind)) : null
  const certificates = [observed, ...others].sort(latestFirst).slice(0, maxCertificates)
  // The observation arrived late: all certificates that are kept were observed after it.
  if (!certificates.includes(observed)) return null
  const changes = [...(change ? [change] : []), ...(stored?.changes ?? [])].slice(0, maxChanges)
  return { observation: { ...endpoint, certificates, changes }, isNew: storedSame === undefined, change }
}

const latestFirst = (first: ObservedCertificate, second: ObservedCertificate): number =>
  second.lastSeen.localeCompare(first.lastSeen)

/**
 * The earlier certificate that the observed one replaces, preferably one of the same key type. The ingress may serve
 * two certificates, one for each key type; neither replaces the other.
 */
function predecessor(
  { keyType, lastSeen }: ObservedCertificate,
  others: readonly ObservedCertificate[],
  kind: NewObservation['endpoint']['kind'],
): ObservedCertificate | null {
  const earlier = others.filter((other) => other.lastSeen <= lastSeen)
  const sameKeyType = earlier.find((other) => other.keyType === keyType)
  return sameKeyType ?? (kind === 'Own' ? null : (earlier[0] ?? null))
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

/** Treats an unreadable key as unchanged. */
const isSameKey = (previous: ObservedCertificate, current: ObservedCertificate): boolean =>
  previous.publicKeyFingerprint256 === null ||
  current.publicKeyFingerprint256 === null ||
  previous.publicKeyFingerprint256 === current.publicKeyFingerprint256

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
