/** Writes a verdict, or the result of a notice, to log and metrics. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { CertificateNotice } from '../../shared/contract/jobs.ts'
import { isCanary, type Message } from '../../shared/contract/message.ts'
import { dimensionValue, forcedTlsFailureField, Metric } from '../../shared/contract/metrics.ts'
import type { UnitMetrics } from '../../shared/lambda/unit-metrics.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import type { Verdict } from '../../shared/policy/evaluate.ts'
import type { Reason } from '../../shared/policy/reasons.ts'
import type { NoticeResult } from './publish-notice.ts'

const forcedTlsReasons: ReadonlySet<Reason> = new Set<Reason>([
  'InboundTlsRequired',
  'InboundTlsVersion',
  'InboundCertificateRestriction',
  'InboundAddressRestriction',
  'OutboundTlsNotMet',
])

interface Tools {
  logger: Logger
  metrics: UnitMetrics
}

export function reportVerdict(message: Message, verdict: Verdict, tools: Tools): void {
  const { action, reason, explanation, connectors, reportOnly, recipient, decidedBy } = verdict
  const isForcedTlsFailure =
    action !== 'Deliver' && forcedTlsReasons.has(reason) && !isPublishedRequirement(verdict)
  tools.logger.info('verdict', {
    messageId: message.id,
    recipient: recipient.address,
    action,
    reason,
    explanation,
    connectors,
    reportOnly,
    ...(action === 'Deliver' ? {} : { reply: formatReply(verdict.reply) }),
    ...(isForcedTlsFailure && decidedBy !== null && { [forcedTlsFailureField]: decidedBy }),
  })
  // The metrics count mail only.
  if (isCanary(message, recipient)) return
  const count = (name: string) => tools.metrics.addMetric(name, MetricUnit.Count, 1)
  tools.metrics.countBy(Metric.verdicts, 'action', action)
  if (isForcedTlsFailure) count(Metric.forcedTlsFailures)
  else if (action !== 'Deliver' && forcedTlsReasons.has(reason)) count(Metric.publishedTlsFailures)
  if (reason === 'NoRouteForAcceptedDomain') count(Metric.unroutedRecipients)
  if (reportOnly !== null) count(Metric.reportOnlyViolations)
  if (action === 'Bounce' && isOwnWithNullReversePath(message)) {
    count(Metric.ownMailUndelivered)
    tools.logger.warn('A message of this deployment from <> bounced, and no DSN reports that', {
      messageId: message.id,
      recipient: recipient.address,
      reply: formatReply(verdict.reply),
    })
  }
}

/** Publishes the age of the job's message if a recipient is deferred. */
export function reportDeferral(
  { receivedAt }: Pick<Message, 'receivedAt'>,
  verdicts: readonly Pick<Verdict, 'action'>[],
  now: Date,
  metrics: Pick<Metrics, 'addMetric'>,
): void {
  if (!verdicts.some(({ action }) => action === 'Defer')) return
  const seconds = Math.max(0, Math.round((now.getTime() - Date.parse(receivedAt)) / 1000))
  metrics.addMetric(Metric.deferredAge, MetricUnit.Seconds, seconds)
}

/**
 * True when the TLS requirement that was not met came from the policy that the recipient's domain publishes, or from
 * the sender (REQUIRETLS), and not from a connector. A domain's published policy may not match its servers: that is no
 * reason to alarm the administrator. A connector with a Mandatory mode requires the policy itself.
 */
function isPublishedRequirement({
  reason,
  recipient: { lastAttempt },
  isPolicyMandatory = false,
}: Verdict): boolean {
  if (isPolicyMandatory) return false
  const source = lastAttempt?.policySource ?? null
  return reason === 'OutboundTlsNotMet' && source !== null && source !== 'Connector'
}

/** True for a DSN or a TLS report. */
const isOwnWithNullReversePath = ({ source, envelope }: Message): boolean =>
  source === null && envelope.mailFrom === ''

export function reportNotice(
  notice: CertificateNotice,
  result: NoticeResult,
  { logger, metrics }: Tools,
): void {
  const { connector, presented, why, consequence } = notice
  const fields = {
    connector: connector.name,
    fingerprint256: presented.fingerprint256,
    why,
    consequence,
    outcome: result.kind,
  }
  if (result.kind === 'Published') countPublished(notice, result.accepted, metrics)
  if (!('cause' in result)) return void logger.info('notice', fields)
  metrics.addMetric(Metric.noticesFailed, MetricUnit.Count, 1)
  logger.error('A notice could not be published', { ...fields, error: result.cause as Error })
}

/** The fingerprints are metadata of the record. As dimensions, each fingerprint would create a metric. */
function countPublished(
  { connector, presented }: CertificateNotice,
  accepted: string | null,
  metrics: Metrics,
): void {
  const metric = metrics.singleMetric()
  metric.addDimension('connector', dimensionValue(connector.name))
  metric.addMetadata('accepted', accepted ?? 'none')
  metric.addMetadata('presented', presented.fingerprint256)
  metric.addMetric(Metric.noticesPublished, MetricUnit.Count, 1)
}
