/**
 * Authenticates the message of one job and returns the job for its evaluation. While the content cannot be read, the job
 * is retried like every job. A message whose authentication fails or ends its worker goes on without results, because
 * accepted mail must not stop.
 */
import { randomUUID } from 'node:crypto'
import type { MessageOctets } from '../../shared/authentication/authenticate-message.ts'
import { isContentDeleted } from '../../shared/content/content-reader.ts'
import type { MessageAuthentication } from '../../shared/contract/authentication.ts'
import { asError } from '../../shared/contract/error-message.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import type { ContentReference, Message } from '../../shared/contract/message.ts'
import { domainOf } from '../../shared/mail/address.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import { authenticationKey } from '../../shared/messages/message-keys.ts'
import type { Trace } from '../../shared/messages/trace.ts'
import { traceExpiry } from '../../shared/messages/trace-expiry.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'

/** A message with a client. */
export type ReceivedMessage = Message & { source: NonNullable<Message['source']> }

export interface AuthenticateDependencies {
  evaluation: JobSender<EvaluationJob>
  claims: Claims<AuthenticationRecord>
  read(reference: ContentReference): Promise<MessageOctets>
  trace: Pick<Trace, 'isErased'>
  /** Rejects only when the octets cannot be read, or because of a fault in the code. */
  authenticate(message: ReceivedMessage, octets: MessageOctets): Promise<MessageAuthentication>
  hostname: string
  now(): Date
  retentionDays: number
}

/** The result of a claimed authentication. */
export interface AuthenticationRecord {
  outcome: 'Ended' | 'WorkerDied'
}

/** Why a message goes on without results. */
export type FailureReason = 'ContentDeleted' | 'Failed' | 'WorkerDied'

export type AuthenticatedJob =
  | { kind: 'Authenticated'; authentication: MessageAuthentication }
  | { kind: 'NoResults'; reason: FailureReason; error?: Error }
  /** The message needs none, such as a DSN. */
  | { kind: 'NotReceived' }
  /** The job was received again after an erasure, and is not evaluated. */
  | { kind: 'Erased' }

/** Longer than the function can run. */
const leaseMs = 180_000

/**
 * @param receives number of times that the job was received, from 1
 * @throws Error when the content cannot be read, the queue fails, or another worker authenticates the message; the job is
 * then retried
 */
export async function authenticateJob(
  job: EvaluationJob,
  receives: number,
  dependencies: AuthenticateDependencies,
): Promise<AuthenticatedJob> {
  const { message } = job
  if (!isReceived(message)) {
    await dependencies.evaluation.send([{ job }])
    return { kind: 'NotReceived' }
  }
  const run = () => authenticate(message, dependencies)
  // The first receive needs no claim.
  const result = receives === 1 ? await run() : await runClaimed(message, run, dependencies)
  if (isContentMissing(result) && (await dependencies.trace.isErased(message.id))) return { kind: 'Erased' }
  const authentication =
    result.kind === 'Authenticated' ? result.authentication : temporaryError(message, dependencies)
  await dependencies.evaluation.send([{ job: { ...job, message: { ...message, authentication } } }])
  return result
}

const isReceived = (message: Message): message is ReceivedMessage => message.source !== null

type Result = Exclude<AuthenticatedJob, { kind: 'NotReceived' | 'Erased' }>

const isContentMissing = (result: Result): boolean =>
  result.kind === 'NoResults' && result.reason === 'ContentDeleted'

/** A claim whose lease has expired shows that the message, and no outage of AWS, ended a worker. */
async function runClaimed(
  message: ReceivedMessage,
  run: () => Promise<Result>,
  { claims, now, retentionDays }: AuthenticateDependencies,
): Promise<Result> {
  const key = authenticationKey(message.id)
  const holder = randomUUID()
  const claim = await claims.claim(key, now(), leaseMs, traceExpiry(message, retentionDays), holder)
  if (claim.kind === 'Busy') throw new Error(`another worker authenticates ${message.id}`)
  if (claim.kind === 'Done') return claim.result.outcome === 'WorkerDied' ? workerDied : run()
  try {
    const result = claim.leaseExpired ? workerDied : await run()
    await claims.complete(key, { outcome: claim.leaseExpired ? 'WorkerDied' : 'Ended' })
    return result
  } catch (error) {
    await claims.release(key, holder)
    throw error
  }
}

const workerDied: Result = { kind: 'NoResults', reason: 'WorkerDied' }

/** @throws Error when the content cannot be read */
async function authenticate(
  message: ReceivedMessage,
  { read, authenticate }: AuthenticateDependencies,
): Promise<Result> {
  let readError: unknown = null
  const onError = (error: unknown): never => {
    readError = error
    throw error
  }
  try {
    const octets = await read(message.content).catch(onError)
    const observed = Buffer.isBuffer(octets) ? octets : observeErrors(octets, onError)
    return { kind: 'Authenticated', authentication: await authenticate(message, observed) }
  } catch (error) {
    if (readError === null) return { kind: 'NoResults', reason: 'Failed', error: asError(error) }
    if (isContentDeleted(readError)) return { kind: 'NoResults', reason: 'ContentDeleted' }
    throw readError
  }
}

async function* observeErrors(
  octets: AsyncIterable<Buffer>,
  onError: (error: unknown) => never,
): AsyncGenerator<Buffer> {
  try {
    yield* octets
  } catch (error) {
    onError(error)
  }
}

/** A connector that requires DMARC holds a message with this result; others let it pass. */
const temporaryError = (
  { envelope: { mailFrom }, source: { helo } }: ReceivedMessage,
  { hostname, now }: AuthenticateDependencies,
): MessageAuthentication => ({
  at: now().toISOString(),
  internal: null,
  spf: { result: 'temperror', domain: domainOf(mailFrom) ?? helo },
  dkim: [],
  dmarc: { result: 'temperror', fromDomain: null, policy: null, alignedBy: [] },
  arc: null,
  fields: `Authentication-Results: ${hostname}; dmarc=temperror (the message could not be authenticated)\r\n`,
})
