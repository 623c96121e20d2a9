/**
 * Sends notices of unknown certificates. The attack: a client presents a new certificate with each message, so that the
 * queue fills or the one important notice is overlooked. The defence: a process sends one notice an hour for each
 * connector and certificate, a limited number for each connector, and a limited number in all. Certificates from a CA
 * that the connector trusts have separate limits, which an attacker cannot use up. A lost notice harms no mail, since
 * mail is decided without it.
 */
import { hourMs, minuteMs } from '../contract/durations.ts'
import type { CertificateNotice } from '../contract/jobs.ts'
import { RateLimiter } from '../limits/rate-limiter.ts'
import type { JobQueue } from './job-queue.ts'

/** One connector cannot use up the limit of the others. */
const maxPerConnector = 10
const maxInAll = 20

export type NoticeSendResult =
  | 'Sent'
  /** It was sent within the hour. */
  | 'Known'
  | 'TooMany'
  /** The queue did not accept it; the next message with this certificate sends it again. */
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
    const { connector, presented, vouchedFor } = notice
    const key = `${connector.id}#${presented.fingerprint256}`
    const trustClass = `${vouchedFor}`
    const connectorKey = `${connector.id}#${trustClass}`
    if (!this.#perCertificate.isAllowed(key, now)) return 'Known'
    if (!this.#perConnector.isAllowed(connectorKey, now) || !this.#overall.isAllowed(trustClass, now))
      return 'TooMany'
    this.#perCertificate.take(key, now)
    this.#perConnector.take(connectorKey, now)
    this.#overall.take(trustClass, now)
    const [failure] = await this.#queue.trySend([{ job: notice }])
    if (failure === null) return 'Sent'
    this.#perCertificate.giveBack(key)
    return 'Failed'
  }
}
