/** What evaluate-policy does with one job: ask the pure function, keep its verdicts, send what follows. */
import type { BounceJob, DeliveryJob, EvaluationJob } from '../../shared/contract/jobs.ts'
import type { Message, Recipient } from '../../shared/contract/message.ts'
import { stateOf, type Trace } from '../../shared/messages/trace.ts'
import { evaluate, type Settings, type Verdict } from '../../shared/policy/evaluate.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import type { Sender } from '../../shared/queues/job-queue.ts'
import { type Dispatch, dispatch, putBack } from './dispatch.ts'

export interface Dependencies {
  trace: Trace
  queues: {
    evaluation: Sender<EvaluationJob>
    delivery: Sender<DeliveryJob>
    bounce: Sender<BounceJob>
  }
  settings: Settings
  retentionDays: number
}

/**
 * Verdicts are kept before their jobs are sent, so that the trace never knows less than the queues; an outcome
 * is marked as decided only after, so that a crash in between repeats the sending and never loses it.
 * @returns the verdicts that were followed, none for what was put back or overtaken
 */
export async function evaluateJob(
  job: EvaluationJob,
  snapshot: Snapshot,
  now: Date,
  { trace, queues, settings, retentionDays }: Dependencies,
): Promise<Verdict[]> {
  const early = putBack(job, now)
  if (early) {
    await queues.evaluation.send([early])
    return []
  }
  const { message } = job
  const recipients = await notOvertaken(job, trace)
  const verdicts = evaluate(snapshot, settings, message, recipients, now)
  const followed = await record(trace, message, verdicts, retentionDays)
  await send(queues, dispatch(message, followed, now))
  if (isOutcome(job)) {
    await Promise.all(
      recipients.map(({ address, attempts }) => trace.recordDecided(message.id, address, attempts)),
    )
  }
  return followed
}

/** Reports what a delivery came to, and has not been decided upon yet. */
const isOutcome = (job: EvaluationJob): boolean =>
  job.notBefore === null && job.recipients.some(({ attempts }) => attempts > 0)

/**
 * A queue may deliver a job again long after its successors. The first job of a message needs no look: what it
 * would repeat is claimed by number further on.
 */
async function notOvertaken(job: EvaluationJob, trace: Trace): Promise<Recipient[]> {
  const outcome = isOutcome(job)
  if (!outcome && job.notBefore === null) return job.recipients
  const addresses = job.recipients.map(({ address }) => address)
  const decided = await trace.decidedAttempts(job.message.id, addresses)
  return job.recipients.filter(({ address, attempts }) => {
    const known = decided.get(address) ?? 0
    return outcome ? known < attempts : known <= attempts
  })
}

/**
 * Keeps the verdicts.
 * @returns those to follow: a recipient that is settled otherwise keeps its state, and nothing more happens to it
 */
async function record(
  trace: Trace,
  message: Message,
  verdicts: readonly Verdict[],
  days: number,
): Promise<Verdict[]> {
  const expiresAt = Math.floor(Date.parse(message.receivedAt) / 1000) + days * 86_400
  const first = verdicts.some(({ recipient }) => recipient.attempts === 0)
  if (first) await trace.recordMessage(message, expiresAt)
  const states = await Promise.all(
    verdicts.map((verdict) => trace.recordVerdict(message, verdict, expiresAt)),
  )
  return verdicts.filter(({ action }, index) => states[index] === stateOf[action])
}

async function send(
  queues: Dependencies['queues'],
  { delivery, evaluation, bounce }: Dispatch,
): Promise<void> {
  await Promise.all([
    queues.delivery.send(delivery.map((job) => ({ job, group: job.destination }))),
    queues.evaluation.send(evaluation),
    queues.bounce.send(bounce.map((job) => ({ job }))),
  ])
}
