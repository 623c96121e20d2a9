/** What evaluate-policy does with one job: ask the pure function, keep its verdicts, send what follows. */
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
 * Verdicts are kept before their jobs are sent, so that the trace never knows less than the queues; a job is
 * marked as decided only after, so that a crash in between repeats the sending and never loses it.
 * @returns the verdicts that were followed, none for what was put back or overtaken
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

/** Those whose message was taken, of whom only the sender is perhaps to hear; and those to be decided upon. */
function byArrival(recipients: readonly Recipient[]): [arrived: Recipient[], open: Recipient[]] {
  const { arrived = [], open = [] } = Object.groupBy(recipients, ({ lastAttempt }) =>
    lastAttempt?.outcome === 'Delivered' ? 'arrived' : 'open',
  )
  return [arrived, open]
}

/**
 * The worker that made the attempt may die before it writes the outcome or the state. Once this job is marked as
 * decided, no other settles the recipient: the attempt is not made again, or its second outcome is overtaken.
 */
async function recordArrived({ id }: Message, arrived: readonly Recipient[], trace: Trace): Promise<void> {
  await Promise.all(arrived.map(({ address }) => trace.recordDelivered(id, address)))
}

/**
 * The first job of a message needs no look at what became of it, and no mark: what it would repeat is claimed by
 * number further on.
 */
export const isFirst = ({ notBefore, recipients }: EvaluationJob): boolean =>
  notBefore === null && recipients.every(({ attempts }) => attempts === 0)

/**
 * A queue may deliver a job again long after its successors. What asks for a retry is overtaken by the outcome of an
 * attempt alone: it may have been stamped by a clock behind that of the timer or retry before it, and where a delivery
 * was handed back there is no other job to carry its recipients on.
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
 * Keeps the verdicts.
 * @returns those to follow: a recipient that is settled otherwise keeps its state, and nothing more happens to it
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

/** Longer than Lambda lets any function run (15 minutes), so that nobody begins what is being forestalled. */
const forestallMs = 16 * minuteMs

/**
 * A bounce takes the place of the next attempt, which an earlier copy of this job may have sent on its way under
 * other rules or before the message expired. If somebody has begun it, its outcome will be decided upon instead.
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
