/**
 * Handles one delivery job: claims its recipients, makes one attempt, records the result and reports it to
 * evaluate-policy. The result is written immediately after the next hop's reply, because a second attempt after the
 * reply 250 would create a duplicate.
 */
import { randomBytes } from 'node:crypto'
import { isContentDeleted } from '../../shared/content/content-reader.ts'
import { minuteMs } from '../../shared/contract/durations.ts'
import {
  type AttemptContext,
  type DeliveryJob,
  maxRouteLength,
  routeText,
  splitForJobs,
} from '../../shared/contract/jobs.ts'
import type { Attempt, ContentReference, Message, Recipient, Reply } from '../../shared/contract/message.ts'
import { reply } from '../../shared/mail/reply.ts'
import type { AttemptClaim, AttemptKey } from '../../shared/messages/attempt-claims.ts'
import type { Trace } from '../../shared/messages/trace.ts'
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
  trace: Pick<Trace, 'progress' | 'recordDelivered' | 'isErased'>
  /** Returns the message's verified octets, without fields that only this gateway may add. */
  read(reference: ContentReference): Promise<Buffer>
  /** Makes one attempt; never throws because of a next hop. */
  transmit(route: DeliveryJob['route'], mail: OutboundMessage): Promise<Outcomes>
  /** Runs the work when its destination has a free slot, or returns why it cannot run now. */
  runWithSlot<T>(work: () => Promise<T>): Promise<T | QueueReturn>
  /** Returns the version of the connectors, at most a few seconds old. Rejects when it cannot be read. */
  connectorsVersion(): Promise<number>
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
  /**
   * Attempts made earlier. Their worker may have died before its report, so they are reported again unless their outcome
   * was decided.
   */
  earlierAttempts: RecipientAttempt[]
  /** Of both, the deliveries that are not reported to evaluate-policy. */
  unreported: RecipientAttempt[]
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
  const connectorsVersion = await dependencies.connectorsVersion()
  const recipients = await returnStaleDecisions(receivedJob, connectorsVersion, dependencies)
  const returnedForDecision = receivedJob.recipients.length - recipients.length
  if (recipients.length === 0) return { ...emptyDelivery, returnedForDecision }
  const job = { ...receivedJob, recipients }
  const { content } = job.message
  // A message for SES often returns to the queue, so it is read when it may be sent.
  const isPreloaded = content.length <= maxPreloadOctets && job.route.kind !== 'Ses'
  const preloaded = isPreloaded ? await readContent(job.message, dependencies) : null
  if (preloaded === 'Erased') return { ...emptyDelivery, returnedForDecision }
  let result = await dependencies.runWithSlot(async () => {
    const content = preloaded ?? (await readContent(job.message, dependencies))
    return content === 'Erased' ? content : attempt(job, connectorsVersion, content, dependencies)
  })
  if (result === 'Erased') return { ...emptyDelivery, returnedForDecision }
  if (typeof result === 'string' || 'reason' in result) {
    const givenUpReply = replyWhenGivenUp(job, result)
    if (givenUpReply === null) {
      await returnToQueue(job, result, dependencies)
      return { ...emptyDelivery, returnedForDecision, returnedToQueue: reasonOf(result) }
    }
    result = await attempt(job, connectorsVersion, givenUpReply, dependencies)
  }
  const { claims, tried, throttled, returnedWithoutClaim } = result
  const attemptedBefore = claims.flatMap(({ recipient, claim }) =>
    claim.kind === 'Done' ? [{ recipient, attempt: claim.attempt, isSettled: claim.isSettled }] : [],
  )
  const unwritten = await writeResults(job, tried, throttled.holder, dependencies)
  const unsettled = attemptedBefore.filter(({ isSettled }) => !isSettled)
  const [reported, unreported] = partition(
    [...unsettled, ...tried],
    (result) => needsReport(result) || unwritten.has(result.recipient.address),
  )
  await reportResults(job, reported, dependencies).catch(async (error: unknown) => {
    await releaseClaims(job, throttled.recipients, throttled.holder, dependencies)
    throw error
  })
  const busyRecipients = claims.filter(({ claim }) => claim.kind === 'Busy').map(({ recipient }) => recipient)
  // SQS retries a job with busy recipients, for its throttled recipients too.
  const returned = await returnThrottled(job, throttled, busyRecipients.length > 0, dependencies)
  return {
    ...emptyDelivery,
    newAttempts: tried,
    earlierAttempts: attemptedBefore.map(({ recipient, attempt }) => ({ recipient, attempt })),
    unreported: [...unreported, ...attemptedBefore.filter(({ isSettled }) => isSettled)].filter(isDelivered),
    leasesExpired: claims.filter(({ claim }) => isOutcomeUnknown(claim)).length,
    writeErrors: [...unwritten.values()],
    returnedForDecision: returnedForDecision + returnedWithoutClaim + returned.forDecision,
    returnedToQueue: returned.toQueue > 0 ? 'SesRate' : null,
    busyRecipients,
  }
}

