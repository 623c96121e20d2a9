/** The revocation status of a certificate, and its effect under a connector. */
import * as z from 'zod'

/** The statement of one CRL or OCSP responder, or the reason why there is none. */
export const RevocationSource = z.strictObject({
  kind: z.enum(['Crl', 'Ocsp']),
  url: z.string(),
  status: z.enum(['Good', 'Revoked', 'Unknown']),
  /** Human-readable text: when and why the certificate was revoked, or why the status is unknown. */
  detail: z.string(),
  /** The end of the statement's validity; null when the statement names no end. */
  nextUpdate: z.iso.datetime().nullable(),
})
export type RevocationSource = z.output<typeof RevocationSource>

/**
 * The status of a chain. `Revoked`: one of its certificates is revoked. `Unknown`: one of its certificates names CRLs
 * or OCSP responders, and none of them gave a statement. A certificate that names neither is treated as `Good`, because
 * no statement about it can exist.
 */
export const Revocation = z.object({
  status: z.enum(['Good', 'Revoked', 'Unknown']),
  detail: z.string().describe('the source of the status, or why it is unknown'),
})
export type Revocation = z.output<typeof Revocation>

/**
 * `None`: no check. `SoftFail`: rejects a revoked certificate. `HardFail`: also rejects a certificate of unknown
 * status.
 */
export const RevocationCheck = z.enum(['None', 'SoftFail', 'HardFail'])
export type RevocationCheck = z.output<typeof RevocationCheck>
