/**
 * A job that has not begun returns to its queue as a new message: that is no attempt, and no failure that counts towards
 * the dead-letter queue. A job that has waited too long for a slot counts as a failed attempt. So its sender gets a
 * delay DSN, and the message expires like any other.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import type { Reply } from '../../shared/contract/message.ts'
import { reply } from '../../shared/mail/reply.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'

export type PostponeReason =
  /** The batch has too little time left. */
  | 'NoTime'
  /** All slots of the destination are in use. */
  | 'NoSlot'
  /** All slots of the slow hosts are in use. */
  | 'NoSlotForSlowHost'

export interface PostponeDependencies {
  delivery: JobSender<DeliveryJob>
  /** In [0, 1). */
  random(): number
}

/** About five minutes in all. */
export const maxWaits = 10
const maxBackoffSeconds = 60

/** @throws when the queue fails; the job then comes back by itself */
export async function postpone(
  job: DeliveryJob,
  reason: PostponeReason,
  dependencies: PostponeDependencies,
): Promise<void> {
  const { delivery, random } = dependencies
  const { waits = 0 } = job
  if (reason === 'NoTime') return delivery.send([{ job, group: job.destination }])
  const nextJob = { ...job, waits: waits + 1 }
  return delivery.send([
    { job: nextJob, delaySeconds: backoffSeconds(waits, random()), group: job.destination },
  ])
}

/** Returns the reply for a job that has waited too long, or null. RFC 3463 §3.5: X.4.5 is congestion. */
export function replyWhenGivenUp(
  { waits = 0, destination }: DeliveryJob,
  reason: PostponeReason,
): Reply | null {
  if (reason === 'NoTime' || waits < maxWaits) return null
  if (reason === 'NoSlotForSlowHost')
    return reply(
      451,
      '4.4.5',
      `The last attempt for ${destination} was slow, and all slots for slow hosts are in use`,
    )
  return reply(451, '4.4.5', `All slots for deliveries to ${destination} are in use`)
}

/** Doubles with each wait, with jitter so that jobs do not return at the same time. */
function backoffSeconds(waits: number, random: number): number {
  const maxSeconds = Math.min(maxBackoffSeconds, 2 ** (waits + 1))
  return Math.ceil(maxSeconds * (0.5 + random / 2))
}
