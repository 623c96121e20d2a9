/**
 * Handles one job of bounce-message: claims the notification of each recipient, builds one DSN and sends it as a new
 * message.
 */
import { createHash } from 'node:crypto'
import { contentKey } from '../../shared/content/content-key.ts'
import { isContentDeleted } from '../../shared/content/content-reader.ts'
import { daySeconds } from '../../shared/contract/durations.ts'
import type { MailEvent } from '../../shared/contract/events.ts'
import type { BounceJob, EvaluationJob } from '../../shared/contract/jobs.ts'
import {
  basicEnvelope,
  type ContentReference,
  createOwnMessage,
  type Message,
  newRecipient,
} from '../../shared/contract/message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import { notifiedEvent } from '../../shared/events/mail-events.ts'
import { domainOf } from '../../shared/mail/address.ts'
import { buildDsn, type Dsn, dsnId } from '../../shared/mail/dsn/dsn.ts'
import { fitDsn } from '../../shared/mail/dsn/fit-dsn.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import { dsnKey } from '../../shared/messages/message-keys.ts'
import type { ReceivedMessage } from '../../shared/net/sender-authentication.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'
import type { DsnLimits } from './dsn-limits.ts'

/** Why a sender gets no DSN. */
export type SuppressionReason =
  /** Nothing identifies the sender, and only an identified sender gets a success DSN. */
  | 'SenderUnverified'
  /** The DSNs of the message would together be larger than the message. */
  | 'TooLarge'
  /** The sender's domain has got as many DSNs as it may get in an hour. */
  | 'Rate'

/** The stored result of a recipient's notification. */
export interface SentDsn {
  /** Message id of the DSN; null when none was sent. */
  dsn: string | null
  /** Set when none was sent. */
  suppressed?: SuppressionReason
  /** Time of the job that sent it, ISO 8601; absent in results of earlier releases. */
  at?: string
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
  limits: Pick<DsnLimits, 'sentOctets' | 'takeOctets' | 'takeRate' | 'takeQuery'>
  /** Whether SPF vouches for the sender. */
  passesSpf(message: ReceivedMessage): Promise<boolean>
}

/** Longer than the function may run. */
const leaseMs = 90_000

export interface BounceResult {
  /**
   * The DSN sent now, or why none is sent; null when earlier DSNs have reported all recipients, or for a null reverse
   * path.
   */
  sent: SentDsn | null
  /** Of the recipients that a DSN reports, now or earlier: the worker of an earlier one may have died before it sent them. */
  events: MailEvent[]
}

/**
 * @throws Error when another worker holds a claim: the job stays in the queue until that worker ends or its lease
 * expires
 */
export async function bounceJob(
  job: BounceJob,
  now: Date,
  dependencies: BounceDependencies,
): Promise<BounceResult> {
  if (job.message.envelope.mailFrom === '') return { sent: null, events: [] }
  const { unreported, reportedByDsn, reportedAt } = await claimAll(job, now, dependencies)
  const reportedBefore = [...reportedByDsn.values()].flat()
  const eventsOf = (reported: readonly ReportedRecipient[]): MailEvent[] =>
    reported.map((each) => {
      const at = reportedAt.get(each.recipient.address) ?? job.at
      return notifiedEvent(job.message, job.kind, at, each)
    })
  if (unreported.length === 0) return { sent: null, events: eventsOf(reportedBefore) }
  const earlierDsn = findEarlierDsn(job, unreported, reportedByDsn)
  const result: SentDsn =
    earlierDsn === null
      ? await sendDsn({ ...job, recipients: unreported }, now, dependencies)
      : { dsn: earlierDsn }
  for (const { recipient } of unreported)
    await dependencies.claims.complete(claimKeyOf(job, recipient.address), { ...result, at: job.at })
  const notified = result.dsn === null ? reportedBefore : [...reportedBefore, ...unreported]
  return { sent: earlierDsn === null ? result : null, events: eventsOf(notified) }
}

type ReportedRecipient = BounceJob['recipients'][number]

interface ClaimedRecipients {
  /** Recipients that no recorded DSN has reported. */
  unreported: ReportedRecipient[]
  /** The other recipients, by the id of the DSN that reported them. */
  reportedByDsn: Map<string, ReportedRecipient[]>
  /**
   * The times of their events, by address. A repeated decision makes another job with a later time, and the copies of an
   * event must have one time.
   */
  reportedAt: Map<string, string>
}

