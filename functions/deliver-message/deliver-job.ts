/**
 * Handles one delivery job: claims its recipients, makes one attempt, records the result and reports it to
 * evaluate-policy. The result is written immediately after the next hop's reply, because a second attempt after the
 * reply 250 would create a duplicate.
 */
import { randomUUID } from 'node:crypto'
import { isContentDeleted } from '../../shared/content/content-reader.ts'
import { minuteMs } from '../../shared/contract/durations.ts'
import { type DeliveryJob, splitForJobs } from '../../shared/contract/jobs.ts'
import type { Attempt, ContentReference, Message, Recipient, Reply } from '../../shared/contract/message.ts'
import { reply } from '../../shared/mail/reply.ts'
import type { Cancelled, Claim, ClaimKey } from '../../shared/messages/claims.ts'
import { attemptKey } from '../../shared/messages/message-keys.ts'
import { jobPosition } from '../../shared/messages/trace.ts'
import { traceExpiry } from '../../shared/messages/trace-expiry.ts'
import {
  type OutboundMessage,
  type Outcomes,
  outcomesWithoutHop,
  partition,
} from '../../shared/net/smtp-delivery.ts'
import { returnStaleDecisions } from './return-stale-decisions.ts'
import {
  mayWaitAgain,
  returnThrottled,
  type Throttled,
  type ThrottledDependencies,
} from './return-throttled.ts'
import {
  type QueueReturn,
  type QueueReturnReason,
  reasonOf,
  replyWhenGivenUp,
  returnToQueue,
} from './return-to-queue.ts'

export interface Dependencies extends ThrottledDependencies {
  /** Returns the message's verified octets, without fields that only this gateway may add. */
  read(reference: ContentReference): Promise<Buffer>
  /** Makes one attempt; never throws because of a next hop. */
  transmit(route: DeliveryJob['route'], mail: OutboundMessage): Promise<Outcomes>
  /** Runs the work when its destination has a free slot, or returns why it cannot run now. */
  runWithSlot<T>(work: () => Promise<T>): Promise<T | QueueReturn>
  /** Current version of the connectors. */
  connectorsVersion: number
  /** Days for which attempts are kept, like the rest of the trace. */
  retentionDays: number
}

/** One recipient's attempt. */
export interface RecipientAttempt {
  recipient: Recipient
  attempt: Attempt
}

export interface Delivery {
  /** Attempts made now. */
  newAttempts: RecipientAttempt[]
  /** Attempts made earlier, by a worker that may have died before its report; they are reported again. */
  earlierAttempts: RecipientAttempt[]
  /** Number of attempts made now that an earlier worker had begun without writing a result. */
  leasesExpired: number
  /** Errors of failed writes of results. The results are reported nevertheless. */
  writeErrors: Error[]
  /** Number of recipients returned for a new decision because connectors have changed. */
  returnedForDecision: number
  /** Why the job, or the rest of it, returned to its queue without an attempt; null when it did not. */
  returnedToQueue: QueueReturnReason | null
  /** Recipients that another worker is trying or settling: the job must be retried for them. */
  busyRecipients: Recipient[]
}

/** Longer than the function can run, so that no lease expires while its worker runs. */
export const leaseMs = 6 * minuteMs

/**
 * Larger messages are read only when the destination queue reaches their job. Otherwise ten large messages to a
 * destination that hangs would be in memory at the same time.
 */
export const maxPreloadOctets = 1024 * 1024

/**
 * Makes the attempt, returns the job to its queue, or returns its recipients for a new decision. The content is read
 * before any claim, so that a failed read leaves no lease.
 * @throws when content, claims or the queue fail; the job is then retried
 */
