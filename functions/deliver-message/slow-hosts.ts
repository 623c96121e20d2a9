/**
 * Finds mail whose last attempt took long and failed. The attack: servers that accept connections and never finish, under
 * so many names that no limit per destination applies. A few hundred such messages, each tried every quarter of an hour,
 * keep every worker waiting all day. The defence: all such mail shares one more destination with the default number of
 * slots. Not covered: the first attempt, and the attempt after a wait for a slot timed out, because their slowness is not
 * known. Mail to a partner after an outage may also wait for such a slot once.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'

/** Cannot be the name of a domain or a smart host. */
export const slowHostsDestination = 'slow hosts'

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
