/**
 * Handles one delivery job: claims, makes one attempt, records the result, reports it. The result is written directly
 * after the next hop's reply: once that was 250, a second attempt would create a duplicate.
 */
import { daySeconds, minuteMs } from '../../shared/contract/durations.ts'
import { type DeliveryJob, inParts } from '../../shared/contract/jobs.ts'
import type { Attempt, ContentReference, Recipient } from '../../shared/contract/message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claim, ClaimKey, Claims, Forestalled } from '../../shared/messages/claims.ts'
import { attemptKey } from '../../shared/messages/keys.ts'
import { positionOf, type Trace } from '../../shared/messages/trace.ts'
import { type OutboundMessage, type Outcomes, outcomesWithoutHop } from '../../shared/net/smtp-delivery.ts'
import { type Dependencies as Outdating, withoutOutdated } from './outdated.ts'
import { givenUp, type Dependencies as Postponing, postpone, type Reason } from './postpone.ts'

export interface Dependencies extends Postponing, Outdating {
  claims: Claims<Attempt | Forestalled>
  trace: Trace
  /** Returns the message's verified octets. */
  read(reference: ContentReference): Promise<Buffer>
  /** Makes one attempt; never throws because of a next hop. */
  transmit(route: DeliveryJob['route'], mail: OutboundMessage): Promise<Outcomes>
  /** Runs the work when the destination queue reaches it, or returns why it cannot run now. */
  inTurn<T>(work: () => Promise<T>): Promise<T | Reason>
  /** Current version of the connectors. */
  connectorsVersion: number
  /** Attempts are part of the trace and are kept as long. */
  retentionDays: number
}

/** One recipient's attempt. */
export interface Tried {
  recipient: Recipient
  attempt: Attempt
}

export interface Delivery {
  /** Attempts made now. */
  tried: Tried[]
  /** Attempts made before, by a worker that may have died before its report; they are reported again. */
  known: Tried[]
  /** Attempts made now that an earlier worker had begun without a result. */
  leasesExpired: number
  /** Errors for results that could not be written; these are reported nevertheless. */
  unwritten: Error[]
  /** Recipients returned for a new decision because connectors have changed. */
  handedBack: number
  /** Why the job returned to its queue before an attempt, or null. */
  postponed: Reason | null
  /** Recipients that another worker is trying or settling: the job must come back for them. */
  busy: Recipient[]
}

/** Longer than a function can run, so that a claim always outlives its worker. */
export const leaseMs = 6 * minuteMs

/**
 * Octets up to which a message is read before its turn. Otherwise ten large messages to a destination that hangs would
 * all stay in memory while it hangs.
 */
export const maxPreloadOctets = 1024 * 1024

/**
 * Reads content before any claim, so that a store that fails leaves no lease.
 * @throws when content, claims or the queue fail; the job then comes back
 */
export async function deliverJob(given: DeliveryJob, dependencies: Dependencies): Promise<Delivery> {
  const recipients = await withoutOutdated(given, dependencies.connectorsVersion, dependencies)
  const handedBack = given.recipients.length - recipients.length
  if (recipients.length === 0) return { ...nothing, handedBack }
  const job = { ...given, recipients }
  const { content } = job.message
  const ahead = content.length <= maxPreloadOctets ? await dependencies.read(content) : null
  let begun = await dependencies.inTurn(async () =>
    attempt(job, ahead ?? (await dependencies.read(content)), dependencies),
  )
  if (typeof begun === 'string') {
    const answer = givenUp(job, begun)
    if (answer === null) {
      await postpone(job, begun, dependencies)
      return { ...nothing, handedBack, postponed: begun }
    }
    const transmit: Dependencies['transmit'] = async (_, mail) => outcomesWithoutHop(mail, answer)
    begun = await attempt(job, Buffer.alloc(0), { ...dependencies, transmit })
  }
  const { claims, tried } = begun
  const known = claims.flatMap(({ recipient, claim }) =>
    claim.kind === 'Done' && claim.result.outcome !== 'Forestalled'
      ? [{ recipient, attempt: claim.result }]
      : [],
  )
  const unwritten = await writeDown(job, tried, dependencies)
  await report(job, [...known, ...tried], dependencies)
  return {
    ...nothing,
    tried,
    known,
    leasesExpired: claims.filter(({ claim }) => claim.kind === 'Claimed' && claim.leaseExpired).length,
    unwritten,
    handedBack,
    busy: claims
      .filter(({ claim }) => claim.kind === 'Busy' || isForestalled(claim))
      .map(({ recipient }) => recipient),
  }
}

const nothing: Delivery = {
  tried: [],
  known: [],
  leasesExpired: 0,
  unwritten: [],
  handedBack: 0,
  postponed: null,
  busy: [],
}

