/** The stored record of the certificates observed at one place, and of their changes. */
import { z } from 'zod'
import { CertificateSummary } from '../../contract/certificate.ts'
import { ConnectorName } from '../../contract/jobs.ts'
import { PolicySource } from '../../contract/message.ts'

/**
 * `Own`: mailflow presents it, to senders or next hops. `PartnerServer`: a next hop presents it. `PartnerClient`: a
 * sender presents it to an inbound connector that knows it.
 */
export const ObservedKind = z.enum(['Own', 'PartnerServer', 'PartnerClient'])
export type ObservedKind = z.infer<typeof ObservedKind>

/** Where certificates are observed. A new one replaces an earlier one of the same place. */
export const ObservedPlace = z.strictObject({
  kind: ObservedKind,
  /** Null for the ingress's certificates and for servers without a connector. */
  connector: ConnectorName.nullable(),
  /** The domain of the last recipients whose mail was sent there; null without recipients. */
  domain: z.string().nullable(),
  /**
   * `PartnerServer`: host name or address of the next hop. `PartnerClient`: the first name of the certificate. `Own`:
   * name of the ingress or of the secret.
   */
  host: z.string(),
})
export type ObservedPlace = z.infer<typeof ObservedPlace>

const fingerprint = z.string().regex(/^[0-9a-f]{64}$/)

export const SeenCertificate = CertificateSummary.extend({
  /** `RSA` or `EC`, or OpenSSL's name for another type; null if the key cannot be read. */
  keyType: z.string().nullable(),
  /** SHA-256 of the subject public key info, 64 lower-case hexadecimal digits; null likewise. */
  publicKeyFingerprint256: fingerprint.nullable(),
})
export type SeenCertificate = z.infer<typeof SeenCertificate>

export const ObservedCertificate = SeenCertificate.extend({
  /** The source of the requirement to verify it, at the last observation; null without one. */
  verifiedBy: PolicySource.nullable(),
  firstSeen: z.iso.datetime(),
  /** Accurate to an hour. */
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
  /** `Certificate`: a new certificate with the same issuer and key. */
  what: z.array(z.enum(['Issuer', 'Key', 'Certificate'])),
  from: Compared,
  to: Compared,
})
export type ObservedChange = z.infer<typeof ObservedChange>

export const Observation = ObservedPlace.extend({
  /** Last seen first. */
  certificates: z.array(ObservedCertificate).min(1),
  /** The last few, latest first. */
  changes: z.array(ObservedChange),
})
export type Observation = z.infer<typeof Observation>

/** One observation of a certificate. */
export interface Sighting {
  place: ObservedPlace
  certificate: SeenCertificate
  verifiedBy: PolicySource | null
  at: Date
}
