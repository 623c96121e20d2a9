/**
 * Handles a notice in evaluate-policy: publishes it once for each connector, certificate and day. If publishing fails,
 * the notice is sent to the queue again as a new job. A topic that is down must put nothing into the dead-letter queue
 * of mail.
 */
import { daySeconds } from '../../shared/contract/durations.ts'
import type { CertificateNotice } from '../../shared/contract/jobs.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import { noticeKey } from '../../shared/messages/keys.ts'
import type { NoticeDays } from '../../shared/messages/notice-days.ts'
import type { Sender } from '../../shared/queues/job-queue.ts'
import type { Announcement } from '../../shared/queues/topic.ts'
import type { ObservedList } from '../../shared/transport/observed-list.ts'
import { announce } from './notice-text.ts'

export interface NoticeDependencies {
  days: Pick<NoticeDays, 'admits'>
  claims: Claims<Published>
  accepted: Pick<ObservedList, 'lastAccepted'>
  /** @returns the SNS message id */
  publish(announcement: Announcement): Promise<string>
  evaluation: Sender<CertificateNotice>
}

export interface Published {
  published: string
}

export type Raised =
  /** `accepted`: fingerprint of the last accepted certificate, or null. */
  | { kind: 'Published'; id: string; accepted: string | null }
  /** It was published today. */
  | { kind: 'Known' }
  /** Another worker is publishing it. If that worker dies, its own job returns to the queue. */
  | { kind: 'Busy' }
  /** The day's limit of notices is reached. */
  | { kind: 'TooMany' }
  /** Publishing failed: it is tried again, or given up after a day. */
  | { kind: 'Later' | 'GivenUp'; cause: unknown }

/** Longer than publishing can take. */
const leaseMs = 30_000

const pauseSeconds = 900
/** One day of retries. */
const maxFailures = 96

const keptSeconds = 3 * daySeconds

/** @throws Error when the claim cannot be read, or the notice cannot be sent to the queue again */
export async function raiseNotice(
  notice: CertificateNotice,
  now: Date,
  { days, claims, accepted, publish, evaluation }: NoticeDependencies,
): Promise<Raised> {
  const connector = notice.connector.id
  const { fingerprint256 } = notice.presented
  const day = now.toISOString().slice(0, 10)
  const expiresAt = expiryAfter(now, keptSeconds)
  if (!(await days.admits(notice, day, expiresAt))) return { kind: 'TooMany' }
  const key = noticeKey(connector, fingerprint256, day)
  const claim = await claims.claim(key, now, leaseMs, expiresAt)
  if (claim.kind === 'Done') return { kind: 'Known' }
  if (claim.kind === 'Busy') return { kind: 'Busy' }
  const known = await accepted.lastAccepted(connector, now)
  const announcement = announce(notice, known)
  let id: string
  try {
    id = await publish(announcement)
  } catch (cause) {
    return putBack(notice, cause, evaluation)
  }
  await claims.complete(key, { published: id })
  return { kind: 'Published', id, accepted: known?.fingerprint256 ?? null }
}

async function putBack(
  notice: CertificateNotice,
  cause: unknown,
  evaluation: Sender<CertificateNotice>,
): Promise<Raised> {
  const failures = notice.failures + 1
  if (failures >= maxFailures) return { kind: 'GivenUp', cause }
  await evaluation.send([{ job: { ...notice, failures }, delaySeconds: pauseSeconds }])
  return { kind: 'Later', cause }
}
