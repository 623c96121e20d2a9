/** Whether a certificate was revoked, as far as anybody knows, and what that means to a connector. */
import { z } from 'zod'

/** What one CRL or one OCSP responder says, or why it says nothing. */
export const RevocationSource = z.strictObject({
  kind: z.enum(['Crl', 'Ocsp']),
  /** Its address. */
  url: z.string(),
  status: z.enum(['Good', 'Revoked', 'Unknown']),
  /** For people: when and why it was revoked, or why nothing is known. */
  detail: z.string(),
  /** Until when this may be believed; null where it says so of nothing. */
  nextUpdate: z.iso.datetime().nullable(),
})
export type RevocationSource = z.output<typeof RevocationSource>

/**
 * Of a chain: `Revoked` when any certificate of it is, `Unknown` when that could not be found out of one that names a
 * place to ask, else `Good`. A certificate that names no such place counts as good: nobody could ever say otherwise.
 */
export const Revocation = z.strictObject({
  status: z.enum(['Good', 'Revoked', 'Unknown']),
  detail: z.string(),
})
export type Revocation = z.output<typeof Revocation>

/**
 * `None`: nobody is asked. `SoftFail`: a certificate that is revoked is refused. `HardFail`: one of which it cannot be
 * found out, too.
 */
export const RevocationCheck = z.enum(['None', 'SoftFail', 'HardFail'])
export type RevocationCheck = z.output<typeof RevocationCheck>