const emptyDelivery: Delivery = {
  newAttempts: [],
  earlierAttempts: [],
  unreported: [],
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

/**
 * @returns the content with the results of its authentication, or the reply for a message without content; `Erased` for a
 * copy of the job of a message of which an address was erased: all its recipients were settled
 */
async function readContent(
  { id, content, authentication }: Message,
  { read, trace }: Dependencies,
): Promise<Buffer | Reply | 'Erased'> {
  try {
    const octets = await read(content)
    return authentication ? Buffer.concat([Buffer.from(authentication.fields), octets]) : octets
  } catch (error) {
    if (!isContentDeleted(error)) throw error
    return (await trace.isErased(id)) ? 'Erased' : deletedReply
  }
}

interface AttemptResult {
  claims: RecipientClaim[]
  tried: RecipientAttempt[]
  throttled: Throttled
  /** Number of recipients returned for a new decision because connectors changed while the job waited. */
  returnedWithoutClaim: number
}

/**
 * Claims the recipients and tries the claimed ones. Call this function only when the destination queue has reached the
 * job: a job that may still return to its queue must hold no claim.
 * @param versionBefore version of the connectors when the job began to wait
 */
async function attempt(
  received: DeliveryJob,
  versionBefore: number,
  content: Buffer | Reply,
  dependencies: Dependencies,
): Promise<AttemptResult> {
  const connectorsVersion = await dependencies.connectorsVersion()
  const job =
    connectorsVersion === versionBefore
      ? received
      : {
          ...received,
          recipients: await returnStaleDecisions(received, connectorsVersion, dependencies),
        }
  const returnedWithoutClaim = received.recipients.length - job.recipients.length
  const holder = randomBytes(holderOctets).toString('base64url')
  const claims = await claimAll(job, holder, dependencies)
  const claimed = claims.filter(({ claim }) => claim.kind === 'Claimed')
  // No earlier worker has sent the message to these recipients, so their claims can be released.
  const releasable = new Set(
    claimed.filter(({ claim }) => !isOutcomeUnknown(claim)).map(({ recipient }) => recipient),
  )
  const recipients = claimed.map(({ recipient }) => recipient)
  // A stale job continues only with attempts that have begun. These have not: another worker released them meanwhile.
  const isStale = job.connectorsVersion !== connectorsVersion
  const [released, remaining] = isStale
    ? partition(recipients, (each) => releasable.has(each))
    : [[], recipients]
  const lost = new Map(
    claims.map(({ recipient, claim }) => [recipient, claim.kind === 'Claimed' ? claim.lost : 0]),
  )
  const results = remaining.length === 0 ? [] : await tryOnce(job, remaining, content, dependencies)
  const [throttled, tried] = partition(
    results,
    ({ recipient, isThrottled }) => isThrottled && mayWaitAgain(job) && releasable.has(recipient),
  )
  return {
    claims,
    tried: tried.map(({ recipient, attempt }) => ({
      recipient,
      attempt: withLost(attempt, lost.get(recipient)),
    })),
    throttled: { recipients: [...released, ...throttled.map(({ recipient }) => recipient)], holder },
    returnedWithoutClaim,
  }
}

const withLost = (attempt: Attempt, lost = 0): Attempt => (lost === 0 ? attempt : { ...attempt, lost })

/** Enough that no two workers of one attempt have the same name. */
const holderOctets = 6

interface RecipientClaim {
  recipient: Recipient
  claim: AttemptClaim
}

async function claimAll(
  job: DeliveryJob,
  holder: string,
  { claims, now, retentionDays }: Dependencies,
): Promise<RecipientClaim[]> {
  const request = { now: now(), leaseMs, expiresAt: traceExpiry(job.message, retentionDays), holder }
  const unique = new Map(job.recipients.map((recipient) => [recipient.address, recipient]))
  const results = await Promise.allSettled(
    [...unique.values()].map(async (recipient) => ({
      recipient,
      claim: await claims.claim(keyOf(job, recipient), request),
    })),
  )
  const made = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failure = results.find((result) => result.status === 'rejected')
  if (failure === undefined) return made
  const unused = made.filter(({ claim }) => claim.kind === 'Claimed' && !isOutcomeUnknown(claim))
  const recipients = unused.map(({ recipient }) => recipient)
  await releaseClaims(job, recipients, holder, { claims })
  throw failure.reason
}

/**
 * Releases claims of a job that is retried. Otherwise its retry would find these recipients busy until the lease expires,
 * and count a lost worker. Never rejects.
 */
async function releaseClaims(
  job: DeliveryJob,
  recipients: readonly Recipient[],
  holder: string,
  { claims }: Pick<Dependencies, 'claims'>,
): Promise<void> {
  await Promise.allSettled(recipients.map((recipient) => claims.release(keyOf(job, recipient), holder)))
}

/** An earlier worker may have made the attempt. */
const isOutcomeUnknown = (claim: AttemptClaim): boolean => claim.kind === 'Claimed' && claim.lost > 0

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
 * Writes the results. A delivery that needs no report is settled in the same write. Returns the errors instead of
 * throwing them: a result that cannot be written must still be reported, because only the report prevents another
 * attempt with the same number.
 * @returns the errors by address
 */
async function writeResults(
  job: DeliveryJob,
  tried: readonly RecipientAttempt[],
  holder: string,
  { claims }: Dependencies,
): Promise<Map<string, Error>> {
  const errors = new Map<string, Error>()
  await Promise.all(
    tried.map(({ recipient, attempt }) =>
      claims
        .complete(keyOf(job, recipient), holder, attempt, !needsReport({ recipient, attempt }))
        .catch((error: Error) => {
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
 */
async function reportResults(
  job: DeliveryJob,
  reported: readonly RecipientAttempt[],
  { trace, evaluation, retentionDays }: Dependencies,
): Promise<void> {
  const { message } = job
  const recipients = reported.map(({ recipient, attempt }) => ({
    ...recipient,
    attempts: recipient.attempts + 1,
    lastAttempt: attempt,
  }))
  await evaluation.send(
    splitForJobs(recipients).map((part) => ({
      job: { message, recipients: part, notBefore: null, attempted: attemptContext(job) },
    })),
  )
  // `Delivered` is recorded only after the report. A worker that finds `Delivered` reports nothing for that recipient, so
  // the opposite order could lose the report. An error is ignored, because evaluate-policy records a reported delivery.
  const expiresAt = traceExpiry(message, retentionDays)
  await Promise.all(
    reported
      .filter(isDelivered)
      .map(({ recipient, attempt }) =>
        trace.recordDelivered(message.id, recipient.address, attempt, expiresAt).catch(() => undefined),
      ),
  )
}

const isDelivered = ({ attempt }: RecipientAttempt): boolean => attempt.outcome === 'Delivered'

/** RFC 3461 §4.1: a success DSN. evaluate-policy decides whether it is sent. */
const needsReport = (result: RecipientAttempt): boolean =>
  !isDelivered(result) || (result.recipient.notify?.includes('SUCCESS') ?? false)

/** The decision behind the attempts of a job, for their events. */
export const attemptContext = ({
  connector,
  connectorsVersion,
  tls,
  route,
}: DeliveryJob): AttemptContext => ({
  connector: connector?.id ?? null,
  ...(connectorsVersion !== undefined && { connectorsVersion }),
  mode: tls.mode,
  route: routeText(route).slice(0, maxRouteLength),
  level: tls.level,
  ...(tls.smtpDaneMode !== 'Opportunistic' && { smtpDaneMode: tls.smtpDaneMode }),
  ...(tls.mtaStsMode !== 'Opportunistic' && { mtaStsMode: tls.mtaStsMode }),
  ...(tls.clientCertificate !== null && { clientCertificateSecret: tls.clientCertificate }),
})

const keyOf = ({ message, attempt }: DeliveryJob, { address }: Recipient): AttemptKey => ({
  messageId: message.id,
  address,
  attempt,
})
