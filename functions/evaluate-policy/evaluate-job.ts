/** Handles one mail job of evaluate-policy: calls the pure `evaluate`, records the verdicts and sends the jobs. */

import { internalAuthentication } from '../../shared/authentication/internal-authentication.ts'
import type { MailEvent } from '../../shared/contract/events.ts'
import type { BounceJob, DeliveryJob, EvaluationJob } from '../../shared/contract/jobs.ts'
import type { Message, Recipient } from '../../shared/contract/message.ts'
import { clientNetwork } from '../../shared/limits/client-network.ts'
import type { ContentAddressedStore } from '../../shared/messages/content-addressed-store.ts'
import type { RequirementReference } from '../../shared/messages/recipient-item.ts'
import {
  type DecisionContext,
  type ExecutedVerdict,
  jobPosition,
  type Progress,
  type RecordedVerdict,
  type Trace,
} from '../../shared/messages/trace.ts'
import { traceExpiry } from '../../shared/messages/trace-expiry.ts'
import {
  type EarlierFacts,
  type EvaluationInput,
  evaluate,
  isReportAddress,
  type Settings,
  type Verdict,
} from '../../shared/policy/evaluate.ts'
import { createExplainer } from '../../shared/policy/explain/explain.ts'
import type { KeptRequirement } from '../../shared/policy/kept-requirement.ts'
import { type AuthenticationNeed, authenticationNeed } from '../../shared/policy/needs-authentication.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import type { JobSender, OutgoingJob } from '../../shared/queues/job-queue.ts'
import { eventsOf } from './decision-events.ts'
import type { DeliveryPriorities } from './delivery-priority.ts'
import { type Dispatch, delayIfEarly, dispatch, successDsnJobs } from './dispatch.ts'
import { isFirstJob } from './first-job.ts'

export interface EvaluateDependencies {
  trace: Trace
  requirements: Pick<ContentAddressedStore<KeptRequirement>, 'store' | 'read'>
  queues: {
    evaluation: JobSender<EvaluationJob>
    authentication: JobSender<EvaluationJob>
    delivery: JobSender<DeliveryJob>
    bounce: JobSender<BounceJob>
  }
  priorities: Pick<DeliveryPriorities, 'assign'>
  settings: Settings
  /** The name of this gateway. */
  hostname: string
  retentionDays: number
}

/** What was decided and recorded, and not yet sent. */
export interface Decision {
  /** The verdicts to execute; none for a job that is early, overtaken or not authenticated. */
  verdicts: Verdict[]
  events: MailEvent[]
  /**
   * Sends the jobs of the verdicts, then marks the evaluated job as decided. Call this function after the events were
   * sent: a decision whose jobs were sent can be overtaken, and then a repetition of this job does not know its events.
   */
  sendJobs(): Promise<void>
}

/**
 * Records verdicts before their events and jobs are sent, so the trace is never behind the queues. The evaluated job is
 * marked as decided after the jobs of its verdicts have been sent, so a crash in between repeats events and jobs and
 * never loses them. A job whose message needs authentication is decided when it returns from authenticate-message; until
 * then nothing is recorded.
 * @param receives number of times that the job was received, from 1
 */
export async function evaluateJob(
  job: EvaluationJob,
  snapshot: Snapshot,
  now: Date,
  dependencies: EvaluateDependencies,
  receives = 1,
): Promise<Decision> {
  const { trace, queues, priorities, settings } = dependencies
  // The first job does not read the progress, which an erasure ends.
  if (receives > 1 && isFirstJob(job) && (await trace.isErased(job.message.id)))
    return { ...nothingDecided, sendJobs: async () => {} }
  const delayed = delayIfEarly(job, now)
  if (delayed) return { ...nothingDecided, sendJobs: () => queues.evaluation.send([delayed]) }
  const progress = await progressOf(job, trace)
  const recipients = job.recipients.filter((recipient) => !isOvertaken(job, recipient, progress))
  const [delivered, undecided] = splitByDelivery(recipients)
  const need = authenticationNeed(
    snapshot,
    job.message,
    { ...job, recipients: undecided },
    settings.postmaster,
  )
  if (need.kind === 'Authenticate')
    return { ...nothingDecided, sendJobs: () => queues.authentication.send([authenticationJob(job)]) }
  const message = withInternalResults(job.message, need, dependencies, now)
  await recordAttempts(message, job, delivered, undecided, dependencies)
  if (undecided.some((recipient) => isNew(recipient, progress)))
    await trace.recordMessage(
      message,
      now,
      dependencies.retentionDays,
      job.recipientsInAll ?? job.recipients.length,
    )
  const input = { snapshot, settings, message, recipients: undecided, now, retry: job.retry }
  const context = {
    at: now,
    retry: job.retry,
    connectorsVersion: snapshot.version,
    considered: createExplainer(snapshot, message),
  }
  const executed = await decideAndRecord(input, progress, context, dependencies)
  const verdicts = executed.map(({ verdict }) => verdict)
  return {
    verdicts,
    events: eventsOf(job, executed, progress, snapshot),
    async sendJobs() {
      const { bounce, delivery, evaluation } = dispatch(message, verdicts, now, snapshot.version)
      const isStoredByMailflow = (address: string) => isReportAddress(address, settings)
      const notices = successDsnJobs(message, delivered, isStoredByMailflow, now)
      const prioritised = await priorities.assign(delivery, snapshot, now)
      await send(queues, { delivery: prioritised, evaluation, bounce: [...bounce, ...notices] })
      if (!isFirstJob(job)) await markDecided(job, recipients, trace)
    },
  }
}

