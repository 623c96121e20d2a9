/** Decides which observed certificates are in use, and when a notice of their expiry is due. */
import { dayMs } from '../../contract/durations.ts'
import type { Observation, ObservedCertificate } from './observation.ts'

/**
 * `Superseded`: another certificate of the endpoint was first observed after the last observation of this one.
 * `NotSeen`: the certificate was not observed for more than 30 days.
 */
export type CertificateUse = 'InUse' | 'Superseded' | 'NotSeen'

/** Days without an observation after which a certificate is not in use: its host is gone, or gets no mail. */
const unusedAfterDays = 30

export function assessCertificateUse(
  { lastSeen }: Pick<ObservedCertificate, 'lastSeen'>,
  { certificates }: Pick<Observation, 'certificates'>,
  now: Date,
): CertificateUse {
  if (certificates.some(({ firstSeen }) => firstSeen > lastSeen)) return 'Superseded'
  return now.getTime() - Date.parse(lastSeen) > unusedAfterDays * dayMs ? 'NotSeen' : 'InUse'
}

/** The days until expiry, rounded down to whole days; negative after expiry. */
export const daysLeft = ({ notAfter }: Pick<ObservedCertificate, 'notAfter'>, now: Date): number =>
  Math.floor((Date.parse(notAfter) - now.getTime()) / dayMs)

/** Days before expiry on which a notice is due. */
export const noticeDays = [30, 14, 3] as const

/**
 * The last notice day that was reached, in days before expiry. Only the last one causes a notice, even if several were
 * missed.
 *
 * A certificate that replaced one that was still valid is probably renewed automatically. Then no notice is due before
 * the last third of the certificate's lifetime, when renewal is expected. If no notice day is in that third, the notice
 * is due at the beginning of that third. Without this rule, a certificate with a lifetime of less than 90 days would
 * cause a notice before each renewal. A certificate with a lifetime of a week would cause one from its first day.
 * @returns null before the first notice day
 */
export function dueNoticeDay(
  certificate: ObservedCertificate,
  { changes }: Pick<Observation, 'changes'>,
  now: Date,
): number | null {
  const { notBefore, notAfter, fingerprint256 } = certificate
  const remainingDays = (Date.parse(notAfter) - now.getTime()) / dayMs
  const renewalWindowDays = (Date.parse(notAfter) - Date.parse(notBefore)) / dayMs / 3
  const isRenewal = changes.some(
    ({ to, from, at }) => to.fingerprint256 === fingerprint256 && at < from.notAfter,
  )
  const noticesInWindow = noticeDays.filter((days) => days <= renewalWindowDays)
  const days = isRenewal ? (noticesInWindow.length > 0 ? noticesInWindow : [renewalWindowDays]) : noticeDays
  return days.findLast((each) => remainingDays <= each) ?? null
}
