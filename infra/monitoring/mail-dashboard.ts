import { Duration } from 'aws-cdk-lib'
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  Stats,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch'
import { Construct } from 'constructs'
import { Metric } from '../../shared/contract/metrics.ts'
import { mailMetric } from './mail-metric.ts'
import type { Monitored } from './monitoring.ts'

const width = 12

/** One page, in the order a message takes: arriving, decided, delivered, reported; then the machinery. */
export class MailDashboard extends Construct {
  constructor(scope: Construct, id: string, parts: Monitored) {
    super(scope, id)
    new Dashboard(this, 'Dashboard', {
      defaultInterval: Duration.hours(12),
      widgets: [
        [heading('Mail')],
        arriving(parts),
        decided(),
        leaving(),
        [heading('Machinery')],
        queues(parts),
        units(parts),
      ],
    })
  }
}

function arriving({ ingress }: Monitored): IWidget[] {
  return [
    graph('Messages accepted, by TLS', counts(Metric.messagesAccepted, 'tls', 'negotiated', 'plaintext')),
    graph('Refused or failed at the door', [
      mailMetric(Metric.tlsHandshakesFailed, { label: 'TLS handshakes failed' }),
      mailMetric(Metric.storageFailures, { label: 'Could not be stored' }),
    ]),
    graph('SMTP sessions in a task', [
      mailMetric(Metric.connections, { statistic: Stats.AVERAGE, label: 'Average' }),
      mailMetric(Metric.connections, { statistic: Stats.MAXIMUM, label: 'Fullest' }),
    ]),
    graph('Ingress CPU, %', [ingress.service.metricCpuUtilization()]),
  ]
}

function decided(): IWidget[] {
  return [
    graph('Recipients decided', counts(Metric.verdicts, 'action', 'Deliver', 'Defer', 'Bounce')),
    graph('TLS policy', [
      mailMetric(Metric.forcedTlsFailures, { label: 'Forced TLS not met' }),
      mailMetric(Metric.reportOnlyViolations, { label: 'Would not be met (report only)' }),
      mailMetric(Metric.unroutedRecipients, { label: 'No route' }),
    ]),
  ]
}

function leaving(): IWidget[] {
  return [
    graph(
      'Recipients delivered, by TLS',
      counts(Metric.delivered, 'tls', 'verified', 'encrypted', 'plaintext'),
    ),
    graph('Attempts failed, DSNs sent', [
      mailMetric(Metric.attemptsFailed, { label: 'Attempts failed' }),
      mailMetric(Metric.leasesExpired, { label: 'Repeated after a crash' }),
      ...counts(Metric.dsnsSent, 'kind', 'failed', 'delayed'),
    ]),
  ]
}

function queues({ queues: { evaluation, delivery, bounce } }: Monitored): IWidget[] {
  const stages = Object.entries({ evaluation, delivery, bounce })
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

function units({ functions }: Monitored): IWidget[] {
  const named = Object.entries(functions)
  return [
    graph(
      'Function errors',
      named.map(([label, handler]) => handler.metricErrors({ label })),
    ),
    graph(
      'Function duration, p99',
      named.map(([label, handler]) => handler.metricDuration({ label, statistic: 'p99' })),
    ),
  ]
}

/** A metric once for each value of its dimension. */
function counts(name: string, dimension: string, ...values: readonly string[]): IMetric[] {
  return values.map((value) => mailMetric(name, { dimensionsMap: { [dimension]: value }, label: value }))
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width })
}

function heading(text: string): TextWidget {
  return new TextWidget({ markdown: `## ${text}`, width: 24, height: 1 })
}
