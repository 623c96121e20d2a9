/**
 * Mail whose last attempt took long and failed. The attack: servers that accept connections and never finish, under
 * countless names, so that no limit of one destination applies. A few hundred such messages, each tried every quarter
 * of an hour, keep every worker waiting all day. The defence: together they are one destination with the usual number
 * of slots. That holds for every attempt but the first, and the one after a wait for a slot timed out. The limit:
 * those two are not known to be slow, and mail to a partner after an outage may wait there once more.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'

/** Cannot be the name of a domain or a smart host. */
export const slowHostsDestination = 'slow hosts'

/** Milliseconds. */
const slowAttemptMs = 30_000

/** Enhanced status code of an attempt that timed out. */
export const timedOutStatus = '4.4.315'

export function isForSlowHosts({ recipients }: Pick<DeliveryJob, 'recipients'>): boolean {
  return recipients.some(
    ({ lastAttempt }) =>
      lastAttempt !== null &&
      (lastAttempt.durationMs >= slowAttemptMs || lastAttempt.reply.enhanced === timedOutStatus),
  )
}
