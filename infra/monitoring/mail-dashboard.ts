import { Duration } from 'aws-cdk-lib'
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  type MetricOptions,
  Stats,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch'
import { Construct } from 'constructs'
import { Metric } from '../../shared/contract/metrics.ts'
import { TlsResult } from '../../shared/contract/tls-result.ts'
import type { MailMetrics } from '../mail-metrics.ts'
import type { MonitoredParts } from './monitored-parts.ts'

const width = 12

type MailMetric = MailMetrics['ingress']

/** The dashboard: first mail, in the order of a message's path, then infrastructure. */
export class MailDashboard extends Construct {
  constructor(scope: Construct, id: string, parts: MonitoredParts) {
    super(scope, id)
    new Dashboard(this, 'Dashboard', {
      defaultInterval: Duration.hours(12),
      widgets: [
        [heading('Mail')],
        arrivalWidgets(parts),
        decisionWidgets(parts),
        deliveryWidgets(parts),
        [heading('Infrastructure')],
        queueWidgets(parts),
        functionWidgets(parts),
      ],
    })
  }
}

function arrivalWidgets({ ingress, metrics }: MonitoredParts): IWidget[] {
  return [
    graph(
      'Messages accepted, by TLS',
      metricsByDimension(
        metrics.ingress.bind(metrics),
        Metric.messagesAccepted,
        'tls',
        'negotiated',
        'plaintext',
      ),
    ),
    graph('Refused or failed at the ingress', [
      metrics.ingress(Metric.tlsHandshakesFailed, { label: 'TLS handshakes failed' }),
      metrics.search(Metric.refused, 'reason', 'Refused:'),
      metrics.ingress(Metric.storageFailures, { label: 'Could not be stored' }),
    ]),
    graph('TLS handshakes failed, by cause', [metrics.search(Metric.tlsHandshakesFailed, 'cause', '')]),
    graph('SMTP sessions in a task', [
      metrics.ingress(Metric.connections, { statistic: Stats.AVERAGE, label: 'Average' }),
      metrics.ingress(Metric.connections, { statistic: Stats.MAXIMUM, label: 'Maximum' }),
    ]),
    graph('Ingress CPU, %', [ingress.service.metricCpuUtilization()]),
  ]
}

function decisionWidgets({ metrics }: MonitoredParts): IWidget[] {
  const metric = metrics.function.bind(metrics, 'evaluate-policy')
  return [
    graph(
      'Recipients decided',
      metricsByDimension(metric, Metric.verdicts, 'action', 'Deliver', 'Defer', 'Bounce'),
    ),
    graph('TLS policy', [
      metric(Metric.forcedTlsFailures, { label: 'Forced TLS not met' }),
      metric(Metric.publishedTlsFailures, { label: 'DANE, MTA-STS or REQUIRETLS not met' }),
      metric(Metric.reportOnlyViolations, { label: 'Inbound: would not be met (report only)' }),
      metrics.function('deliver-message', Metric.reportOnlyViolations, {
        label: 'Outbound: would not be met (report only)',
      }),
      metric(Metric.unroutedRecipients, { label: 'No route' }),
    ]),
    graph('Days until a certificate expires', [
      expiryMetric(metrics, Metric.partnerCertificateDaysLeft, { label: 'Verified partner certificates' }),
      expiryMetric(metrics, Metric.ownCertificateDaysLeft, { label: 'Ingress and client certificates' }),
      metrics.ingress(Metric.certificateDaysLeft, { statistic: Stats.MINIMUM, label: 'Ingress certificate' }),
    ]),
    graph('Changed certificates', [
      metrics.search(Metric.partnerCertificatesChanged, 'connector', ''),
      ...['evaluate-policy', 'deliver-message'].map((unit) =>
        metrics.function(unit, Metric.certificatesUnwritten, { label: `Not recorded (${unit})` }),
      ),
    ]),
    graph('Unknown certificates', [
      metrics.search(Metric.unknownCertificates, 'connector', ''),
      metrics.ingress(Metric.noticesFailed, { label: 'Notices not sent (ingress)' }),
      metric(Metric.noticesFailed, { label: 'Notices not published' }),
    ]),
  ]
}

