/** What is kept of the certificates seen at one place, and what changed there. */
import { z } from 'zod'
import { CertificateSummary } from '../../contract/certificate.ts'
import { ConnectorName } from '../../contract/jobs.ts'
import { PolicySource } from '../../contract/message.ts'

/**
 * `Own`: one that we show, to senders or to next hops. `PartnerServer`: shown by a next hop. `PartnerClient`: shown by
 * a sender, to an inbound connector that knows it.
 */
export const ObservedKind = z.enum(['Own', 'PartnerServer', 'PartnerClient'])
export type ObservedKind = z.infer<typeof ObservedKind>

/** Where certificates are seen: what takes the place of what is decided by this. */
export const ObservedPlace = z.strictObject({
  kind: ObservedKind,
  /** Null of what the ingress serves, and of strangers. */
  connector: ConnectorName.nullable(),
  /** Of the recipients whose mail led there last; null where there are none. */
  domain: z.string().nullable(),
  /**
   * The host name or address of a next hop; of what a sender shows, the first of its names; of ours, the ingress's name
   * or the secret's.
   */
  host: z.string(),
})
export type ObservedPlace = z.infer<typeof ObservedPlace>

const fingerprint = z.string().regex(/^[0-9a-f]{64}$/)

export const SeenCertificate = CertificateSummary.extend({
  /** `RSA` or `EC`, or OpenSSL's name for another kind; null where the key cannot be read. */
  keyType: z.string().nullable(),
  /** SHA-256 of the subject's public key info, 64 lower-case hexadecimal digits; null likewise. */
  publicKeyFingerprint256: fingerprint.nullable(),
})
export type SeenCertificate = z.infer<typeof SeenCertificate>

export const ObservedCertificate = SeenCertificate.extend({
  /** Who demanded that it is verified, as it was when it was last seen; null where nobody did. */
  verifiedBy: PolicySource.nullable(),
  firstSeen: z.iso.datetime(),
  /** To within an hour. */
  lastSeen: z.iso.datetime(),
})
export type ObservedCertificate = z.infer<typeof ObservedCertificate>

const Compared = ObservedCertificate.pick({
  fingerprint256: true,
  publicKeyFingerprint256: true,
  issuer: true,
  notAfter: true,
})

export const ObservedChange = z.strictObject({
  at: z.iso.datetime(),
  /** `Certificate`: a new one of the same issuer for the same key. */
  what: z.array(z.enum(['Issuer', 'Key', 'Certificate'])),
  from: Compared,
  to: Compared,
})
export type ObservedChange = z.infer<typeof ObservedChange>

export const Observation = ObservedPlace.extend({
  /** What was seen last comes first. */
  certificates: z.array(ObservedCertificate).min(1),
  /** The last few, latest first. */
  changes: z.array(ObservedChange),
})
export type Observation = z.infer<typeof Observation>

/** A certificate that was seen, once. */
export interface Sighting {
  place: ObservedPlace
  certificate: SeenCertificate
  verifiedBy: PolicySource | null
  at: Date
}
