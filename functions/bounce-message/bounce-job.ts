/**
 * Handles one job of bounce-message: claims the notification of each recipient, builds one DSN and sends it as a new
 * message.
 */
import { createHash } from 'node:crypto'
import { daySeconds } from '../../shared/contract/durations.ts'
import type { BounceJob, EvaluationJob } from '../../shared/contract/jobs.ts'
import {
  basicEnvelope,
  type ContentReference,
  createOwnMessage,
  newRecipient,
} from '../../shared/contract/message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import { buildDsn, type Dsn, dsnId } from '../../shared/mail/dsn/dsn.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import { dsnKey } from '../../shared/messages/message-keys.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'

/** The stored result of a recipient's notification. */
export interface SentDsn {
  /** Message id of the DSN. */
  dsn: string
}

export interface BounceDependencies {
  claims: Claims<SentDsn>
  evaluation: JobSender<EvaluationJob>
  /** Reads the header section of a stored message. */
  readHeaders(content: ContentReference): Promise<Buffer>
  /** Reads the whole message. */
  read(content: ContentReference): Promise<Buffer>
  /**
   * The size of the largest message that a DSN returns whole. Of a larger message a DSN returns only the headers, even
   * if the sender requested the whole message by RET=FULL.
   */
  maxReturnedOctets: number
  /** Stores a message's octets and returns their location. */
  store(id: string, octets: Buffer): Promise<ContentReference>
  hostname: string
  retentionDays: number
}

/** Longer than the function may run. */
const leaseMs = 90_000

/**
 * @returns the id of the DSN sent now; null when earlier DSNs have reported all recipients, or for a null reverse path
 * @throws Error when another worker holds a claim: the job stays in the queue until that worker ends or its lease
 * expires
 */
export async function bounceJob(
  job: BounceJob,
  now: Date,
  dependencies: BounceDependencies,
): Promise<string | null> {
  if (job.message.envelope.mailFrom === '') return null
  const { unreported, reportedByDsn } = await claimAll(job, now, dependencies)
  if (unreported.length === 0) return null
  const earlierDsn = findEarlierDsn(job, unreported, reportedByDsn)
  const dsn = earlierDsn ?? (await sendDsn({ ...job, recipients: unreported }, now, dependencies))
  for (const { recipient } of unreported)
    await dependencies.claims.complete(claimKeyOf(job, recipient.address), { dsn })
  return earlierDsn === null ? dsn : null
}

type ReportedRecipient = BounceJob['recipients'][number]

interface ClaimedRecipients {
  /** Recipients that no recorded DSN has reported. */
  unreported: ReportedRecipient[]
  /** The other recipients, by the id of the DSN that reported them. */
  reportedByDsn: Map<string, ReportedRecipient[]>
}

async function claimAll(
  job: BounceJob,
  now: Date,
  { claims, retentionDays }: BounceDependencies,
): Promise<ClaimedRecipients> {
  const expiresAt = expiryAfter(now, retentionDays * daySeconds)
  const claimed: ClaimedRecipients = { unreported: [], reportedByDsn: new Map() }
  for (const reported of job.recipients) {
    const claim = await claims.claim(claimKeyOf(job, reported.recipient.address), now, leaseMs, expiresAt)
    if (claim.kind === 'Busy') throw new Error(`another worker is sending the DSN for ${job.message.id}`)
    if (claim.kind === 'Claimed') claimed.unreported.push(reported)
    else
      claimed.reportedByDsn.set(claim.result.dsn, [
        ...(claimed.reportedByDsn.get(claim.result.dsn) ?? []),
        reported,
      ])
  }
  return claimed
}

/**
 * Returns the id of an earlier DSN that has already reported the `unreported` recipients; null when there is none. Such
 * a DSN exists when its worker died after it had completed only some of the claims. The id of a DSN is computed from
 * its recipients, so it shows which recipients the DSN reported. There are two cases: the `unreported` recipients and
 * the recipients whose claims name the DSN, or all recipients of the job. In the second case, another DSN may have
 * reported some of them in the meantime.
 */
function findEarlierDsn(
  job: BounceJob,
  unreported: readonly ReportedRecipient[],
  reportedByDsn: ClaimedRecipients['reportedByDsn'],
): string | null {
  const idOfAll = dsnId(job)
  for (const [id, reported] of reportedByDsn)
    if (id === idOfAll || id === dsnId({ ...job, recipients: [...reported, ...unreported] })) return id
  return null
}

async function sendDsn(job: BounceJob, now: Date, dependencies: BounceDependencies): Promise<string> {
  const dsn = buildDsn(job, dependencies.hostname, await readOriginal(job, dependencies))
  const content = await dependencies.store(dsn.id, dsn.octets)
  await dependencies.evaluation.send([{ job: evaluationJobOf(dsn, content, job, now) }])
  return dsn.id
}

/** Returns null when the content has been deleted; the DSN is then sent without the content. */
async function readOriginal(
  { message: { content }, returnsContent = false }: BounceJob,
  { read, readHeaders, maxReturnedOctets }: BounceDependencies,
): Promise<Parameters<typeof buildDsn>[2]> {
  const isWhole = returnsContent && content.length <= maxReturnedOctets
  try {
    return isWhole
      ? { kind: 'Message', octets: await read(content) }
      : { kind: 'Headers', octets: await readHeaders(content) }
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return null
    throw error
  }
}

const claimKeyOf = ({ message, kind }: BounceJob, address: string) => dsnKey(message.id, address, kind)

function evaluationJobOf(dsn: Dsn, content: ContentReference, job: BounceJob, now: Date): EvaluationJob {
  const address = job.message.envelope.mailFrom
  const envelope = {
    ...basicEnvelope(''),
    smtpUtf8: dsn.smtpUtf8,
    eightBitMime: dsn.eightBit,
    requireTls: job.message.envelope.requireTls,
  }
  const message = createOwnMessage({ id: dsn.id, madeAt: now, envelope, content })
  return { message, recipients: [newRecipient(address)], notBefore: null }
}

/**
 * Returns the location of a DSN. Two workers may build the DSN at different times, with different octets under one id,
 * so the key also depends on the octets.
 */
export function contentReference(bucket: string, id: string, octets: Buffer): ContentReference {
  const sha256 = createHash('sha256').update(octets).digest('hex')
  return { bucket, key: `dsn/${id}-${sha256.slice(0, 16)}`, offset: 0, length: octets.length, sha256 }
}
