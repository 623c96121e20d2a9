/**
 * A job that is not begun goes back to its queue as a new message: that is no attempt, and no failure that its
 * dead-letter queue would count. What has waited for a place long enough counts as an attempt that failed, so that its
 * sender hears of the delay, and it expires as any other mail does.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import type { Reply } from '../../shared/contract/message.ts'
import { reply } from '../../shared/mail/reply.ts'
import type { Sender } from '../../shared/queues/job-queue.ts'

export type Reason =
  /** Little is left of the time that the batch has. */
  | 'NoTime'
  /** As many deliveries to the destination are under way as there may be. */
  | 'NoPlace'
  /** The same of hosts that took long and came to nothing before, all together. */
  | 'NoPlaceAmongSlow'

export interface Dependencies {
  delivery: Sender<DeliveryJob>
  /** In [0, 1). */
  random(): number
}

/** Then it has waited for about five minutes. */
export const mostWaits = 10
const longestPauseSeconds = 60

/** @throws when the queue fails; the job then comes back by itself */
export async function postpone(job: DeliveryJob, reason: Reason, dependencies: Dependencies): Promise<void> {
  const { delivery, random } = dependencies
  const { waits = 0 } = job
  if (reason === 'NoTime') return delivery.send([{ job, group: job.destination }])
  const again = { ...job, waits: waits + 1 }
  return delivery.send([{ job: again, delaySeconds: pauseSeconds(waits, random()), group: job.destination }])
}

/** Whether the job is not to wait any more, and why it came to nothing. RFC 3463 §3.5: X.4.5 is congestion. */
export function givenUp({ waits = 0, destination }: DeliveryJob, reason: Reason): Reply | null {
  if (reason === 'NoTime' || waits < mostWaits) return null
  if (reason === 'NoPlaceAmongSlow')
    return reply(
      451,
      '4.5',
      `The last attempt for ${destination} took long, and as many like it are under way as there may be at once`,
    )
  return reply(451, '4.5', `As many deliveries to ${destination} are under way as there may be at once`)
}

/** Twice as long each time, and never in step with the others that were sent away at the same time. */
function pauseSeconds(waits: number, chance: number): number {
  const longest = Math.min(longestPauseSeconds, 2 ** (waits + 1))
  return Math.ceil(longest * (0.5 + chance / 2))
}
