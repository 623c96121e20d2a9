/**
 * Handles a notice in evaluate-policy: stores its certificate for administrators, and publishes the notice once for each connector, certificate, effect on mail and day. So a
 * changed effect causes one more notice, also if effects alternate. If publishing fails, the notice is sent to the queue
 * again as a new job. So while the SNS topic is down, no notice goes to the dead-letter queue, which mail shares.
 */
import { daySeconds } from '../../shared/contract/durations.ts'
import type { CertificateNotice } from '../../shared/contract/jobs.ts'
import { effectOf } from '../../shared/contract/notice-groups.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import type { DailyNoticeLimit } from '../../shared/messages/daily-notice-limit.ts'
import { noticeKey } from '../../shared/messages/message-keys.ts'
import type { UnknownCertificateStore } from '../../shared/messages/unknown-certificate-store.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'
import type { Announcement } from '../../shared/queues/topic-publisher.ts'
import type { ObservedList } from '../../shared/transport/observed-list.ts'
import { formatNotice } from './notice-text.ts'

export interface NoticeDependencies {
  dailyLimit: Pick<DailyNoticeLimit, 'allows'>
  claims: Claims<PublishedNotice>
  observedCertificates: Pick<ObservedList, 'lastAccepted'>
  unknownCertificates: Pick<UnknownCertificateStore, 'recordDismissed' | 'record' | 'recordNotice'>
  /** @returns the SNS message id */
  publish(announcement: Announcement): Promise<string>
  evaluation: JobSender<CertificateNotice>
}

export interface PublishedNotice {
  published: string
}

export type NoticeResult =
  /** `accepted`: fingerprint of the last accepted certificate, or null. */
  | { kind: 'Published'; id: string; accepted: string | null }
  /** An administrator dismissed the certificate. It is not published, and uses up no limit. */
  | { kind: 'Dismissed' }
  /** The notice, or one with the same effect on mail, was already published today. */
  | { kind: 'Known' }
  /** Another worker is publishing the notice. If that worker dies, its job is retried. */
  | { kind: 'Busy' }
  /** The day's limit of notices is reached. */
  | { kind: 'TooMany' }
  /** Publishing failed. The notice is retried (`Later`), or given up after a day. */
  | { kind: 'Later' | 'GivenUp'; cause: unknown }

/** Longer than publishing takes. */
const leaseMs = 30_000

const retryDelaySeconds = 900
/** Limit of attempts to publish a notice. One attempt every quarter of an hour makes 96 attempts a day. */
const maxFailures = 96

const ttlSeconds = 3 * daySeconds

/** @throws Error when a table fails, or the notice cannot be sent to the queue again */
export async function publishNotice(
  notice: CertificateNotice,
  now: Date,
  { dailyLimit, claims, observedCertificates, unknownCertificates, publish, evaluation }: NoticeDependencies,
): Promise<NoticeResult> {
  const connector = notice.connector.id
  const { fingerprint256 } = notice.presented
  const day = now.toISOString().slice(0, 10)
  const expiresAt = expiryAfter(now, ttlSeconds)
  if (await unknownCertificates.recordDismissed(notice, now)) return { kind: 'Dismissed' }
  if (!(await dailyLimit.allows(notice, day, expiresAt))) return { kind: 'TooMany' }
  const lastAccepted = await observedCertificates.lastAccepted(connector, now)
  await unknownCertificates.record(notice, lastAccepted, now)
  const key = noticeKey(connector, fingerprint256, effectOf(notice), day)
  const claim = await claims.claim(key, now, leaseMs, expiresAt)
  if (claim.kind === 'Done') return { kind: 'Known' }
  if (claim.kind === 'Busy') return { kind: 'Busy' }
  const announcement = formatNotice(notice, lastAccepted)
  let id: string
  try {
    id = await publish(announcement)
  } catch (cause) {
    return requeueNotice(notice, cause, evaluation)
  }
  await claims.complete(key, { published: id })
  await unknownCertificates.recordNotice(notice, now)
  return { kind: 'Published', id, accepted: lastAccepted?.fingerprint256 ?? null }
}

async function requeueNotice(
  notice: CertificateNotice,
  cause: unknown,
  evaluation: JobSender<CertificateNotice>,
): Promise<NoticeResult> {
  const failures = notice.failures + 1
  if (failures >= maxFailures) return { kind: 'GivenUp', cause }
  await evaluation.send([{ job: { ...notice, failures }, delaySeconds: retryDelaySeconds }])
  return { kind: 'Later', cause }
}
