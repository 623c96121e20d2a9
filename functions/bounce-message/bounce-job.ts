/** What bounce-message does with one job: claim the notifications, build one DSN, hand it in as a new message. */
import { createHash } from 'node:crypto'
import { daySeconds } from '../../shared/contract/durations.ts'
import type { BounceJob, EvaluationJob } from '../../shared/contract/jobs.ts'
import { type ContentReference, ownMessage, plainEnvelope, untried } from '../../shared/contract/message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import { buildDsn, type Dsn, dsnId } from '../../shared/mail/dsn/dsn.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import { dsnKey } from '../../shared/messages/keys.ts'
import type { Sender } from '../../shared/queues/job-queue.ts'

/** What is kept of a DSN once it is on its way. */
export interface Sent {
  /** Message id of the DSN. */
  dsn: string
}

export interface Dependencies {
  claims: Claims<Sent>
  evaluation: Sender<EvaluationJob>
  /** The header section of a stored message. */
  readHeaders(content: ContentReference): Promise<Buffer>
  /** The whole of it. */
  read(content: ContentReference): Promise<Buffer>
  /** Octets; of a larger message only the headers come back, whatever RET asks. */
  maximumReturnedSize: number
  /** Stores octets for a message and says where they lie. */
  store(id: string, octets: Buffer): Promise<ContentReference>
  hostname: string
  retentionDays: number
}

/** Longer than the function may run. */
const leaseMs = 90_000

/**
 * @returns the id of the DSN sent; null when every recipient's notification had been sent before, or when there is
 * nobody to send it to
 * @throws Error when another worker is at it: the job stays in the queue until that one is done or dead
 */
export async function bounceJob(
  job: BounceJob,
  now: Date,
  dependencies: Dependencies,
): Promise<string | null> {
  if (job.message.envelope.mailFrom === '') return null
  const { mine, sent } = await claimAll(job, now, dependencies)
  if (mine.length === 0) return null
  const earlier = coveringDsn(job, mine, sent)
  const dsn = earlier ?? (await sendDsn({ ...job, recipients: mine }, now, dependencies))
  for (const { recipient } of mine) await dependencies.claims.complete(keyOf(job, recipient.address), { dsn })
  return earlier === null ? dsn : null
}

type Reported = BounceJob['recipients'][number]

interface Claimed {
  /** Nobody is known to have told the sender of these. */
  mine: Reported[]
  /** The others, by the DSN that reported them. */
  sent: Map<string, Reported[]>
}

async function claimAll(
  job: BounceJob,
  now: Date,
  { claims, retentionDays }: Dependencies,
): Promise<Claimed> {
  const expiresAt = expiryAfter(now, retentionDays * daySeconds)
  const claimed: Claimed = { mine: [], sent: new Map() }
  for (const reported of job.recipients) {
    const claim = await claims.claim(keyOf(job, reported.recipient.address), now, leaseMs, expiresAt)
    if (claim.kind === 'Busy') throw new Error(`another worker is sending the DSN for ${job.message.id}`)
    if (claim.kind === 'Claimed') claimed.mine.push(reported)
    else claimed.sent.set(claim.result.dsn, [...(claimed.sent.get(claim.result.dsn) ?? []), reported])
  }
  return claimed
}

/**
 * A worker that died between two completions leaves recipients open that its DSN had reported. The id tells: it
 * follows from the recipients, so it is the one of these and those together; or of all in the job, of whom others may
 * have been told by another DSN meanwhile.
 */
function coveringDsn(job: BounceJob, mine: readonly Reported[], sent: Claimed['sent']): string | null {
  const ofAll = dsnId(job)
  for (const [id, others] of sent)
    if (id === ofAll || id === dsnId({ ...job, recipients: [...others, ...mine] })) return id
  return null
}

async function sendDsn(job: BounceJob, now: Date, dependencies: Dependencies): Promise<string> {
  const dsn = buildDsn(job, dependencies.hostname, await originalOf(job, dependencies))
  const content = await dependencies.store(dsn.id, dsn.octets)
  await dependencies.evaluation.send([{ job: evaluationOf(dsn, content, job, now) }])
  return dsn.id
}

/** Content is not kept for ever. A DSN without it still says what happened. */
async function originalOf(
  { message: { content }, returnsContent = false }: BounceJob,
  { read, readHeaders, maximumReturnedSize }: Dependencies,
): Promise<Parameters<typeof buildDsn>[2]> {
  const whole = returnsContent && content.length <= maximumReturnedSize
  try {
    return whole
      ? { kind: 'Message', octets: await read(content) }
      : { kind: 'Headers', octets: await readHeaders(content) }
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return null
    throw error
  }
}

const keyOf = ({ message, kind }: BounceJob, address: string) => dsnKey(message.id, address, kind)

function evaluationOf(dsn: Dsn, content: ContentReference, job: BounceJob, now: Date): EvaluationJob {
  const address = job.message.envelope.mailFrom
  const envelope = {
    ...plainEnvelope(''),
    smtpUtf8: dsn.smtpUtf8,
    eightBitMime: dsn.eightBit,
    requireTls: job.message.envelope.requireTls,
  }
  const message = ownMessage({ id: dsn.id, madeAt: now, envelope, content })
  return { message, recipients: [untried(address)], notBefore: null }
}

/**
 * Where a DSN lies. Two workers may build it at different times, with different octets under one id, so the key
 * is also the octets'.
 */
export function contentReference(bucket: string, id: string, octets: Buffer): ContentReference {
  const sha256 = createHash('sha256').update(octets).digest('hex')
  return { bucket, key: `dsn/${id}-${sha256.slice(0, 16)}`, offset: 0, length: octets.length, sha256 }
}
