/** What a CRL or an OCSP responder tells of one certificate. */
import type { X509Certificate } from 'node:crypto'
import type { RevocationSource } from './status.ts'

export interface Question {
  certificate: X509Certificate
  /** Whose name and key the certificate was issued by. */
  issuer: X509Certificate
  at: Date
}

export type Told = Pick<RevocationSource, 'status' | 'detail' | 'nextUpdate'>

/** Milliseconds that clocks may differ. */
const tolerance = 300_000

export const unknown = (detail: string): Told => ({ status: 'Unknown', detail, nextUpdate: null })

const onHold = 'certificateHold'

/** By the number of RFC 5280 §5.3.1. */
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

/** RFC 5280 §5.3.1: only what was put on hold can be good again. What says otherwise is from before. */
export const isFinal = ({ status, detail }: Pick<Told, 'status' | 'detail'>): boolean =>
  status === 'Revoked' && !detail.endsWith(`: ${onHold}`)

/**
 * Whether what was said then holds at an instant.
 * @returns why not, or null
 */
export function staleness(thisUpdate: Date, nextUpdate: Date, at: Date): string | null {
  if (!(thisUpdate.getTime() - tolerance <= at.getTime()))
    return `is of ${when(thisUpdate)}, which is to come`
  if (!(at.getTime() <= nextUpdate.getTime() + tolerance)) return `is out of date since ${when(nextUpdate)}`
  return null
}

const when = (date: Date): string => (Number.isNaN(date.getTime()) ? 'no date' : date.toISOString())
