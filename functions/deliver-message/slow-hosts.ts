/**
 * Finds mail whose last attempt took long and failed. The attack: servers that accept connections and never finish,
 * under so many names that no limit per destination applies. A few hundred such messages, each tried every quarter of
 * an hour, keep every worker waiting all day. The defence: all such mail together has as many slots as one destination,
 * and each message also needs a slot of its own destination. Not covered: the first attempt, and the attempt after a
 * job gave up its wait for a slot, because nothing shows that such an attempt will be slow. The cost: after an outage,
 * mail to a partner may also wait for a slot of the slow hosts once.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'

/** The destination under which slow hosts share slots. It cannot be the name of a domain or a smart host. */
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
