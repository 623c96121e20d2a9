/** Handles one job of bounce-message: claims the notifications, builds one DSN and sends it as a new message. */
import { createHash } from 'node:crypto'
import { daySeconds } from '../../shared/contract/durations.ts'
import type { BounceJob, EvaluationJob } from '../../shared/contract/jobs.ts'
import { type ContentReference, ownMessage, plainEnvelope, untried } from '../../shared/contract/message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import { buildDsn, type Dsn, dsnId } from '../../shared/mail/dsn/dsn.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import { dsnKey } from '../../shared/messages/keys.ts'
import type { Sender } from '../../shared/queues/job-queue.ts'

/** The stored result of a notification. */
export interface Sent {
  /** Message id of the DSN. */
  dsn: string
}

export interface Dependencies {
  claims: Claims<Sent>
  evaluation: Sender<EvaluationJob>
  /** Reads the header section of a stored message. */
  readHeaders(content: ContentReference): Promise<Buffer>
  /** Reads the whole message. */
  read(content: ContentReference): Promise<Buffer>
  /** Octets; a larger message is returned as headers only, even if RET=FULL was given. */
  maxReturnedOctets: number
  /** Stores a message's octets and returns where they are. */
  store(id: string, octets: Buffer): Promise<ContentReference>
  hostname: string
  retentionDays: number
}

/** Longer than the function may run. */
const leaseMs = 90_000

/**
 * @returns the id of the DSN sent; null when all notifications had been sent before, or when the reverse path is null
 * @throws Error when another worker holds a claim: the job stays in the queue until that worker ends or its lease
 * expires
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
  /** Recipients without a known notification. */
  mine: Reported[]
  /** The other recipients by the DSN that reported them. */
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
 * Finds an earlier DSN that already reported these recipients, since a worker may have died between two completions.
 * The DSN's id depends on its recipients: it covered either these and the completed ones, or the whole job, of which
 * other DSNs may have reported some recipients in the meantime.
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

/** Content is deleted after a time. A DSN without it still reports the failure. */
async function originalOf(
  { message: { content }, returnsContent = false }: BounceJob,
  { read, readHeaders, maxReturnedOctets }: Dependencies,
): Promise<Parameters<typeof buildDsn>[2]> {
  const whole = returnsContent && content.length <= maxReturnedOctets
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
 * Returns where a DSN is stored. Two workers may build it at different times with different octets under one id, so the
 * key also depends on the octets.
 */
export function contentReference(bucket: string, id: string, octets: Buffer): ContentReference {
  const sha256 = createHash('sha256').update(octets).digest('hex')
  return { bucket, key: `dsn/${id}-${sha256.slice(0, 16)}`, offset: 0, length: octets.length, sha256 }
}
