/**
 * A job that is not begun goes back to its queue as a new message: that is no attempt, and no failure that its
 * dead-letter queue would count. What waits for a place long enough goes back to be decided again instead, so that it
 * expires as any other mail does.
 */
import { type DeliveryJob, type EvaluationJob, inParts } from '../../shared/contract/jobs.ts'
import type { Sender } from '../../shared/queues/job-queue.ts'

export type Reason =
  /** Little is left of the time that the batch has. */
  | 'NoTime'
  /** As many deliveries to the destination are under way as there may be. */
  | 'NoPlace'

export interface Dependencies {
  delivery: Sender<DeliveryJob>
  evaluation: Sender<EvaluationJob>
  now(): Date
  /** In [0, 1). */
  random(): number
}

/** Then it has waited for about five minutes. */
export const mostWaits = 10
const longestPauseSeconds = 60

/** @throws when the queue fails; the job then comes back by itself */
export async function postpone(job: DeliveryJob, reason: Reason, dependencies: Dependencies): Promise<void> {
  const { delivery, evaluation, now, random } = dependencies
  const { waits = 0, message } = job
  if (reason === 'NoTime') return delivery.send([{ job, group: job.destination }])
  if (waits >= mostWaits) {
    const parts = inParts(job.recipients)
    const notBefore = now().toISOString()
    return evaluation.send(
      parts.map((recipients) => ({ job: { message, recipients, notBefore, retry: true } })),
    )
  }
  const again = { ...job, waits: waits + 1 }
  return delivery.send([{ job: again, delaySeconds: pauseSeconds(waits, random()), group: job.destination }])
}

/** Twice as long each time, and never in step with the others that were sent away at the same time. */
function pauseSeconds(waits: number, chance: number): number {
  const longest = Math.min(longestPauseSeconds, 2 ** (waits + 1))
  return Math.ceil(longest * (0.5 + chance / 2))
}
