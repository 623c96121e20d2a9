/** What a delivery leaves in logs and metrics. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import type { Attempt } from '../../shared/contract/message.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import { isEnforced } from '../../shared/policy/transport-security.ts'
import type { Delivery } from './deliver-job.ts'
import type { Kept } from './keep-report.ts'

/** One line for the attempt; replies belong to the log, the message's own words do not. */
export function logDelivery(logger: Logger, job: DeliveryJob, delivery: Delivery): void {
  const { tried, known, leasesExpired, busy, unwritten, handedBack, postponed } = delivery
  const first = tried[0]?.attempt
  logger.info(postponed === null ? 'Delivery attempted' : 'Delivery postponed', {
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
    recipients: tried.map(({ recipient, attempt }) => ({
      address: recipient.address,
      outcome: attempt.outcome,
      reply: formatReply(attempt.reply),
    })),
    knownBefore: known.length,
    leasesExpired,
    busy: busy.length,
    handedBack,
    postponed,
  })
  for (const error of unwritten) logger.error('The result of an attempt could not be kept', error)
}

export function countDelivery(
  metrics: Metrics,
  job: DeliveryJob,
  { tried, leasesExpired, handedBack, postponed }: Delivery,
): void {
  const delivered = tried.filter(({ attempt }) => attempt.outcome === 'Delivered')
  const failed = tried.length - delivered.length
  const unanswered = tried.filter(({ attempt }) => attempt.unanswered).length
  const reported = tried.filter(({ attempt }) => attempt.reportOnly !== null).length
  if (failed > 0) metrics.addMetric(Metric.attemptsFailed, MetricUnit.Count, failed)
  if (unanswered > 0) metrics.addMetric(Metric.repliesLost, MetricUnit.Count, unanswered)
  if (reported > 0) metrics.addMetric(Metric.reportOnlyViolations, MetricUnit.Count, reported)
  const unusable = tried.filter(isForWantOfCertificate).length
  if (unusable > 0) metrics.addMetric(Metric.clientCertificatesUnusable, MetricUnit.Count, unusable)
  if (handedBack > 0) metrics.addMetric(Metric.handedBack, MetricUnit.Count, handedBack)
  if (leasesExpired > 0) metrics.addMetric(Metric.leasesExpired, MetricUnit.Count, leasesExpired)
  if (postponed !== null)
    metrics.singleMetric().addDimension('reason', postponed).addMetric(Metric.postponed, MetricUnit.Count, 1)
  if (job.route.kind === 'TlsReports') return
  for (const tls of ['verified', 'encrypted', 'plaintext', 'unknown'] as const) {
    const count = delivered.filter(({ attempt }) => protectionOf(attempt, job) === tls).length
    if (count > 0)
      metrics.singleMetric().addDimension('tls', tls).addMetric(Metric.delivered, MetricUnit.Count, count)
  }
}

/** Ours to mend: no host was asked. */
const isForWantOfCertificate = ({ attempt: { host, reply } }: Delivery['tried'][number]): boolean =>
  host === null && reply.enhanced === '4.3.5'

export function countKept(logger: Logger, metrics: Metrics, messageId: string, kept: Kept): void {
  switch (kept.kind) {
    case 'Kept': {
      const { id, organisation, authenticated, signedBy } = kept.report
      logger.info('A report on TLS was kept', { messageId, id, organisation, authenticated, signedBy })
      const counted = metrics.singleMetric().addDimension('authenticated', authenticated)
      counted.addMetric(Metric.tlsReportsReceived, MetricUnit.Count, 1)
      return
    }
    case 'Ignored':
      logger.warn('A mail to the address for reports on TLS holds none', { messageId, why: kept.why })
      metrics.addMetric(Metric.tlsReportsIgnored, MetricUnit.Count, 1)
      return
    case 'Failed':
      logger.warn('A report on TLS could not be kept now', { messageId, why: kept.why })
  }
}

/** SES does not show its session: with TLS required it was encrypted, otherwise nobody here knows. */
export function protectionOf(
  { tls }: Pick<Attempt, 'tls'>,
  job: Pick<DeliveryJob, 'route' | 'tls'>,
): 'verified' | 'encrypted' | 'plaintext' | 'unknown' {
  if (tls !== null) return tls.verified ? 'verified' : 'encrypted'
  if (job.route.kind !== 'Ses') return 'plaintext'
  return isEnforced(job.tls) ? 'encrypted' : 'unknown'
}
