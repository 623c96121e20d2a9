/** Adapts a published description of the ingress's certificates to a later time. Needs no certificate itself. */
import type { PublishedCertificate, PublishedCertificates } from '../contract/certificates.ts'
import { servedProtocol } from './server-options.ts'

/**
 * The published description as it applies at `now`. The ingress switches to the next certificate by its own clock, so
 * the description must switch at the same time.
 */
export function descriptionAt(published: PublishedCertificates, now: Date): PublishedCertificates {
  const dueCertificates = published.certificates.filter(
    ({ state, servedFrom }) => state === 'Next' && servedFrom !== null && new Date(servedFrom) <= now,
  )
  const [first] = dueCertificates
  const switchedAt = first?.servedFrom ?? null
  if (switchedAt === null) return published
  const certificates = published.certificates.map((each): PublishedCertificate => {
    if (dueCertificates.includes(each))
      return { ...each, state: 'Current', servedFrom: firstServedFrom(each, published) }
    if (each.state === 'Current') return { ...each, state: 'Deprecated', servedUntil: switchedAt }
    return each
  })
  return buildDescription(published.hostname, switchedAt, certificates)
}

/** A certificate that is both current and next keeps the date from which it was first served. */
function firstServedFrom(
  { fingerprint256, servedFrom }: PublishedCertificate,
  { certificates }: PublishedCertificates,
): string | null {
  const before = certificates.find(
    (each) => each.state === 'Current' && each.fingerprint256 === fingerprint256,
  )
  return before?.servedFrom ?? servedFrom
}

const order = ['Current', 'Next', 'Deprecated']

/** The description of these certificates, in order, with their TLSA records and the protocol that they allow. */
export function buildDescription(
  hostname: string,
  changedAt: string,
  unordered: readonly PublishedCertificate[],
): PublishedCertificates {
  const currentCertificates = unordered.filter(({ state }) => state === 'Current')
  const isCurrent = ({ fingerprint256 }: PublishedCertificate) =>
    currentCertificates.some((each) => each.fingerprint256 === fingerprint256)
  const certificates = unordered
    .filter((each) => each.state !== 'Deprecated' || !isCurrent(each))
    .toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
  const inUse = certificates.filter(({ state }) => state !== 'Deprecated')
  const records = inUse.map((each) => `_25._tcp.${hostname}. IN TLSA 3 1 1 ${each.publicKeyFingerprint256}`)
  return {
    hostname,
    changedAt,
    certificates,
    tlsaRecords: [...new Set(records)],
    protocol: servedProtocol(currentCertificates.map(({ keyType }) => keyType)),
  }
}
