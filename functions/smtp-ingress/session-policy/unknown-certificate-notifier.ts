/**
 * Sends a notice when the ingress refuses mail in session and the client's certificate is unknown to the connector. No
 * other component sees that mail.
 */
import { dimensionValue, Metric } from '../../../shared/contract/metrics.ts'
import type { InboundEvaluation, Session } from '../../../shared/policy/inbound.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { unknownCertificateNotices } from '../../../shared/policy/unknown-certificate.ts'
import type { NoticeQueue } from '../../../shared/queues/notice-queue.ts'
import { causeOf, type Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

const inSessionConsequence = { consequence: 'RefusedInSession', heldUntil: null } as const

export class UnknownCertificateNotifier {
  readonly #notices: Pick<NoticeQueue, 'send'>
  readonly #metrics: Metrics
  readonly #log: Log

  constructor(notices: Pick<NoticeQueue, 'send'>, metrics: Metrics, log: Log) {
    this.#notices = notices
    this.#metrics = metrics
    this.#log = log
  }

  /** Runs in the background, so that a notice neither delays nor fails the reply. */
  notifyRefusal(snapshot: Snapshot, session: Session, evaluation: InboundEvaluation): void {
    this.#sendNotices(snapshot, session, evaluation).catch((error) => this.#recordFailure(causeOf(error)))
  }

  async #sendNotices(snapshot: Snapshot, session: Session, evaluation: InboundEvaluation): Promise<void> {
    const notices = unknownCertificateNotices(snapshot, session, evaluation, inSessionConsequence)
    await Promise.all(
      notices.map(async (notice) => {
        const { name } = notice.connector
        this.#metrics.count(Metric.unknownCertificates)
        this.#metrics.count(Metric.unknownCertificates, ['connector', dimensionValue(name)])
        const result = await this.#notices.send(notice, session.at)
        if (result === 'Failed') this.#recordFailure('the queue refused the job', name)
      }),
    )
  }

  #recordFailure(cause: string, connector: string | null = null): void {
    this.#metrics.count(Metric.noticesFailed)
    this.#log('warn', 'the notice of an unknown certificate could not be sent', { connector, cause })
  }
}