/** Claims are made when the destination queue reaches the job. Before that, no worker owns its recipients. */
async function attempt(
  job: DeliveryJob,
  content: Buffer,
  dependencies: Dependencies,
): Promise<{ claims: Claiming[]; tried: Tried[] }> {
  const claims = await withoutSettled(job, await claimAll(job, dependencies), dependencies)
  const claimed = claims.filter(({ claim }) => claim.kind === 'Claimed').map(({ recipient }) => recipient)
  return { claims, tried: claimed.length === 0 ? [] : await tryOnce(job, claimed, content, dependencies) }
}

interface Claiming {
  recipient: Recipient
  claim: Claim<Attempt | Forestalled>
}

async function claimAll(job: DeliveryJob, { claims, now, retentionDays }: Dependencies): Promise<Claiming[]> {
  const at = now()
  const expiresAt = expiryAfter(new Date(job.message.receivedAt), retentionDays * daySeconds)
  const unique = new Map(job.recipients.map((recipient) => [recipient.address, recipient]))
  return Promise.all(
    [...unique.values()].map(async (recipient) => ({
      recipient,
      claim: await claims.claim(keyOf(job, recipient), at, leaseMs, expiresAt),
    })),
  )
}

const isForestalled = (claim: Claiming['claim']): boolean =>
  claim.kind === 'Done' && claim.result.outcome === 'Forestalled'

const isDoubtful = (claim: Claiming['claim']): boolean =>
  isForestalled(claim) || (claim.kind === 'Claimed' && claim.leaseExpired)

/**
 * An expired lease means that no result was written, not that there was none. A cancelled attempt means that a worker
 * was about to settle the recipient, not that it did. The trace shows the state. It also shows whether the outcome
 * was decided: then another job continues with the recipient, and the outcome of a repeated attempt is overtaken.
 */
async function withoutSettled(
  { message, attempt }: DeliveryJob,
  claims: Claiming[],
  { trace }: Dependencies,
): Promise<Claiming[]> {
  const doubtful = claims.filter(({ claim }) => isDoubtful(claim))
  if (doubtful.length === 0) return claims
  const addresses = doubtful.map(({ recipient }) => recipient.address)
  const progress = await trace.progress(message.id, addresses)
  return claims.filter(({ recipient }) => {
    const { state, decided = '' } = progress.get(recipient.address) ?? {}
    return state !== 'Delivered' && state !== 'Bounced' && decided < positionOf(attempt, null)
  })
}

async function tryOnce(
  job: DeliveryJob,
  recipients: Recipient[],
  content: Buffer,
  { transmit, now }: Dependencies,
): Promise<Tried[]> {
  const begun = now()
  const { message, tls } = job
  const outcomes = await transmit(job.route, { message, recipients, content, tls })
  const timed = {
    number: job.attempt,
    at: begun.toISOString(),
    // A clock that was set back must not lose the outcome.
    durationMs: Math.max(0, now().getTime() - begun.getTime()),
  }
  return recipients.map((recipient) => {
    const outcome = outcomes.get(recipient.address)
    if (outcome === undefined) throw new Error(`no outcome for a recipient of ${message.id}`)
    return { recipient, attempt: { ...timed, ...outcome } }
  })
}

/** A result that cannot be written is still reported: only the report prevents a retry. */
async function writeDown(
  job: DeliveryJob,
  tried: readonly Tried[],
  { claims }: Dependencies,
): Promise<Error[]> {
  const written = await Promise.allSettled(
    tried.map(({ recipient, attempt }) => claims.complete(keyOf(job, recipient), attempt)),
  )
  return written.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []))
}

async function report(
  { message }: DeliveryJob,
  results: readonly Tried[],
  { trace, evaluation }: Dependencies,
): Promise<void> {
  const isDelivered = ({ attempt }: Tried) => attempt.outcome === 'Delivered'
  const recipients = results
    .filter((result) => !isDelivered(result) || wantsWordOfSuccess(result.recipient))
    .map(({ recipient, attempt }) => ({
      ...recipient,
      attempts: recipient.attempts + 1,
      lastAttempt: attempt,
    }))
  await evaluation.send(
    inParts(recipients).map((part) => ({ job: { message, recipients: part, notBefore: null } })),
  )
  // Last: a worker that finds an expired lease and `Delivered` in the trace treats everything as done.
  await Promise.all(
    results.filter(isDelivered).map(({ recipient }) => trace.recordDelivered(message.id, recipient.address)),
  )
}

/** RFC 3461 §4.1. evaluate-policy decides whether a DSN is sent. */
const wantsWordOfSuccess = ({ notify }: Recipient): boolean => notify?.includes('SUCCESS') ?? false

const keyOf = ({ message, attempt }: DeliveryJob, { address }: Recipient): ClaimKey =>
  attemptKey(message.id, address, attempt)
