/** The revocation status of a certificate, and what a connector makes of it. */
import { z } from 'zod'

/** The answer of one CRL or OCSP responder, or why there is none. */
export const RevocationSource = z.strictObject({
  kind: z.enum(['Crl', 'Ocsp']),
  url: z.string(),
  status: z.enum(['Good', 'Revoked', 'Unknown']),
  /** For people: when and why it was revoked, or why the status is unknown. */
  detail: z.string(),
  /** The end of the answer's validity; null when it names none. */
  nextUpdate: z.iso.datetime().nullable(),
})
export type RevocationSource = z.output<typeof RevocationSource>

/**
 * The status of a chain. `Revoked`: one certificate is. `Unknown`: one names a CRL or OCSP responder and none gave an
 * answer. A certificate that names neither counts as `Good`, since no answer could ever exist.
 */
export const Revocation = z.strictObject({
  status: z.enum(['Good', 'Revoked', 'Unknown']),
  detail: z.string().describe('who said so, or why there is no answer'),
})
export type Revocation = z.output<typeof Revocation>

/** `None`: no check. `SoftFail`: rejects a revoked certificate. `HardFail`: also rejects one of unknown status. */
export const RevocationCheck = z.enum(['None', 'SoftFail', 'HardFail'])
export type RevocationCheck = z.output<typeof RevocationCheck>
