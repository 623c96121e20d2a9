/**
 * Sends notices of unknown certificates. The attack: a client presents a new certificate with each message, so that the
 * queue fills or the one important notice is overlooked. The defence: a process sends one notice per hour for each
 * connector, certificate and effect on mail, a limited number per hour for each connector, and a limited number per
 * minute for all connectors together. Certificates that an attacker cannot create have separate limits. Not covered: a
 * notice that is lost. That harms no mail, because mail is decided without notices.
 */
import { hourMs, minuteMs } from '../contract/durations.ts'
import type { CertificateNotice } from '../contract/jobs.ts'
import { effectOf, limitGroupOf } from '../contract/notice-groups.ts'
import { RateLimiter } from '../limits/rate-limiter.ts'
import type { JobQueue } from './job-queue.ts'

/** Per hour. One connector cannot use up the limit of other connectors. */
const maxPerConnector = 10
/** Per minute. */
const maxInAll = 20

export type NoticeSendResult =
  | 'Sent'
  /** The notice, or one with the same effect on mail, was already sent within the hour. */
  | 'Known'
  | 'TooMany'
  /** The queue did not accept the notice. The next message with this certificate causes a new attempt. */
  | 'Failed'

export class NoticeQueue {
  readonly #queue: Pick<JobQueue<CertificateNotice>, 'trySend'>
  readonly #perCertificate = new RateLimiter(1, hourMs)
  readonly #perConnector = new RateLimiter(maxPerConnector, hourMs)
  readonly #overall = new RateLimiter(maxInAll, minuteMs)

  constructor(queue: Pick<JobQueue<CertificateNotice>, 'trySend'>) {
    this.#queue = queue
  }

  async send(notice: CertificateNotice, now: Date): Promise<NoticeSendResult> {
    const { connector, presented } = notice
    const key = `${connector.id}#${presented.fingerprint256}#${effectOf(notice)}`
    const group = limitGroupOf(notice)
    const connectorKey = `${connector.id}#${group}`
    if (!this.#perCertificate.isAllowed(key, now)) return 'Known'
    if (!this.#perConnector.isAllowed(connectorKey, now) || !this.#overall.isAllowed(group, now))
      return 'TooMany'
    this.#perCertificate.take(key, now)
    this.#perConnector.take(connectorKey, now)
    this.#overall.take(group, now)
    const [failure] = await this.#queue.trySend([{ job: notice }])
    if (failure === null) return 'Sent'
    this.#perCertificate.giveBack(key)
    return 'Failed'
  }
}
