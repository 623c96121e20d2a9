/**
 * A delivery may wait for hours: for a slow destination, after a worker died, in a dead-letter queue. If connectors
 * have changed in the meantime, the mail must not be sent under the old requirements. So its recipients return for a
 * new decision. Only an attempt that a worker has begun continues, because its outcome is unknown and no other job
 * would determine that outcome. A cancelled attempt has not begun, so its recipient also returns. Otherwise this job
 * could wait until the lease of the cancellation expires, and then send under the old connectors. That would happen if
 * the worker that cancelled the attempt died before it recorded the bounce.
 */
import { type DeliveryJob, type EvaluationJob, splitForJobs } from '../../shared/contract/jobs.ts'
import type { Attempt, Message, Recipient } from '../../shared/contract/message.ts'
import type { Cancelled, Claims } from '../../shared/messages/claims.ts'
import { attemptKey } from '../../shared/messages/message-keys.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'

export interface StaleDependencies {
  claims: Claims<Attempt | Cancelled>
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
  { claims, evaluation, now }: StaleDependencies,
): Promise<Recipient[]> {
  if (decidedBy === connectorsVersion) return recipients
  const checked = await Promise.all(
    recipients.map(async (recipient) => ({
      recipient,
      begun: await claims.hasBegun(attemptKey(message.id, recipient.address, attempt)),
    })),
  )
  const stale = checked.filter(({ begun }) => !begun).map(({ recipient }) => recipient)
  await requestDecision(message, stale, { evaluation, now })
  return checked.filter(({ begun }) => begun).map(({ recipient }) => recipient)
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
