/** What bounce-message does with one job: claim the notifications, build one DSN, hand it in as a new message. */
import { createHash } from 'node:crypto'
import type { BounceJob, EvaluationJob } from '../../shared/contract/jobs.ts'
import { type ContentReference, type Message, plaintext } from '../../shared/contract/message.ts'
import { buildDsn, type Dsn } from '../../shared/mail/dsn.ts'
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
  readHeaders(content: ContentReference): Promise<string>
  /** Stores octets for a message and says where they lie. */
  store(id: string, octets: Buffer): Promise<ContentReference>
  hostname: string
  retentionDays: number
}

/** Longer than the function may run. */
const leaseMs = 90_000

/**
 * @returns the DSN, or null when every recipient's notification had been sent before
 * @throws Error when another worker is at it: the job stays in the queue until that one is done or dead
 */
export async function bounceJob(job: BounceJob, now: Date, dependencies: Dependencies): Promise<Dsn | null> {
  const recipients = await claimed(job, now, dependencies)
  if (recipients.length === 0) return null
  const headers = await dependencies.readHeaders(job.message.content)
  const dsn = await buildDsn({ ...job, recipients }, dependencies.hostname, headers)
  const content = await dependencies.store(dsn.id, dsn.octets)
  await dependencies.evaluation.send([{ job: evaluationOf(dsn, content, job, now) }])
  for (const { recipient } of recipients)
    await dependencies.claims.complete(dsnKey(job.message.id, recipient.address, job.kind), { dsn: dsn.id })
  return dsn
}

async function claimed(job: BounceJob, now: Date, { claims, retentionDays }: Dependencies) {
  const expiresAt = Math.floor(now.getTime() / 1000) + retentionDays * 86_400
  const mine: BounceJob['recipients'] = []
  for (const reported of job.recipients) {
    const key = dsnKey(job.message.id, reported.recipient.address, job.kind)
    const claim = await claims.claim(key, now, leaseMs, expiresAt)
    if (claim.kind === 'Busy') throw new Error(`another worker is sending the DSN for ${job.message.id}`)
    if (claim.kind === 'Claimed') mine.push(reported)
  }
  return mine
}

function evaluationOf(dsn: Dsn, content: ContentReference, job: BounceJob, now: Date): EvaluationJob {
  const address = job.message.envelope.mailFrom
  const message: Message = {
    id: dsn.id,
    receivedAt: now.toISOString(),
    source: null,
    direction: 'Originating',
    attributedTo: null,
    tls: plaintext,
    envelope: {
      mailFrom: '',
      // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is asked about
      smtpUtf8: /[^\x00-\x7f]/.test(address),
      eightBitMime: false,
      requireTls: job.message.envelope.requireTls,
      dsn: { ret: null, envid: null },
    },
    size: dsn.octets.length,
    content,
  }
  const recipient = {
    address,
    notify: null,
    orcpt: null,
    attempts: 0,
    lastAttempt: null,
    delayNotified: false,
  }
  return { message, recipients: [recipient], notBefore: null }
}

export function contentReference(bucket: string, key: string, octets: Buffer): ContentReference {
  const sha256 = createHash('sha256').update(octets).digest('hex')
  return { bucket, key, offset: 0, length: octets.length, sha256 }
}
