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

export type Sent =
  | 'Sent'
  /** It was sent within the hour. */
  | 'Known'
  | 'TooMany'
  /** The queue did not accept it; the next message with this certificate sends it again. */
  | 'Failed'

export class NoticeQueue {
  readonly #queue: Pick<JobQueue<CertificateNotice>, 'trySend'>
  readonly #once = new RateLimiter(1, hourMs)
  readonly #ofConnector = new RateLimiter(maxPerConnector, hourMs)
  readonly #inAll = new RateLimiter(maxInAll, minuteMs)

  constructor(queue: Pick<JobQueue<CertificateNotice>, 'trySend'>) {
    this.#queue = queue
  }

  async send(notice: CertificateNotice, now: Date): Promise<Sent> {
    const { connector, presented, vouchedFor } = notice
    const key = `${connector.id}#${presented.fingerprint256}`
    const share = `${vouchedFor}`
    const ofConnector = `${connector.id}#${share}`
    if (!this.#once.isLeft(key, now)) return 'Known'
    if (!this.#ofConnector.isLeft(ofConnector, now) || !this.#inAll.isLeft(share, now)) return 'TooMany'
    this.#once.take(key, now)
    this.#ofConnector.take(ofConnector, now)
    this.#inAll.take(share, now)
    const [failure] = await this.#queue.trySend([{ job: notice }])
    if (failure === null) return 'Sent'
    this.#once.giveBack(key)
    return 'Failed'
  }
}