const nothingDecided = { verdicts: [], events: [] }

/**
 * The queue is fair: jobs of one client whose name servers do not answer delay each other, not jobs of other clients
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html).
 */
const authenticationJob = (job: EvaluationJob): OutgoingJob<EvaluationJob> => ({
  job,
  ...(job.message.source && { group: clientNetwork(job.message.source.ip) }),
})

const withInternalResults = (
  message: Message,
  need: AuthenticationNeed,
  { hostname }: Pick<EvaluateDependencies, 'hostname'>,
  now: Date,
): Message =>
  need.kind === 'Internal'
    ? { ...message, authentication: internalAuthentication(need.connector, hostname, now) }
    : message

/** Separates delivered recipients, which may need a success DSN, from recipients that need a decision. */
function splitByDelivery(recipients: readonly Recipient[]): [delivered: Recipient[], undecided: Recipient[]] {
  const { delivered = [], undecided = [] } = Object.groupBy(recipients, ({ lastAttempt }) =>
    lastAttempt?.outcome === 'Delivered' ? 'delivered' : 'undecided',
  )
  return [delivered, undecided]
}

/**
 * Records the attempts that the job reports, before the verdicts about them. Records `Delivered` although
 * deliver-message also does so, because the worker that made the attempt may die before it writes the outcome or the
 * state. Once this job is marked as decided, no other job settles the recipient: either the attempt is not repeated, or
 * the outcome of the repeated attempt is ignored.
 */
async function recordAttempts(
  message: Message,
  { notBefore }: EvaluationJob,
  delivered: readonly Recipient[],
  undecided: readonly Recipient[],
  { trace, retentionDays }: Pick<EvaluateDependencies, 'trace' | 'retentionDays'>,
): Promise<void> {
  const { id } = message
  const expiresAt = traceExpiry(message, retentionDays)
  // A timer repeats the last attempt, which the outcome's own job has recorded.
  const failed = notBefore === null ? undecided : []
  await Promise.all([
    ...delivered.map(
      ({ address, lastAttempt }) => lastAttempt && trace.recordDelivered(id, address, lastAttempt, expiresAt),
    ),
    ...failed.map(
      ({ address, lastAttempt }) => lastAttempt && trace.recordAttempt(id, address, lastAttempt, expiresAt),
    ),
  ])
}

/** Whether no verdict about the recipient was recorded, so that the trace may lack the message. */
const isNew = ({ address, attempts }: Recipient, progress: ReadonlyMap<string, Progress>): boolean =>
  attempts === 0 && (progress.get(address)?.state ?? null) === null

/**
 * Whether a later job was decided for the recipient. Such a recipient is left out: a queue may deliver a job again,
 * even after the jobs that follow it. A retry request is overtaken only by the outcome of the next attempt, never by a
 * delayed job. There are two reasons. Clocks differ, so an earlier delayed job may carry a later time. After a
 * delivery job was returned for a new decision, the retry request is the only job of its recipients.
 */
function isOvertaken(
  { retry, notBefore }: EvaluationJob,
  { address, attempts }: Recipient,
  progress: ReadonlyMap<string, Progress>,
): boolean {
  const decided = progress.get(address)?.decided ?? ''
  return decided >= (retry ? jobPosition(attempts + 1, null) : jobPosition(attempts, notBefore))
}

async function progressOf(job: EvaluationJob, trace: Trace): Promise<Map<string, Progress>> {
  const addresses = job.recipients.map(({ address }) => address)
  return isFirstJob(job) ? new Map() : trace.progress(job.message.id, addresses)
}

