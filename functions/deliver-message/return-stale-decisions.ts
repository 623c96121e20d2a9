/**
 * A delivery may wait for hours: for a slow destination, after a worker died, in a dead-letter queue. If connectors
 * have changed in the meantime, the mail must not be sent under the old requirements. So its recipients return for a
 * new decision. Only an attempt that a worker has begun continues, because its outcome is unknown and no other job
 * would determine that outcome.
 */
import { type DeliveryJob, type EvaluationJob, splitForJobs } from '../../shared/contract/jobs.ts'
import type { Message, Recipient } from '../../shared/contract/message.ts'
import { hasBegun, type Trace } from '../../shared/messages/trace.ts'
import { partition } from '../../shared/net/smtp-delivery.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'

export interface StaleDependencies {
  trace: Pick<Trace, 'progress'>
  evaluation: JobSender<EvaluationJob>
  now(): Date
}

/**
 * While connectors change constantly, this delay limits how often evaluate-policy and deliver-message return a job to
 * each other.
 */
const redecisionDelaySeconds = 2

/**
 * @param connectorsVersion current version of the connectors
 * @returns the recipients that continue; the other recipients get a new decision
 */
export async function returnStaleDecisions(
  { message, recipients, attempt, connectorsVersion: decidedBy }: DeliveryJob,
  connectorsVersion: number,
  { trace, evaluation, now }: StaleDependencies,
): Promise<Recipient[]> {
  if (decidedBy === connectorsVersion) return recipients
  const addresses = recipients.map(({ address }) => address)
  const progress = await trace.progress(message.id, addresses)
  const [begun, stale] = partition(recipients, ({ address }) => hasBegun(progress.get(address), attempt))
  await requestDecision(message, stale, { evaluation, now })
  return begun
}

/** Returns the recipients for a new decision, as if the time of the next attempt had come. */
export async function requestDecision(
  message: Message,
  recipients: readonly Recipient[],
  { evaluation, now }: Pick<StaleDependencies, 'evaluation' | 'now'>,
): Promise<void> {
  const notBefore = now().toISOString()
  await evaluation.send(
    splitForJobs(recipients).map((part) => ({
      job: { message, recipients: part, notBefore, retry: true },
      delaySeconds: redecisionDelaySeconds,
    })),
  )
}
