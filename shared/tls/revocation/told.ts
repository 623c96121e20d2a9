/** The statement of a CRL or an OCSP responder about one certificate. */
import type { X509Certificate } from 'node:crypto'
import type { RevocationSource } from './status.ts'

export interface Question {
  certificate: X509Certificate
  issuer: X509Certificate
  at: Date
}

export type Told = Pick<RevocationSource, 'status' | 'detail' | 'nextUpdate'>

/** Milliseconds of tolerated clock difference. */
const clockToleranceMs = 300_000

export const unknown = (detail: string): Told => ({ status: 'Unknown', detail, nextUpdate: null })

const onHold = 'certificateHold'

/** By the numbers of RFC 5280 §5.3.1. */
const reasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  onHold,
  'unspecified',
  'removeFromCRL',
  'privilegeWithdrawn',
  'aACompromise',
] as const

export const reasonOf = (number: number): string => reasons[number] ?? 'unspecified'

export const revoked = (since: Date, reason: string, nextUpdate: Date | null): Told => ({
  status: 'Revoked',
  detail: `revoked on ${since.toISOString()}: ${reason}`,
  nextUpdate: nextUpdate?.toISOString() ?? null,
})

/** RFC 5280 §5.3.1: only a certificate on hold can become good again. Any other contradicting statement is older. */
export const isFinal = ({ status, detail }: Pick<Told, 'status' | 'detail'>): boolean =>
  status === 'Revoked' && !detail.endsWith(`: ${onHold}`)

/**
 * Checks whether a statement is valid at `at`.
 * @returns why not, or null
 */
export function staleness(thisUpdate: Date, nextUpdate: Date, at: Date): string | null {
  if (!(thisUpdate.getTime() - clockToleranceMs <= at.getTime()))
    return `has thisUpdate in the future: ${when(thisUpdate)}`
  if (!(at.getTime() <= nextUpdate.getTime() + clockToleranceMs)) return `expired at ${when(nextUpdate)}`
  return null
}

const when = (date: Date): string => (Number.isNaN(date.getTime()) ? 'no date' : date.toISOString())
