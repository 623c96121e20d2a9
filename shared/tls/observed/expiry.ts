/** Decides which observed certificates are in use, and when a notice of their expiry is due. */
import { dayMs } from '../../contract/durations.ts'
import type { Observation, ObservedCertificate } from './observation.ts'

/** `Superseded`: another certificate was first seen after this one was last seen. `NotSeen`: not seen for a month. */
export type CertificateUse = 'InUse' | 'Superseded' | 'NotSeen'

/** Days without an observation after which a certificate counts as unused: the host is gone, or no mail goes there. */
const unusedAfterDays = 30

export function certificateUse(
  { lastSeen }: Pick<ObservedCertificate, 'lastSeen'>,
  { certificates }: Pick<Observation, 'certificates'>,
  now: Date,
): CertificateUse {
  if (certificates.some(({ firstSeen }) => firstSeen > lastSeen)) return 'Superseded'
  return now.getTime() - Date.parse(lastSeen) > unusedAfterDays * dayMs ? 'NotSeen' : 'InUse'
}

/** Whole days; negative after expiry. */
export const daysLeft = ({ notAfter }: Pick<ObservedCertificate, 'notAfter'>, now: Date): number =>
  Math.floor((Date.parse(notAfter) - now.getTime()) / dayMs)

/** Days before expiry on which a notice is due. */
export const noticeDays = [30, 14, 3] as const

/**
 * The last notice day that has come, so that missed ones become one notice.
 *
 * For automatic renewal (the certificate replaced one that was still valid) no notice is due before the last third of
 * its lifetime, when renewal happens. Otherwise certificates of 90 days would cause a notice at 30 days each time, and
 * those of a week always.
 * @returns null if none has come
 */
export function noticeDue(
  certificate: ObservedCertificate,
  { changes }: Pick<Observation, 'changes'>,
  now: Date,
): number | null {
  const { notBefore, notAfter, fingerprint256 } = certificate
  const left = (Date.parse(notAfter) - now.getTime()) / dayMs
  const renewalWindowDays = (Date.parse(notAfter) - Date.parse(notBefore)) / dayMs / 3
  const renewed = changes.some(
    ({ to, from, at }) => to.fingerprint256 === fingerprint256 && at < from.notAfter,
  )
  const noticesInWindow = noticeDays.filter((days) => days <= renewalWindowDays)
  const days = renewed ? (noticesInWindow.length > 0 ? noticesInWindow : [renewalWindowDays]) : noticeDays
  return days.findLast((each) => left <= each) ?? null
}
