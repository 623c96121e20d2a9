/**
 * Mail whose last attempt took long and came to nothing. The attack: servers that take connections and never finish, for
 * names without end, so that no limit of one destination holds. A few hundred messages to them, each tried every quarter
 * of an hour, have every worker wait all day. The defence: they are one destination together, with as many places as any
 * other, at every attempt but the first and the one after a place was waited for in vain. The limit: those are not
 * known to be slow; and mail to a partner that comes back from an outage may queue among them once more.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'

/** No name of a domain or a smart host. */
export const slowHosts = 'slow hosts'

/** Milliseconds. */
const long = 30_000

/** What an attempt is given that ran into a time limit. */
export const outOfTime = '4.4.315'

export function isSlow({ recipients }: Pick<DeliveryJob, 'recipients'>): boolean {
  return recipients.some(
    ({ lastAttempt }) =>
      lastAttempt !== null && (lastAttempt.durationMs >= long || lastAttempt.reply.enhanced === outOfTime),
  )
}
