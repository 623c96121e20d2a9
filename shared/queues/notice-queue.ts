/**
 * Sending notices of unknown certificates. The attack: certificates cost nothing, and somebody presents a new one
 * with each message, so that the queue fills, or that the one notice that matters drowns. The defence: a process
 * sends one notice for each connector and certificate an hour, few for each connector, and not many at all; those
 * of certificates that an authority vouches for have a share of their own, which no stranger can use up. A notice
 * that is lost costs nothing but itself: the mail it is about was decided without it.
 */
import { hourMs, minuteMs } from '../contract/durations.ts'
import type { CertificateNotice } from '../contract/jobs.ts'
import { RateLimiter } from '../limits/rate-limiter.ts'
import type { JobQueue } from './job-queue.ts'

/** No connector's strangers use up the share of the others. */
const mostOfConnector = 10
const mostInAll = 20

export type Sent =
  | 'Sent'
  /** It was sent within the hour. */
  | 'Known'
  | 'TooMany'
  /** The queue did not take it; it is sent when the certificate is next presented. */
  | 'Failed'

export class NoticeQueue {
  readonly #queue: Pick<JobQueue<CertificateNotice>, 'trySend'>
  readonly #once = new RateLimiter(1, hourMs)
  readonly #ofConnector = new RateLimiter(mostOfConnector, hourMs)
  readonly #inAll = new RateLimiter(mostInAll, minuteMs)

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