export async function deliverJob(receivedJob: DeliveryJob, dependencies: Dependencies): Promise<Delivery> {
  const recipients = await returnStaleDecisions(receivedJob, dependencies.connectorsVersion, dependencies)
  const returnedForDecision = receivedJob.recipients.length - recipients.length
  if (recipients.length === 0) return { ...emptyDelivery, returnedForDecision }
  const job = { ...receivedJob, recipients }
  const { content } = job.message
  // A message for SES often returns to the queue, so it is read when it may be sent.
  const isPreloaded = content.length <= maxPreloadOctets && job.route.kind !== 'Ses'
  const preloaded = isPreloaded ? await readContent(job.message, dependencies) : null
  let result = await dependencies.runWithSlot(async () =>
    attempt(job, preloaded ?? (await readContent(job.message, dependencies)), dependencies),
  )
  if (typeof result === 'string' || 'reason' in result) {
    const givenUpReply = replyWhenGivenUp(job, result)
    if (givenUpReply === null) {
      await returnToQueue(job, result, dependencies)
      return { ...emptyDelivery, returnedForDecision, returnedToQueue: reasonOf(result) }
    }
    result = await attempt(job, givenUpReply, dependencies)
  }
  const { claims, tried, throttled } = result
  const attemptedBefore = claims.flatMap(({ recipient, claim }) =>
    claim.kind === 'Done' && claim.result.outcome !== 'Cancelled'
      ? [{ recipient, attempt: claim.result }]
      : [],
  )
  const unwritten = await writeResults(job, tried, dependencies)
  await reportResults(job, [...attemptedBefore, ...tried], unwritten, dependencies)
  const busyRecipients = claims
    .filter(({ claim }) => claim.kind === 'Busy' || isCancelled(claim))
    .map(({ recipient }) => recipient)
  // SQS retries a job with busy recipients, for its throttled recipients too.
  const returned = await returnThrottled(job, throttled, busyRecipients.length > 0, dependencies)
  return {
    ...emptyDelivery,
    newAttempts: tried,
    earlierAttempts: attemptedBefore,
    leasesExpired: claims.filter(({ claim }) => claim.kind === 'Claimed' && claim.leaseExpired).length,
    writeErrors: [...unwritten.values()],
    returnedForDecision: returnedForDecision + returned.forDecision,
    returnedToQueue: returned.toQueue > 0 ? 'SesRate' : null,
    busyRecipients,
  }
}

const emptyDelivery: Delivery = {
  newAttempts: [],
  earlierAttempts: [],
  leasesExpired: 0,
  writeErrors: [],
  returnedForDecision: 0,
  returnedToQueue: null,
  busyRecipients: [],
}

/**
 * A message whose content was deleted can never be delivered. X.3.0 is a fault of the mail system (RFC 3463 §3.4). The
 * content outlives the retention of the queues, so only an administrator, or a late redrive, causes this.
 */
const deletedReply = reply(554, '5.3.0', 'The content of the message was deleted before its delivery')

/** @returns the content with the results of its authentication, or the reply for a message without content */
async function readContent(
  { content, authentication }: Message,
  { read }: Dependencies,
): Promise<Buffer | Reply> {
  try {
    const octets = await read(content)
    return authentication ? Buffer.concat([Buffer.from(authentication.fields), octets]) : octets
  } catch (error) {
    if (isContentDeleted(error)) return deletedReply
    throw error
  }
}

/**
 * Claims the recipients and tries the claimed ones. Call this function only when the destination queue has reached the
 * job: a job that may still return to its queue must hold no claim.
 */
async function attempt(
  job: DeliveryJob,
  content: Buffer | Reply,
  dependencies: Dependencies,
): Promise<{ claims: RecipientClaim[]; tried: RecipientAttempt[]; throttled: Throttled }> {
  const holder = randomUUID()
  const claims = await removeSettled(job, await claimAll(job, holder, dependencies), dependencies)
  const claimed = claims.filter(({ claim }) => claim.kind === 'Claimed')
  // No earlier worker has sent the message to these recipients, so their claims can be released.
  const releasable = new Set(
    claimed.filter(({ claim }) => !isOutcomeUnknown(claim)).map(({ recipient }) => recipient),
  )
  const recipients = claimed.map(({ recipient }) => recipient)
  // A stale job continues only with attempts that have begun. These have not: another worker released them meanwhile.
  const isStale = job.connectorsVersion !== dependencies.connectorsVersion
  const [released, remaining] = isStale
    ? partition(recipients, (each) => releasable.has(each))
    : [[], recipients]
  const results = remaining.length === 0 ? [] : await tryOnce(job, remaining, content, dependencies)
  const [throttled, tried] = partition(
    results,
    ({ recipient, isThrottled }) => isThrottled && mayWaitAgain(job) && releasable.has(recipient),
  )
  return {
    claims,
    tried: tried.map(({ recipient, attempt }) => ({ recipient, attempt })),
    throttled: { recipients: [...released, ...throttled.map(({ recipient }) => recipient)], holder },
  }
}

interface RecipientClaim {
  recipient: Recipient
  claim: Claim<Attempt | Cancelled>
}

async function claimAll(
  job: DeliveryJob,
  holder: string,
  { claims, now, retentionDays }: Dependencies,
): Promise<RecipientClaim[]> {
  const at = now()
  const expiresAt = traceExpiry(job.message, retentionDays)
  const unique = new Map(job.recipients.map((recipient) => [recipient.address, recipient]))
  return Promise.all(
    [...unique.values()].map(async (recipient) => ({
      recipient,
      claim: await claims.claim(claimKeyOf(job, recipient), at, leaseMs, expiresAt, holder),
    })),
  )
}

const isCancelled = (claim: RecipientClaim['claim']): boolean =>
  claim.kind === 'Done' && claim.result.outcome === 'Cancelled'

const isOutcomeUnknown = (claim: RecipientClaim['claim']): boolean =>
  isCancelled(claim) || (claim.kind === 'Claimed' && claim.leaseExpired)

