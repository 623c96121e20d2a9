/**
 * Handles the client certificate of a decided message. A certificate that a connector knows is recorded. An unknown
 * certificate at a connector that expects a known one causes a notice. Mail does not wait for this work, and does not
 * fail when this work fails.
 */
import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { InboundConnector } from '../../shared/connectors/schema.ts'
import type { CertificateNotice, EvaluationJob } from '../../shared/contract/jobs.ts'
import type { ClientCertificate } from '../../shared/contract/message.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import { certificateSeenEvent } from '../../shared/events/mail-events.ts'
import type { JobTools } from '../../shared/lambda/sqs-handler.ts'
import { countByConnector } from '../../shared/lambda/unit-metrics.ts'
import { certificateFacts } from '../../shared/policy/certificate-facts.ts'
import { toPresentedCertificate } from '../../shared/policy/client-certificate.ts'
import { inboundByRecipient, sessionOf, type Verdict } from '../../shared/policy/evaluate.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import {
  connectorsAcceptingCertificate,
  type MailOutcome,
  unknownCertificateNotices,
} from '../../shared/policy/unknown-certificate.ts'
import type { NoticeQueue } from '../../shared/queues/notice-queue.ts'
import { clientCertificateName, recordOfClient } from '../../shared/tls/observed/certificate-record.ts'
import {
  type ObservationSinks,
  recordObservedCertificate,
} from '../../shared/transport/record-observed-certificate.ts'
import { isFirstJob } from './first-job.ts'

export interface CertificateWatch {
  observationSinks: ObservationSinks
  notices: Pick<NoticeQueue, 'send'>
}

interface Tools extends Pick<JobTools, 'addEvent'> {
  logger: Logger
  metrics: Metrics
}

/** Call this function after the jobs of the decision have been sent. Never rejects. */
export async function watchCertificates(
  job: EvaluationJob,
  verdicts: readonly Verdict[],
  snapshot: Snapshot,
  now: Date,
  { observationSinks: recording, notices }: CertificateWatch,
  { logger, metrics, addEvent }: Tools,
): Promise<void> {
  const { message } = job
  const { clientCertificate } = message.tls
  if (clientCertificate === null || message.source === null || verdicts.length === 0) return
  const session = sessionOf(message, message.source.ip)
  try {
    const evaluation = inboundByRecipient(snapshot, message)(job.recipients[0]?.address ?? '')
    await Promise.all([
      ...connectorsAcceptingCertificate(session, evaluation).map((connector) =>
        recordCertificate(connector, clientCertificate),
      ),
      ...unknownCertificateNotices(snapshot, session, evaluation, consequenceOf(verdicts)).map((notice) =>
        sendNotice(notice),
      ),
    ])
  } catch (error) {
    logger.error("A message's certificate could not be checked for notices", error as Error)
  }

  async function recordCertificate(connector: InboundConnector, presented: ClientCertificate): Promise<void> {
    const { id, name, tlsSenderCertificateNames } = connector
    const host = clientCertificateName(presented, tlsSenderCertificateNames)
    const endpoint = { kind: 'PartnerClient' as const, connector: { id, name }, domain: null, host }
    const certificate = recordOfClient(presented)
    const facts = certificateFacts(connector, toPresentedCertificate(presented, session.at))
    const observation = { endpoint, certificate, verifiedBy: 'Connector' as const, facts, at: session.at }
    if (await recordObservedCertificate(observation, now, recording, { logger, metrics }))
      addEvent(certificateSeenEvent(observation))
  }

  async function sendNotice(notice: CertificateNotice): Promise<void> {
    // A held message is decided many times and counted once.
    if (isFirstJob(job)) countByConnector(metrics, Metric.unknownCertificates, notice.connector.name)
    if ((await notices.send(notice, now)) !== 'Failed') return
    metrics.addMetric(Metric.noticesFailed, MetricUnit.Count, 1)
    logger.error('The queue did not accept a notice of an unknown certificate', { notice })
  }
}

function consequenceOf(verdicts: readonly Verdict[]): MailOutcome {
  const deferrals = verdicts.filter((verdict) => verdict.action === 'Defer')
  const last = Math.max(...deferrals.map(({ expiresAt }) => expiresAt.getTime()))
  return deferrals.length === 0
    ? { consequence: 'Bounced', heldUntil: null }
    : { consequence: 'Held', heldUntil: new Date(last).toISOString() }
}
