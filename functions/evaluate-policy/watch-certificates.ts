/**
 * Handles the client certificate of a decided message: a certificate that its connector knows is recorded, and one that
 * a connector asks for and does not know causes a notice. Mail neither waits for this nor fails with it.
 */
import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { InboundConnector } from '../../shared/connectors/schema.ts'
import type { CertificateNotice, EvaluationJob } from '../../shared/contract/jobs.ts'
import type { ClientCertificate } from '../../shared/contract/message.ts'
import { asDimension, Metric } from '../../shared/contract/metrics.ts'
import { evaluateInboundForMessage, sessionOf, type Verdict } from '../../shared/policy/evaluate.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import {
  connectorsKnowing,
  type MailOutcome,
  unknownCertificateNotices,
} from '../../shared/policy/unknown-certificate.ts'
import type { NoticeQueue } from '../../shared/queues/notice-queue.ts'
import { clientCertificateName, recordOfClient } from '../../shared/tls/observed/sighting.ts'
import { type ObservationSinks, recordObservedCertificate } from '../../shared/transport/note-certificate.ts'
import { isFirst } from './evaluate-job.ts'

export interface CertificateWatch {
  noting: ObservationSinks
  notices: Pick<NoticeQueue, 'send'>
}

interface Tools {
  logger: Logger
  metrics: Metrics
}

/** Call it after the jobs of the decision have been sent. Never rejects. */
export async function watchCertificates(
  job: EvaluationJob,
  verdicts: readonly Verdict[],
  snapshot: Snapshot,
  now: Date,
  { noting, notices }: CertificateWatch,
  { logger, metrics }: Tools,
): Promise<void> {
  const { message } = job
  const { clientCertificate } = message.tls
  if (clientCertificate === null || message.source === null || verdicts.length === 0) return
  const session = sessionOf(message, message.source.ip)
  try {
    const judgement = evaluateInboundForMessage(snapshot, message)
    await Promise.all([
      ...connectorsKnowing(session, judgement).map((connector) => remember(connector, clientCertificate)),
      ...unknownCertificateNotices(snapshot, session, judgement, fateOf(verdicts)).map((notice) =>
        tell(notice),
      ),
    ])
  } catch (error) {
    logger.error("A message's certificate could not be checked for notices", error as Error)
  }

  async function remember(
    { id, name, tlsSenderCertificateNames }: InboundConnector,
    shown: ClientCertificate,
  ): Promise<void> {
    const host = clientCertificateName(shown, tlsSenderCertificateNames)
    const endpoint = { kind: 'PartnerClient' as const, connector: { id, name }, domain: null, host }
    const certificate = recordOfClient(shown)
    const sighting = { endpoint, certificate, verifiedBy: 'Connector' as const, at: session.at }
    await recordObservedCertificate(sighting, now, noting, { logger, metrics })
  }

  async function tell(notice: CertificateNotice): Promise<void> {
    // A held message is decided many times; it counts once.
    if (isFirst(job)) countUnknown(notice.connector.name, metrics)
    if ((await notices.send(notice, now)) !== 'Failed') return
    metrics.addMetric(Metric.noticesFailed, MetricUnit.Count, 1)
    logger.error('The queue did not accept a notice of an unknown certificate', { notice })
  }
}

function fateOf(verdicts: readonly Verdict[]): MailOutcome {
  const held = verdicts.filter((verdict) => verdict.action === 'Defer')
  const last = Math.max(...held.map(({ expiresAt }) => expiresAt.getTime()))
  return held.length === 0
    ? { consequence: 'Bounced', heldUntil: null }
    : { consequence: 'Held', heldUntil: new Date(last).toISOString() }
}

/**
 * Counts once without dimensions and once with the connector's. It omits the function's name, so the ingress's count
 * for refused mail is the same metric.
 */
function countUnknown(connector: string, metrics: Metrics): void {
  const metric = metrics.singleMetric()
  metric.clearDefaultDimensions()
  metric.addDimensions({})
  metric.addDimensions({ connector: asDimension(connector) })
  metric.addMetric(Metric.unknownCertificates, MetricUnit.Count, 1)
}
