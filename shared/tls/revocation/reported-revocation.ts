/** The statement of a CRL or an OCSP responder about one certificate. */
import type { X509Certificate } from 'node:crypto'
import type { RevocationSource } from './status.ts'

export interface RevocationQuery {
  certificate: X509Certificate
  issuer: X509Certificate
  at: Date
}

export type ReportedRevocation = Pick<RevocationSource, 'status' | 'detail' | 'nextUpdate'>

/** Tolerated difference between clocks. */
const clockToleranceMs = 300_000

export const undetermined = (detail: string): ReportedRevocation => ({
  status: 'Unknown',
  detail,
  nextUpdate: null,
})

const holdReason = 'certificateHold'

/** Reasons by the numbers of RFC 5280 §5.3.1. */
const reasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  holdReason,
  'unspecified',
  'removeFromCRL',
  'privilegeWithdrawn',
  'aACompromise',
] as const

export const reasonText = (number: number): string => reasons[number] ?? 'unspecified'

export const reportRevoked = (since: Date, reason: string, nextUpdate: Date | null): ReportedRevocation => ({
  status: 'Revoked',
  detail: `revoked on ${since.toISOString()}: ${reason}`,
  nextUpdate: nextUpdate?.toISOString() ?? null,
})

/**
 * Whether the revocation is final. Only a certificate on hold can become good again (RFC 5280 §5.3.1). So a response
 * that states `Good` after a final revocation was made before that revocation.
 */
export const isFinalRevocation = ({
  status,
  detail,
}: Pick<ReportedRevocation, 'status' | 'detail'>): boolean =>
  status === 'Revoked' && !detail.endsWith(`: ${holdReason}`)

/**
 * Checks whether a statement is valid at `at`.
 * @returns the fault as a clause, or null when the statement is valid
 */
export function stalenessFault(thisUpdate: Date, nextUpdate: Date, at: Date): string | null {
  if (!(thisUpdate.getTime() - clockToleranceMs <= at.getTime()))
    return `has thisUpdate in the future: ${isoText(thisUpdate)}`
  if (!(at.getTime() <= nextUpdate.getTime() + clockToleranceMs)) return `expired at ${isoText(nextUpdate)}`
  return null
}

const isoText = (date: Date): string => (Number.isNaN(date.getTime()) ? 'no date' : date.toISOString())