async function markDecided(
  job: EvaluationJob,
  recipients: readonly Recipient[],
  trace: Trace,
): Promise<void> {
  await Promise.all(
    recipients.map(({ address, attempts }) =>
      trace.recordDecided(job.message.id, address, jobPosition(attempts, job.notBefore)),
    ),
  )
}

type KeptProgress = Pick<Progress, 'requirement' | 'waiver' | 'isReturned' | 'isDropped'>
const noProgress: KeptProgress = { requirement: null, waiver: null, isReturned: false, isDropped: false }

/** The first round usually suffices. Another worker can store one requirement between the rounds of this worker. */
const maxRounds = 4

/**
 * Decides and records. The first job of a message does not read the trace, and two workers may decide at the same time.
 * So the write returns the requirement that the recipient keeps, and a decision that did not know it is made again.
 * @throws Error when a kept requirement cannot be read: then nothing may be sent
 */
async function decideAndRecord(
  input: EvaluationInput,
  progress: ReadonlyMap<string, KeptProgress>,
  context: DecisionContext,
  dependencies: EvaluateDependencies,
): Promise<ExecutedVerdict[]> {
  const known = new Map(progress)
  const executed: ExecutedVerdict[] = []
  let { recipients } = input
  for (let round = 0; recipients.length > 0; round++) {
    if (round === maxRounds) throw new Error(`the requirements of ${input.message.id} keep changing`)
    const earlier = await earlierFacts(known, dependencies)
    const verdicts = evaluate({ ...input, recipients, earlier })
    const results = await record(input.message, verdicts, context, dependencies)
    recipients = []
    for (const { verdict, executed: toExecute, usedRequirement, requirement } of results) {
      const { recipient } = verdict
      const expected = usedRequirement ?? known.get(recipient.address)?.requirement?.digest
      if (requirement !== null && requirement.digest !== expected) {
        known.set(recipient.address, { ...(known.get(recipient.address) ?? noProgress), requirement })
        recipients = [...recipients, recipient]
      } else if (toExecute !== null) executed.push(toExecute)
    }
  }
  return executed
}

async function earlierFacts(
  known: ReadonlyMap<string, KeptProgress>,
  { requirements }: EvaluateDependencies,
): Promise<Map<string, EarlierFacts>> {
  const digests = [...known.values()].flatMap(({ requirement }) => requirement?.digest ?? [])
  const stored = await requirements.read(digests)
  const keptOf = (reference: RequirementReference | null): EarlierFacts['kept'] => {
    if (reference === null) return null
    const requirement = stored.get(reference.digest)
    if (requirement === undefined)
      throw new Error(`the kept requirement ${reference.digest} is missing from the messages table`)
    return { requirement, since: reference.since }
  }
  return new Map(
    [...known].map(([address, { requirement, waiver, isReturned, isDropped }]) => [
      address,
      { kept: keptOf(requirement), waiver, isReturned, isDropped },
    ]),
  )
}

interface Result extends RecordedVerdict {
  verdict: Verdict
  /** Digest of the requirement that the verdict adds; null when it adds none. */
  usedRequirement: string | null
}

/**
 * Records the verdicts.
 * @returns the verdicts to execute. A recipient that is already settled keeps its state: a bounced recipient gets its
 * recorded bounce again, a delivered recipient gets no verdict
 */
async function record(
  message: Message,
  verdicts: readonly Verdict[],
  context: DecisionContext,
  { trace, requirements, retentionDays }: EvaluateDependencies,
): Promise<Result[]> {
  const expiresAt = traceExpiry(message, retentionDays)
  return Promise.all(
    verdicts.map(async (verdict): Promise<Result> => {
      const { action, newRequirement } = verdict
      // A requirement is stored before the item that refers to it.
      const usedRequirement =
        action === 'Bounce' || newRequirement === null
          ? null
          : await requirements.store(newRequirement, context.at, retentionDays)
      const recorded = await trace.recordVerdict(message, verdict, context, expiresAt, usedRequirement)
      // A bounce settles the recipient, so no decision follows.
      const requirement = action === 'Bounce' ? null : recorded.requirement
      return { verdict, ...recorded, requirement, usedRequirement }
    }),
  )
}

async function send(
  queues: EvaluateDependencies['queues'],
  { delivery, evaluation, bounce }: Dispatch,
): Promise<void> {
  await Promise.all([
    queues.delivery.send(delivery.map((job) => ({ job, group: job.destination }))),
    queues.evaluation.send(evaluation),
    queues.bounce.send(bounce.map((job) => ({ job }))),
  ])
}
