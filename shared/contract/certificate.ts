/** The fields that an administrator compares between two certificates. */
import { z } from 'zod'

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
