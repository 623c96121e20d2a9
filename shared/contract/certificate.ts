/** The fields that an administrator compares between two certificates. */
import * as z from 'zod'

export const CertificateSummary = z.strictObject({
  subject: z.string(),
  issuer: z.string(),
  /** dNSName entries. */
  subjectAltNames: z.array(z.string()),
  /** Hexadecimal digits. */
  serial: z.string(),
  /** SHA-256 of the DER certificate, 64 lower-case hexadecimal digits. */
  fingerprint256: z.string().regex(/^[0-9a-f]{64}$/),
  notBefore: z.iso.datetime(),
  notAfter: z.iso.datetime(),
})
export type CertificateSummary = z.infer<typeof CertificateSummary>

export const CertificateRecord = CertificateSummary.extend({
  keyType: z.string().nullable().describe('RSA, EC or another type; null if the key cannot be read'),
  publicKeyFingerprint256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable()
    .describe('SHA-256 of the public key; null if it cannot be read'),
})
export type CertificateRecord = z.infer<typeof CertificateRecord>

/** The certificate that a connector accepted last. */
export const AcceptedCertificate = CertificateRecord.extend({
  lastSeen: z.iso.datetime().describe('accurate to an hour'),
})
export type AcceptedCertificate = z.infer<typeof AcceptedCertificate>

/** What is true of a client certificate at an inbound connector. No fact depends on another. */
export const CertificateFacts = z.strictObject({
  pinned: z.boolean().describe('whether certificateFingerprints lists it'),
  issuedByConnectorAuthority: z
    .boolean()
    .nullable()
    .describe(
      'whether a path without a fault, except in its dates, leads to one of certificateAuthorities; null: the connector lists none',
    ),
  issuedByPublicRoot: z
    .boolean()
    .nullable()
    .describe(
      'whether its chain ended at a public root at the time of the handshake; null: not determined, because a certificate of the chain was outside its dates',
    ),
  trustFault: z
    .string()
    .nullable()
    .describe(
      "why the chain is not trusted: by certificateAuthorities, or by the public roots if the connector lists none; the certificate's own dates are not considered; null: no fault",
    ),
  nameListed: z
    .boolean()
    .nullable()
    .describe('whether tlsSenderCertificateNames lists one of its names; null: the connector lists none'),
  nameInSenderDomains: z
    .boolean()
    .nullable()
    .describe(
      'whether one of its names is one of senderDomains or below one; null: only * among them includes the names',
    ),
  validity: z.enum(['Valid', 'Expired', 'NotYetValid']).describe('its own dates at the time of the session'),
  clientAuth: z
    .boolean()
    .nullable()
    .describe('whether it may be used for client authentication; null: the connector does not require it'),
  revocation: z
    .enum(['Good', 'Revoked', 'Unknown'])
    .nullable()
    .describe('its status at the time of the session; null: not checked'),
})
export type CertificateFacts = z.infer<typeof CertificateFacts>
