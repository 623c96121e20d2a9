/** Writes deliveries to logs and metrics. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import type { Attempt } from '../../shared/contract/message.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import type { UnitMetrics } from '../../shared/lambda/unit-metrics.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import type { SesQuota } from '../../shared/net/ses-api.ts'
import { isSesAccountFailure } from '../../shared/net/ses-errors.ts'
import { isEnforced } from '../../shared/policy/transport-security.ts'
import type { Delivery } from './deliver-job.ts'
import type { CanaryResult } from './receive-canary.ts'
import type { StoreReportResult } from './store-report.ts'

/**
 * Logs one line for the attempt, and one for each result that could not be written. Replies are logged, the message's
 * content is not.
 */
export function logDelivery(logger: Logger, job: DeliveryJob, delivery: Delivery): void {
  const { newAttempts, earlierAttempts, leasesExpired, busyRecipients, writeErrors } = delivery
  const { returnedForDecision, returnedToQueue } = delivery
  const first = newAttempts[0]?.attempt
  logger.info(returnedToQueue === null ? 'Delivery attempted' : 'Delivery returned to the queue', {
    messageId: job.message.id,
    attempt: job.attempt,
    destination: job.destination,
    route: job.route.kind,
    tlsLevel: job.tls.level,
    tlsMode: job.tls.mode,
    host: first?.host,
    ip: first?.ip,
    tls: first?.tls,
    reportOnly: first?.reportOnly ? formatReply(first.reportOnly) : null,
    durationMs: first?.durationMs,
    recipients: newAttempts.map(({ recipient, attempt }) => ({
      address: recipient.address,
      outcome: attempt.outcome,
      reply: formatReply(attempt.reply),
    })),
    earlierAttempts: earlierAttempts.length,
    leasesExpired,
    busy: busyRecipients.length,
    returnedForDecision,
    returnedToQueue,
  })
  for (const error of writeErrors) logger.error('The result of an attempt could not be recorded', error)
}

export function countDelivery(
  metrics: UnitMetrics,
  job: DeliveryJob,
  { newAttempts, leasesExpired, returnedForDecision, returnedToQueue }: Delivery,
): void {
  const delivered = newAttempts.filter(({ attempt }) => attempt.outcome === 'Delivered')
  const failed = newAttempts.length - delivered.length
  const unanswered = newAttempts.filter(({ attempt }) => attempt.unanswered).length
  const reportOnly = newAttempts.filter(({ attempt }) => attempt.reportOnly !== null).length
  if (failed > 0) metrics.addMetric(Metric.attemptsFailed, MetricUnit.Count, failed)
  if (unanswered > 0) metrics.addMetric(Metric.repliesLost, MetricUnit.Count, unanswered)
  if (reportOnly > 0) metrics.addMetric(Metric.reportOnlyViolations, MetricUnit.Count, reportOnly)
  const unusable = newAttempts.filter(lacksClientCertificate).length
  if (unusable > 0) metrics.addMetric(Metric.clientCertificatesUnusable, MetricUnit.Count, unusable)
  const sesFailures =
    returnedToQueue === 'SesDailyQuota'
      ? job.recipients.length
      : newAttempts.filter(({ attempt }) => isSesAccountFailure(attempt)).length
  if (sesFailures > 0) metrics.addMetric(Metric.sesUnavailable, MetricUnit.Count, sesFailures)
  if (returnedForDecision > 0)
    metrics.addMetric(Metric.returnedForDecision, MetricUnit.Count, returnedForDecision)
  if (leasesExpired > 0) metrics.addMetric(Metric.leasesExpired, MetricUnit.Count, leasesExpired)
  if (returnedToQueue !== null) metrics.countBy(Metric.returnedToQueue, 'reason', returnedToQueue)
  if (job.route.kind === 'TlsReports' || job.route.kind === 'Canary') return
  for (const tls of ['verified', 'encrypted', 'plaintext', 'unknown'] as const) {
    const count = delivered.filter(({ attempt }) => protectionOf(attempt, job) === tls).length
    if (count > 0) metrics.countBy(Metric.delivered, 'tls', tls, count)
  }
  const byVersion = Map.groupBy(delivered, ({ attempt }) => tlsVersionOf(attempt, job))
  for (const [version, { length }] of byVersion)
    metrics.countBy(Metric.deliveredByTlsVersion, 'version', version, length)
}

/** SES does not show its session. */
const tlsVersionOf = ({ tls }: Pick<Attempt, 'tls'>, { route }: Pick<DeliveryJob, 'route'>): string =>
  tls?.protocol ?? (route.kind === 'Ses' ? 'unknown' : 'none')

/** Publishes nothing for an account without a quota of 24 hours. */
export function countSesQuota(
  metrics: Pick<Metrics, 'singleMetric'>,
  { max24HourSend, sentLast24Hours }: Pick<SesQuota, 'max24HourSend' | 'sentLast24Hours'>,
): void {
  if (max24HourSend <= 0) return
  const percentage = (100 * sentLast24Hours) / max24HourSend
  metrics.singleMetric().addMetric(Metric.sesQuotaUsed, MetricUnit.Percent, percentage)
}

/**
 * True for an attempt that contacted no host because the client certificate is unusable. The administrator must fix the
 * certificate.
 */
const lacksClientCertificate = ({ attempt: { host, reply } }: Delivery['newAttempts'][number]): boolean =>
  host === null && reply.enhanced === '4.3.5'

export function countReport(
  logger: Logger,
  metrics: Metrics,
  messageId: string,
  result: StoreReportResult,
): void {
  switch (result.kind) {
    case 'Kept': {
      const { id, organisation, authenticated, signedBy } = result.report
      logger.info('A TLS report was stored', { messageId, id, organisation, authenticated, signedBy })
      const metric = metrics.singleMetric().addDimension('authenticated', authenticated)
      metric.addMetric(Metric.tlsReportsReceived, MetricUnit.Count, 1)
      return
    }
    case 'Ignored':
      logger.warn('A message to the address for TLS reports has no TLS report', {
        messageId,
        why: result.why,
      })
      metrics.addMetric(Metric.tlsReportsIgnored, MetricUnit.Count, 1)
      return
    case 'Failed':
      logger.warn('A TLS report could not be stored; the job is retried', { messageId, why: result.why })
  }
}

export function countCanary(logger: Logger, metrics: Metrics, messageId: string, result: CanaryResult): void {
  switch (result.kind) {
    case 'Counted':
      metrics.addMetric(Metric.canarySeconds, MetricUnit.Seconds, result.seconds)
      return
    case 'Ignored':
      logger.warn('A canary is ignored: it arrived twice, or after a later one', { messageId })
      return
    case 'Failed':
      logger.warn('The arrival of a canary could not be recorded; the job is retried', {
        messageId,
        why: result.why,
      })
  }
}

/**
 * SES does not show its session. The session was encrypted if TLS was required; otherwise the protection is unknown.
 */
export function protectionOf(
  { tls }: Pick<Attempt, 'tls'>,
  job: Pick<DeliveryJob, 'route' | 'tls'>,
): 'verified' | 'encrypted' | 'plaintext' | 'unknown' {
  if (tls !== null) return tls.verified ? 'verified' : 'encrypted'
  if (job.route.kind !== 'Ses') return 'plaintext'
  return isEnforced(job.tls) ? 'encrypted' : 'unknown'
}