const expiryMetric = (metrics: MailMetrics, metric: string, options: MetricOptions) =>
  metrics.function('watch-expiry', metric, {
    statistic: Stats.MINIMUM,
    period: Duration.days(1),
    ...options,
  })

function deliveryWidgets({ metrics }: MonitoredParts): IWidget[] {
  const metric = metrics.function.bind(metrics, 'deliver-message')
  const bounceMetric = metrics.function.bind(metrics, 'bounce-message')
  const reportMetric = metrics.function.bind(metrics, 'report-tls')
  return [
    graph(
      'Recipients delivered, by TLS',
      metricsByDimension(metric, Metric.delivered, 'tls', 'verified', 'encrypted', 'plaintext', 'unknown'),
    ),
    graph('Attempts failed, DSNs sent', [
      metric(Metric.attemptsFailed, { label: 'Attempts failed' }),
      metric(Metric.leasesExpired, { label: 'Repeated after a crash' }),
      metric(Metric.repliesLost, { label: 'Message sent, no reply' }),
      metric(Metric.returnedForDecision, { label: 'Decided again, connectors changed' }),
      ...metricsByDimension(
        metric,
        Metric.returnedToQueue,
        'reason',
        'NoSlot',
        'NoSlotForSlowHost',
        'NoTime',
      ),
      metrics.function('evaluate-policy', Metric.ownMailUndelivered, {
        label: 'DSNs and reports not delivered',
      }),
      ...metricsByDimension(
        bounceMetric,
        Metric.dsnsSent,
        'kind',
        'failed',
        'delayed',
        'relayed',
        'delivered',
      ),
    ]),
    graph(
      'TLS sessions, by result',
      metricsByDimension(metric, Metric.tlsResults, 'result', ...TlsResult.options),
    ),
    graph('TLS reports', [
      ...metricsByDimension(reportMetric, Metric.tlsReportsSent, 'by', 'mail', 'https'),
      reportMetric(Metric.tlsReportsFailed, { label: 'Not sent' }),
      reportMetric(Metric.tlsReportsUndeliverable, { label: 'Not accepted' }),
      ...metricsByDimension(metric, Metric.tlsReportsReceived, 'authenticated', 'pass', 'fail', 'none'),
      metric(Metric.tlsReportsIgnored, { label: 'Mail without a report' }),
      metric(Metric.sessionsUncounted, { label: 'Sessions not counted' }),
    ]),
  ]
}

function queueWidgets({ queues }: MonitoredParts): IWidget[] {
  const { evaluation, delivery, unprovenDelivery, lowPriorityDelivery, bounce } = queues
  const stages = Object.entries({ evaluation, delivery, unprovenDelivery, lowPriorityDelivery, bounce })
  return [
    graph(
      'Age of the oldest message, s',
      stages.map(([label, stage]) => stage.queue.metricApproximateAgeOfOldestMessage({ label })),
    ),
    graph(
      'Dead letters',
      stages.map(([label, stage]) => stage.deadLetters.metricApproximateNumberOfMessagesVisible({ label })),
    ),
  ]
}

function functionWidgets({ functions }: MonitoredParts): IWidget[] {
  const handlers = Object.entries(functions)
  return [
    graph(
      'Function errors',
      handlers.map(([label, handler]) => handler.metricErrors({ label })),
    ),
    graph(
      'Function duration, p99',
      handlers.map(([label, handler]) => handler.metricDuration({ label, statistic: 'p99' })),
    ),
  ]
}

/** Returns one metric per value of the dimension. */
function metricsByDimension(
  metric: MailMetric,
  name: string,
  dimension: string,
  ...values: readonly string[]
): IMetric[] {
  return values.map((value) => metric(name, { dimensionsMap: { [dimension]: value }, label: value }))
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width })
}

function heading(text: string): TextWidget {
  return new TextWidget({ markdown: `## ${text}`, width: 24, height: 1 })
}
