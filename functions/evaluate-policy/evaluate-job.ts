/** Handles one mail job of evaluate-policy: decides by the pure function, records the verdicts, sends the jobs. */
import { daySeconds, minuteMs } from '../../shared/contract/durations.ts'
import type { BounceJob, DeliveryJob, EvaluationJob } from '../../shared/contract/jobs.ts'
import type { Attempt, Message, Recipient } from '../../shared/contract/message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claims, Forestalled } from '../../shared/messages/claims.ts'
import { attemptKey } from '../../shared/messages/keys.ts'
import { type Circumstances, positionOf, type Trace } from '../../shared/messages/trace.ts'
import { evaluate, isReportAddress, type Settings, type Verdict } from '../../shared/policy/evaluate.ts'
import { explainer } from '../../shared/policy/explain/explain.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import type { Sender } from '../../shared/queues/job-queue.ts'
import { type Dispatch, dispatch, noticesOfSuccess, putBack } from './dispatch.ts'

export interface Dependencies {
  trace: Trace
  claims: Claims<Attempt | Forestalled>
  queues: {
    evaluation: Sender<EvaluationJob>
    delivery: Sender<DeliveryJob>
    bounce: Sender<BounceJob>
  }
  settings: Settings
  retentionDays: number
}

/**
 * Records verdicts before their jobs are sent, so the trace is never behind the queues. Marks a job as decided only
 * after that, so a crash in between repeats the jobs and never loses them.
 * @returns the verdicts that were executed; none for a job that was early or overtaken
 */
export async function evaluateJob(
  job: EvaluationJob,
  snapshot: Snapshot,
  now: Date,
  dependencies: Dependencies,
): Promise<Verdict[]> {
  const { trace, queues, settings } = dependencies
  const early = putBack(job, now)
  if (early) {
    await queues.evaluation.send([early])
    return []
  }
  const { message } = job
  const recipients = await notOvertaken(job, trace)
  const [arrived, open] = byArrival(recipients)
  await recordArrived(message, arrived, trace)
  const verdicts = evaluate({ snapshot, settings, message, recipients: open, now, retry: job.retry })
  const circumstances = {
    at: now,
    connectorsVersion: snapshot.version,
    considered: explainer(snapshot, message),
  }
  const followed = await record(message, verdicts, circumstances, dependencies)
  const { bounce, ...rest } = dispatch(message, followed, now, snapshot.version)
  const isKeptHere = (address: string) => isReportAddress(address, settings)
  const notices = noticesOfSuccess(message, arrived, isKeptHere, now)
  await send(queues, { ...rest, bounce: [...bounce, ...notices] })
  if (!isFirst(job)) await markDecided(job, recipients, trace)
  return followed
}

/** Separates recipients whose message was accepted, which may need a success DSN, from those to decide about. */
function byArrival(recipients: readonly Recipient[]): [arrived: Recipient[], open: Recipient[]] {
  const { arrived = [], open = [] } = Object.groupBy(recipients, ({ lastAttempt }) =>
    lastAttempt?.outcome === 'Delivered' ? 'arrived' : 'open',
  )
  return [arrived, open]
}

/**
 * The worker that made the attempt may die before it writes the outcome or the state. Once this job is marked as
 * decided, no other job settles the recipient: the attempt is not repeated, or its second outcome is overtaken.
 */
async function recordArrived({ id }: Message, arrived: readonly Recipient[], trace: Trace): Promise<void> {
  await Promise.all(arrived.map(({ address }) => trace.recordDelivered(id, address)))
}

/** A message's first job needs no progress check and no mark: the attempt that it would repeat is claimed by number. */
export const isFirst = ({ notBefore, recipients }: EvaluationJob): boolean =>
  notBefore === null && recipients.every(({ attempts }) => attempts === 0)

/**
 * A queue may deliver a job again long after its successors. Only the outcome of an attempt overtakes a retry request,
 * for two reasons: clocks differ, so an earlier timer may have a later time; and after a delivery was returned, the
 * request is the only job of its recipients.
 */
async function notOvertaken(job: EvaluationJob, trace: Trace): Promise<Recipient[]> {
  if (isFirst(job)) return job.recipients
  const addresses = job.recipients.map(({ address }) => address)
  const progress = await trace.progress(job.message.id, addresses)
  return job.recipients.filter(({ address, attempts }) => {
    const decided = progress.get(address)?.decided ?? ''
    return decided < (job.retry ? positionOf(attempts + 1, null) : positionOf(attempts, job.notBefore))
  })
}

async function markDecided(
  job: EvaluationJob,
  recipients: readonly Recipient[],
  trace: Trace,
): Promise<void> {
  await Promise.all(
    recipients.map(({ address, attempts }) =>
      trace.recordDecided(job.message.id, address, positionOf(attempts, job.notBefore)),
    ),
  )
}

/**
 * Records the verdicts.
 * @returns the verdicts to execute; a recipient that is already settled keeps its state and gets none
 */
async function record(
  message: Message,
  verdicts: readonly Verdict[],
  circumstances: Circumstances,
  { trace, claims, retentionDays }: Dependencies,
): Promise<Verdict[]> {
  const expiresAt = expiryAfter(new Date(message.receivedAt), retentionDays * daySeconds)
  const first = verdicts.some(({ recipient }) => recipient.attempts === 0)
  if (first) await trace.recordMessage(message, expiresAt)
  const followed = await Promise.all(
    verdicts.map(async (verdict) =>
      verdict.action === 'Bounce' &&
      !(await isForestalled(message, verdict.recipient, claims, circumstances.at, expiresAt))
        ? trace.recordedBounce(message.id, verdict)
        : trace.recordVerdict(message, verdict, circumstances, expiresAt),
    ),
  )
  return followed.filter((verdict) => verdict !== null)
}

/** Longer than Lambda's maximum run time (15 minutes), so that no worker begins an attempt while it is cancelled. */
const forestallMs = 16 * minuteMs

/**
 * A bounce cancels the next attempt, which an earlier copy of this job may have queued under other rules or before the
 * message expired. If a worker has begun that attempt, its outcome is decided instead.
 */
function isForestalled(
  message: Message,
  { address, attempts }: Recipient,
  claims: Claims<Attempt | Forestalled>,
  now: Date,
  expiresAt: number,
): Promise<boolean> {
  const key = attemptKey(message.id, address, attempts + 1)
  return claims.forestall(key, { outcome: 'Forestalled' }, now, forestallMs, expiresAt)
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
