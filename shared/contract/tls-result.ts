/** The result of a session's TLS: `success`, or a result type of RFC 8460 §4.3. */
import * as z from 'zod'

export const TlsResult = z.enum([
  'success',
  'starttls-not-supported',
  'certificate-host-mismatch',
  'certificate-expired',
  'certificate-not-trusted',
  'validation-failure',
  'tlsa-invalid',
  'dnssec-invalid',
  'dane-required',
  'sts-policy-fetch-error',
  'sts-policy-invalid',
  'sts-webpki-invalid',
])
export type TlsResult = z.infer<typeof TlsResult>
