/**
 * A delivery may wait for hours: behind a slow destination, for a worker that died, among dead letters. When
 * connectors have changed meanwhile, mail must not leave by what they demanded then. So what was decided by older
 * ones goes back to be decided again. Only an attempt that somebody has begun goes on as it was: what came of it is
 * still to be found out, and nobody else would ask. A forestalled one was not begun: if the bounce was never
 * recorded, its place is free again in time, and whoever waited for that would send by the old connectors.
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

/** While connectors change without pause, decision and delivery must not chase one another as fast as they can. */
const pauseSeconds = 2

/**
 * @param connectorsVersion of the connectors as they are
 * @returns the recipients to go on with; the others were handed back
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
