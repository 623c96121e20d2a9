/**
 * What deliver-message does with one job: claim, try once, write down what came of it, report. The result is
 * written straight after the next hop's reply and before anything else, since from its 250 on a second try would
 * be a second copy.
 */
import { daySeconds, minuteMs } from '../../shared/contract/durations.ts'
import { type DeliveryJob, inParts } from '../../shared/contract/jobs.ts'
import type { Attempt, ContentReference, Recipient } from '../../shared/contract/message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claim, ClaimKey, Claims, Forestalled } from '../../shared/messages/claims.ts'
import { attemptKey } from '../../shared/messages/keys.ts'
import { positionOf, type Trace } from '../../shared/messages/trace.ts'
import { deliverNowhere, type Mail, type Outcomes } from '../../shared/net/smtp-delivery.ts'
import { type Dependencies as Outdating, withoutOutdated } from './outdated.ts'
import { givenUp, type Dependencies as Postponing, postpone, type Reason } from './postpone.ts'

export interface Dependencies extends Postponing, Outdating {
  claims: Claims<Attempt | Forestalled>
  trace: Trace
  /** The message's octets, proven to be those that were stored. */
  read(reference: ContentReference): Promise<Buffer>
  /** Tries once; never throws for what a next hop does. */
  transmit(route: DeliveryJob['route'], mail: Mail): Promise<Outcomes>
  /** Does the work when it is its turn at the destination, or says why it cannot be done now. */
  inTurn<T>(work: () => Promise<T>): Promise<T | Reason>
  /** Of the connectors as they are. */
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
  /** Made now. */
  tried: Tried[]
  /** Made before, by a worker that may have died before it reported; reported again. */
  known: Tried[]
  /** Attempts among `tried` that somebody began before and was never heard of again. */
  leasesExpired: number
  /** Recipients whose result could not be written down; they are reported all the same. */
  unwritten: Error[]
  /** Recipients handed back, since connectors have changed since they were decided upon. */
  handedBack: number
  /** Why the job went back to its queue with nothing begun. */
  postponed: Reason | null
  /** Recipients that somebody else is trying or about to settle: the job has to come back for them. */
  busy: Recipient[]
}

/** Longer than a function can run, so that a claim outlives its worker and never the other way round. */
export const leaseMs = 6 * minuteMs

/**
 * Octets up to which a message is read before its turn, so that it is at hand. Whoever sends ten large ones to a
 * destination that hangs would else have all of them in memory, for as long as it hangs.
 */
export const readAhead = 1024 * 1024

/**
 * Content is read before anything is claimed, so that a store that fails leaves no lease behind.
 * @throws when content, claims or the queue fail; the job then comes back
 */
export async function deliverJob(given: DeliveryJob, dependencies: Dependencies): Promise<Delivery> {
  const recipients = await withoutOutdated(given, dependencies.connectorsVersion, dependencies)
  const handedBack = given.recipients.length - recipients.length
  if (recipients.length === 0) return { ...nothing, handedBack }
  const job = { ...given, recipients }
  const { content } = job.message
  const ahead = content.length <= readAhead ? await dependencies.read(content) : null
  let begun = await dependencies.inTurn(async () =>
    attempt(job, ahead ?? (await dependencies.read(content)), dependencies),
  )
  if (typeof begun === 'string') {
    const answer = givenUp(job, begun)
    if (answer === null) {
      await postpone(job, begun, dependencies)
      return { ...nothing, handedBack, postponed: begun }
    }
    const transmit: Dependencies['transmit'] = async (_, mail) => deliverNowhere(mail, answer)
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

/** Claims are taken in the job's turn: what waits for it is nobody's yet. */
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
 * A lease that ran out says that a result was not written, not that there is none; a forestalled attempt, that
 * somebody was about to settle the recipient, not that it was done. The trace tells. It also tells whether the outcome
 * was decided upon: then another job carries the recipient on, and the outcome of a repeated attempt is overtaken.
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
    // A clock that was set back meanwhile is no reason to lose the outcome.
    durationMs: Math.max(0, now().getTime() - begun.getTime()),
  }
  return recipients.map((recipient) => {
    const outcome = outcomes.get(recipient.address)
    if (outcome === undefined) throw new Error(`no outcome for a recipient of ${message.id}`)
    return { recipient, attempt: { ...timed, ...outcome } }
  })
}

/** A result that cannot be written is no reason to hold back its report: the report is what keeps it from a retry. */
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
  // Only now: who finds a lease that ran out and `Delivered` in the trace takes everything for done.
  await Promise.all(
    results.filter(isDelivered).map(({ recipient }) => trace.recordDelivered(message.id, recipient.address)),
  )
}

/** RFC 3461 §4.1. Whether the sender is told is decided where everything is. */
const wantsWordOfSuccess = ({ notify }: Recipient): boolean => notify?.includes('SUCCESS') ?? false

const keyOf = ({ message, attempt }: DeliveryJob, { address }: Recipient): ClaimKey =>
  attemptKey(message.id, address, attempt)