async function claimAll(
  job: BounceJob,
  now: Date,
  { claims, retentionDays }: BounceDependencies,
): Promise<ClaimedRecipients> {
  const expiresAt = expiryAfter(now, retentionDays * daySeconds)
  const claimed: ClaimedRecipients = { unreported: [], reportedByDsn: new Map(), reportedAt: new Map() }
  for (const reported of job.recipients) {
    const claim = await claims.claim(claimKeyOf(job, reported.recipient.address), now, leaseMs, expiresAt)
    if (claim.kind === 'Busy') throw new Error(`another worker is sending the DSN for ${job.message.id}`)
    if (claim.kind === 'Claimed') claimed.unreported.push(reported)
    else if (claim.result.dsn !== null) {
      const { dsn, at } = claim.result
      claimed.reportedByDsn.set(dsn, [...(claimed.reportedByDsn.get(dsn) ?? []), reported])
      if (at !== undefined) claimed.reportedAt.set(reported.recipient.address, at)
    }
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

async function sendDsn(job: BounceJob, now: Date, dependencies: BounceDependencies): Promise<SentDsn> {
  const dsn = await createDsn(job, now, dependencies)
  if (typeof dsn === 'string') return { dsn: null, suppressed: dsn }
  const content = await dependencies.store(dsn.id, dsn.octets)
  await dependencies.evaluation.send([{ job: evaluationJobOf(dsn, content, job, now) }])
  return { dsn: dsn.id }
}

async function createDsn(
  job: BounceJob,
  now: Date,
  dependencies: BounceDependencies,
): Promise<Dsn | SuppressionReason> {
  const { message } = job
  const whole = async () => buildDsn(job, dependencies.hostname, await readOriginal(job, dependencies))
  if (!isUnknownSender(message)) return whole()
  const limited = isSuccess(job) ? null : await limitedDsn(job, dependencies)
  const isEnough = limited?.isComplete && !job.returnsContent
  if (!isEnough && (await isVouchedFor(message, now, dependencies))) return whole()
  if (limited !== null) return takeLimits(limited, job, now, dependencies)
  return isSuccess(job) ? 'SenderUnverified' : 'TooLarge'
}

/** SPF is queried a limited number of times for a domain, because any client can cause the queries. */
async function isVouchedFor(
  message: Message & ReceivedMessage,
  now: Date,
  { limits, passesSpf }: BounceDependencies,
): Promise<boolean> {
  const expiresAt = expiryAfter(now, daySeconds)
  const isPermitted = await limits.takeQuery(senderDomain(message), message.source.ip, now, expiresAt)
  return isPermitted && passesSpf(message)
}

const senderDomain = ({ envelope }: Pick<Message, 'envelope'>): string => domainOf(envelope.mailFrom) ?? ''

const isSuccess = ({ kind }: BounceJob): boolean => kind === 'relayed' || kind === 'delivered'

/** Whether neither an `OnPremises` connector nor mailflow itself vouches for the sender. */
const isUnknownSender = (message: Message): message is Message & ReceivedMessage =>
  message.source !== null && message.attributedTo === null

interface LimitedDsn {
  dsn: Dsn
  /** Whether the DSN names every recipient. */
  isComplete: boolean
  /** For all DSNs of the message together. */
  maxOctets: number
}

/** The DSN for an unknown sender within what is left of the message's size; null when none fits. */
async function limitedDsn(
  job: BounceJob,
  { hostname, limits, readHeaders }: BounceDependencies,
): Promise<LimitedDsn | null> {
  const { message } = job
  const header = await unlessDenied(readHeaders(message.content))
  const maxOctets = message.size - receivedFieldOctets(header)
  const fitting = fitDsn(job, hostname, header, maxOctets - (await limits.sentOctets(message.id, dsnId(job))))
  return fitting && { ...fitting, maxOctets }
}

async function takeLimits(
  { dsn, maxOctets }: LimitedDsn,
  { message }: BounceJob,
  now: Date,
  { limits, retentionDays }: BounceDependencies,
): Promise<Dsn | 'TooLarge' | 'Rate'> {
  const expiresAt = expiryAfter(now, retentionDays * daySeconds)
  if (!(await limits.takeOctets(message.id, dsn.id, dsn.octets.length, maxOctets, expiresAt)))
    return 'TooLarge'
  const isWithinRate = await limits.takeRate(senderDomain(message), dsn.id, now, expiryAfter(now, daySeconds))
  return isWithinRate ? dsn : 'Rate'
}

/** The octets of the `Received` field that the ingress added: the first field with its folded lines. */
function receivedFieldOctets(header: Buffer | null): number {
  const [field = ''] = /^[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n/.exec(header?.toString('latin1') ?? '') ?? []
  return field.length
}

/**
 * Returns null when the content has been deleted or may not be read: a DSN without the returned content is better than
 * none (RFC 6522 §3). After another error a retry may read the content.
 */
async function unlessDenied<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading
  } catch (error) {
    if (isContentDeleted(error) || (error as Error).name === 'AccessDenied') return null
    throw error
  }
}

/** Returns null for a DSN without the content. */
async function readOriginal(
  { message: { content }, returnsContent = false }: BounceJob,
  { read, readHeaders, maxReturnedOctets }: BounceDependencies,
): Promise<Parameters<typeof buildDsn>[2]> {
  const isWhole = returnsContent && content.length <= maxReturnedOctets
  const octets = await unlessDenied(isWhole ? read(content) : readHeaders(content))
  return octets && { kind: isWhole ? 'Message' : 'Headers', octets }
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
  const { id, headerMessageId } = dsn
  const message = createOwnMessage({ id, madeAt: now, envelope, headerMessageId, content })
  return { message, recipients: [newRecipient(address)], notBefore: null }
}

/**
 * Returns the location of a DSN. Two workers may build the DSN at different times, with different octets under one id,
 * so the key also depends on the octets.
 */
export function contentReference(bucket: string, id: string, octets: Buffer): ContentReference {
  const sha256 = createHash('sha256').update(octets).digest('hex')
  return {
    bucket,
    key: contentKey('dsn', `${id}-${sha256.slice(0, 16)}`),
    offset: 0,
    length: octets.length,
    sha256,
  }
}