/**
 * Removes recipients that need no attempt although their claim alone does not show that. There are two such claims.
 * When a lease has expired, the attempt may have been made although no result was written. When an attempt was
 * cancelled, the worker that cancelled it either settled the recipient or died before. The trace shows whether the
 * recipient is settled. The trace also shows whether evaluate-policy has decided about this attempt's outcome. Then
 * another job continues with the recipient, and the outcome of a repeated attempt would be ignored.
 */
async function removeSettled(
  { message, attempt }: DeliveryJob,
  claims: RecipientClaim[],
  { trace }: Dependencies,
): Promise<RecipientClaim[]> {
  const uncertainClaims = claims.filter(({ claim }) => isOutcomeUnknown(claim))
  if (uncertainClaims.length === 0) return claims
  const addresses = uncertainClaims.map(({ recipient }) => recipient.address)
  const progress = await trace.progress(message.id, addresses)
  return claims.filter(({ recipient }) => {
    const { state, decided = '' } = progress.get(recipient.address) ?? {}
    return state !== 'Delivered' && state !== 'Bounced' && decided < jobPosition(attempt, null)
  })
}

interface Result extends RecipientAttempt {
  isThrottled: boolean
}

async function tryOnce(
  job: DeliveryJob,
  recipients: Recipient[],
  content: Buffer | Reply,
  { transmit, now }: Dependencies,
): Promise<Result[]> {
  const startedAt = now()
  const { message, tls } = job
  const outcomes = Buffer.isBuffer(content)
    ? await transmit(job.route, { message, recipients, content, tls })
    : outcomesWithoutHop({ recipients, tls }, content)
  const timing = {
    number: job.attempt,
    at: startedAt.toISOString(),
    // The schema rejects a negative duration, so a clock that was set back would otherwise lose the outcome.
    durationMs: Math.max(0, now().getTime() - startedAt.getTime()),
  }
  return recipients.map((recipient) => {
    const outcome = outcomes.get(recipient.address)
    if (outcome === undefined) throw new Error(`no outcome for a recipient of ${message.id}`)
    const { isThrottled = false, ...result } = outcome
    return { recipient, attempt: { ...timing, ...result }, isThrottled }
  })
}

/**
 * Returns the errors instead of throwing them: a result that cannot be written must still be reported, because only the
 * report prevents another attempt with the same number.
 * @returns the errors by address
 */
async function writeResults(
  job: DeliveryJob,
  tried: readonly RecipientAttempt[],
  { claims }: Dependencies,
): Promise<Map<string, Error>> {
  const errors = new Map<string, Error>()
  await Promise.all(
    tried.map(({ recipient, attempt }) =>
      claims.complete(claimKeyOf(job, recipient), attempt).catch((error: Error) => {
        errors.set(recipient.address, error)
      }),
    ),
  )
  return errors
}

/**
 * A delivery is reported when the sender requested a success DSN, or when its result could not be written. In the second
 * case only the report prevents a second copy: after an outage of DynamoDB, neither claim nor trace would show the
 * delivery.
 * @param unwritten errors by address
 */
async function reportResults(
  { message }: DeliveryJob,
  results: readonly RecipientAttempt[],
  unwritten: ReadonlyMap<string, Error>,
  { trace, evaluation }: Dependencies,
): Promise<void> {
  const isDelivered = ({ attempt }: RecipientAttempt) => attempt.outcome === 'Delivered'
  const isReported = (result: RecipientAttempt) =>
    !isDelivered(result) || requestsSuccessDsn(result.recipient) || unwritten.has(result.recipient.address)
  const recipients = results.filter(isReported).map(({ recipient, attempt }) => ({
    ...recipient,
    attempts: recipient.attempts + 1,
    lastAttempt: attempt,
  }))
  await evaluation.send(
    splitForJobs(recipients).map((part) => ({ job: { message, recipients: part, notBefore: null } })),
  )
  // `Delivered` is recorded only after the report. A worker that finds an expired lease and `Delivered` in the trace
  // reports nothing for that recipient, so the opposite order could lose the report.
  await Promise.all(
    results.filter(isDelivered).map((result) =>
      trace.recordDelivered(message.id, result.recipient.address).catch((error: Error) => {
        // evaluate-policy records a reported delivery, so the job is not retried for it.
        if (!isReported(result)) throw error
      }),
    ),
  )
}

/** RFC 3461 §4.1. evaluate-policy decides whether a DSN is sent. */
const requestsSuccessDsn = ({ notify }: Recipient): boolean => notify?.includes('SUCCESS') ?? false

const claimKeyOf = ({ message, attempt }: DeliveryJob, { address }: Recipient): ClaimKey =>
  attemptKey(message.id, address, attempt)
