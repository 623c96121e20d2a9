/** The stored record of the certificates observed at one endpoint, and of their changes. */
import * as z from 'zod'
import { CertificateFacts, CertificateRecord } from '../../contract/certificate.ts'
import { ConnectorName } from '../../contract/jobs.ts'
import { PolicySource } from '../../contract/message.ts'

/**
 * `Own`: mailflow presents the certificate, to senders or next hops. `PartnerServer`: a next hop presents it.
 * `PartnerClient`: a sender presents it, and an inbound connector accepts it.
 */
export const ObservedKind = z.enum(['Own', 'PartnerServer', 'PartnerClient'])
export type ObservedKind = z.infer<typeof ObservedKind>

/** A place where certificates are observed. A new certificate replaces an earlier one of the same endpoint. */
export const ObservedEndpoint = z.strictObject({
  kind: ObservedKind.describe(
    'Own: mailflow presents the certificate. PartnerServer: a next hop presents it. PartnerClient: a sender presents it, and an inbound connector accepts it',
  ),
  connector: ConnectorName.nullable().describe(
    'null for the ingress and for servers that no connector matches',
  ),
  domain: z.string().nullable().describe('the domain of the last recipients; null when there were none'),
  host: z
    .string()
    .describe(
      'name or address of the next hop; first name of the certificate of a sender; name of the ingress or of the secret',
    ),
})
export type ObservedEndpoint = z.infer<typeof ObservedEndpoint>

export const ObservedCertificate = CertificateRecord.extend({
  verifiedBy: PolicySource.nullable().describe(
    'the source of the requirement to verify it, at the last observation; null: it was not required',
  ),
  facts: CertificateFacts.nullable()
    .default(null)
    .describe('PartnerClient: at the connector, at the last observation; otherwise null'),
  firstSeen: z.iso.datetime(),
  lastSeen: z.iso.datetime().describe('accurate to an hour'),
})
export type ObservedCertificate = z.infer<typeof ObservedCertificate>

const ComparedFields = ObservedCertificate.pick({
  fingerprint256: true,
  publicKeyFingerprint256: true,
  issuer: true,
  notAfter: true,
})

export const ObservedChange = z.strictObject({
  at: z.iso.datetime(),
  what: z
    .array(z.enum(['Issuer', 'Key', 'Certificate']))
    .describe('Certificate: a new certificate with the same issuer and key'),
  from: ComparedFields,
  to: ComparedFields,
})
export type ObservedChange = z.infer<typeof ObservedChange>

export const Observation = ObservedEndpoint.extend({
  /** Sorted by last observation, the latest first. */
  certificates: z.array(ObservedCertificate).min(1),
  changes: z.array(ObservedChange).describe('the last few, latest first'),
})
export type Observation = z.infer<typeof Observation>

/** One observation of a certificate. */
export interface NewObservation {
  endpoint: ObservedEndpoint
  certificate: CertificateRecord
  verifiedBy: PolicySource | null
  /** Absent unless a client presented the certificate to an inbound connector. */
  facts?: CertificateFacts
  at: Date
}
