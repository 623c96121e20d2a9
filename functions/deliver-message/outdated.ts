/**
 * A delivery may wait for hours: for a slow destination, after a worker died, in a dead-letter queue. If connectors
 * have changed in the meantime, mail must not leave under their old requirements, so it is decided again. Only an
 * attempt that a worker has begun continues: its outcome is unknown, and no other job would find it. A cancelled
 * attempt has not begun. If its bounce was never recorded, its lease expires, and a worker that waited for that would
 * send under old connectors.
 */
import { type DeliveryJob, type EvaluationJob, inParts } from '../../shared/contract/jobs.ts'
import type { Attempt, Recipient } from '../../shared/contract/message.ts'
import type { Claims, Forestalled } from '../../shared/messages/claims.ts'
import { attemptKey } from '../../shared/messages/keys.ts'
import type { Sender } from '../../shared/queues/job-queue.ts'

export interface Dependencies {
  claims: Claims<Attempt | Forestalled>
  evaluation: Sender<EvaluationJob>
  now(): Date
}

/**
 * Seconds. While connectors change constantly, decision and delivery must not return jobs to each other at full
 * speed.
 */
const pauseSeconds = 2

/**
 * @param connectorsVersion current version of the connectors
 * @returns the recipients to continue with; the others are decided again
 */
export async function withoutOutdated(
  { message, recipients, attempt, connectorsVersion: decidedBy }: DeliveryJob,
  connectorsVersion: number,
  { claims, evaluation, now }: Dependencies,
): Promise<Recipient[]> {
  if (decidedBy === connectorsVersion) return recipients
  const asked = await Promise.all(
    recipients.map(async (recipient) => ({
      recipient,
      begun: await claims.isBegun(attemptKey(message.id, recipient.address, attempt)),
    })),
  )
  const outdated = asked.filter(({ begun }) => !begun).map(({ recipient }) => recipient)
  const notBefore = now().toISOString()
  await evaluation.send(
    inParts(outdated).map((part) => ({
      job: { message, recipients: part, notBefore, retry: true },
      delaySeconds: pauseSeconds,
    })),
  )
  return asked.filter(({ begun }) => begun).map(({ recipient }) => recipient)
}
