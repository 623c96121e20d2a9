/** Decides which observed certificates are in use, and when a notice of their expiry is due. */
import { dayMs } from '../../contract/durations.ts'
import type { Observation, ObservedCertificate } from './observation.ts'

/** `Superseded`: a later certificate replaced this one. `NotSeen`: the certificate was not observed for a month. */
export type CertificateUse = 'InUse' | 'Superseded' | 'NotSeen'

/** Days without an observation after which a certificate is unused: the host is gone, or no mail is sent to it. */
const unusedAfterDays = 30

export function assessCertificateUse(
  { lastSeen }: Pick<ObservedCertificate, 'lastSeen'>,
  { certificates }: Pick<Observation, 'certificates'>,
  now: Date,
): CertificateUse {
  if (certificates.some(({ firstSeen }) => firstSeen > lastSeen)) return 'Superseded'
  return now.getTime() - Date.parse(lastSeen) > unusedAfterDays * dayMs ? 'NotSeen' : 'InUse'
}

/** Rounded down to whole days; negative after expiry. */
export const daysLeft = ({ notAfter }: Pick<ObservedCertificate, 'notAfter'>, now: Date): number =>
  Math.floor((Date.parse(notAfter) - now.getTime()) / dayMs)

/** Days before expiry on which a notice is due. */
export const noticeDays = [30, 14, 3] as const

/**
 * The last notice day that was reached, so that several missed days cause one notice.
 *
 * For automatic renewal (the certificate replaced one that was still valid) no notice is due before the last third of
 * its lifetime, when renewal is expected. Otherwise a certificate of 90 days would cause a notice 30 days before each
 * renewal, and a certificate of a week would always cause one.
 * @returns null if no notice day was reached
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
