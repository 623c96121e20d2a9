/** Which of the certificates of a place are in use, and when somebody is to hear that one expires. */
import { dayMs } from '../../contract/durations.ts'
import type { Observation, ObservedCertificate } from './observation.ts'

/** `Superseded`: another was first seen after this was seen last. `NotSeen`: not for a month. */
export type Use = 'InUse' | 'Superseded' | 'NotSeen'

/** What was not seen for so long is nobody's concern: the host is gone, or no mail goes there. */
const forgottenDays = 30

export function useOf(
  { lastSeen }: Pick<ObservedCertificate, 'lastSeen'>,
  { certificates }: Pick<Observation, 'certificates'>,
  now: Date,
): Use {
  if (certificates.some(({ firstSeen }) => firstSeen > lastSeen)) return 'Superseded'
  return now.getTime() - Date.parse(lastSeen) > forgottenDays * dayMs ? 'NotSeen' : 'InUse'
}

/** Whole days; below 0 when it has expired. */
export const daysLeft = ({ notAfter }: Pick<ObservedCertificate, 'notAfter'>, now: Date): number =>
  Math.floor((Date.parse(notAfter) - now.getTime()) / dayMs)

/** Days before a certificate expires on which somebody is to hear of it. */
export const noticeDays = [30, 14, 3] as const

/**
 * The last of the days of notice that has come, so that those which were missed are one notice, not three.
 *
 * A place that renews as machines do (the certificate took the place of one that was still valid) is not told of while
 * there is more than a third of its time left, when machines renew: certificates of 90 days would be news at 30 days
 * each time, those of a week always.
 * @returns null when none has come
 */
export function noticeDue(
  certificate: ObservedCertificate,
  { changes }: Pick<Observation, 'changes'>,
  now: Date,
): number | null {
  const { notBefore, notAfter, fingerprint256 } = certificate
  const left = (Date.parse(notAfter) - now.getTime()) / dayMs
  const third = (Date.parse(notAfter) - Date.parse(notBefore)) / dayMs / 3
  const renewed = changes.some(
    ({ to, from, at }) => to.fingerprint256 === fingerprint256 && at < from.notAfter,
  )
  const sooner = noticeDays.filter((days) => days <= third)
  const days = renewed ? (sooner.length > 0 ? sooner : [third]) : noticeDays
  return days.findLast((each) => left <= each) ?? null
}
