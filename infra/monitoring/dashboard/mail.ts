/** The dashboard's section on mail, in the order of a message's path. */
import type { IMetric, IWidget } from 'aws-cdk-lib/aws-cloudwatch'
import { Metric } from '../../../shared/contract/metrics.ts'
import { TlsResult } from '../../../shared/contract/tls-result.ts'
import type { MonitoredParts } from '../monitored-parts.ts'
import { graphRow, metricsByDimension } from './widgets.ts'

export const mailRows = (parts: MonitoredParts): IWidget[][] => [
  graphRow(
    ['Refused or failed at the ingress', refused(parts)],
    ['TLS handshakes failed, by cause', [parts.metrics.search(Metric.tlsHandshakesFailed, 'cause', '')]],
    ['Messages authenticated, by DMARC', authenticated(parts)],
    ['Recipients decided', decided(parts)],
  ),
  graphRow(
    ['TLS requirements not met, recipients without a route', tlsPolicy(parts)],
    ['Recipients delivered, by TLS', delivered(parts)],
    ['TLS sessions with next hops, by result', sessions(parts)],
  ),
  graphRow(
    ['Attempts failed or repeated', attempts(parts)],
    ['DSNs sent', dsns(parts)],
    ['TLS reports', reports(parts)],
  ),
]

const refused = ({ metrics }: MonitoredParts): IMetric[] => [
  metrics.ingress(Metric.tlsHandshakesFailed, { label: 'TLS handshakes failed' }),
  metrics.search(Metric.refused, 'reason', 'Refused:'),
  metrics.ingress(Metric.storageFailures, { label: 'Could not be stored' }),
]

const metricOf = ({ metrics }: MonitoredParts, unit: string) => metrics.function.bind(metrics, unit)

const decided = (parts: MonitoredParts): IMetric[] =>
  metricsByDimension(metricOf(parts, 'evaluate-policy'), Metric.verdicts, 'action', {
    Deliver: 'To deliver',
    Defer: 'Deferred',
    Bounce: 'Bounced',
  })

const authenticated = (parts: MonitoredParts): IMetric[] => {
  const metric = metricOf(parts, 'authenticate-message')
  return [
    ...metricsByDimension(
      metric,
      Metric.authenticated,
      'dmarc',
      Object.fromEntries(
        ['pass', 'fail', 'none', 'temperror', 'permerror'].map((result) => [result, result]),
      ),
    ),
    ...metricsByDimension(metric, Metric.authenticationsFailed, 'reason', {
      ContentDeleted: 'Content deleted',
      Failed: 'Not possible',
      WorkerDied: 'Ended workers',
    }),
  ]
}

function tlsPolicy(parts: MonitoredParts): IMetric[] {
  const metric = metricOf(parts, 'evaluate-policy')
  const deliveryMetric = metricOf(parts, 'deliver-message')
  return [
    metric(Metric.forcedTlsFailures, { label: 'Forced TLS' }),
    metric(Metric.publishedTlsFailures, { label: 'DANE, MTA-STS or REQUIRETLS' }),
    metric(Metric.reportOnlyViolations, { label: 'Report only, inbound' }),
    deliveryMetric(Metric.reportOnlyViolations, { label: 'Report only, outbound' }),
    metric(Metric.unroutedRecipients, { label: 'No route' }),
  ]
}

const delivered = (parts: MonitoredParts): IMetric[] =>
  metricsByDimension(metricOf(parts, 'deliver-message'), Metric.delivered, 'tls', {
    verified: 'TLS, verified certificate',
    encrypted: 'TLS',
    plaintext: 'In the clear',
    unknown: 'Amazon SES',
  })

const sessions = (parts: MonitoredParts): IMetric[] =>
  metricsByDimension(
    metricOf(parts, 'deliver-message'),
    Metric.tlsResults,
    'result',
    Object.fromEntries(TlsResult.options.map((result) => [result, result])),
  )

function attempts(parts: MonitoredParts): IMetric[] {
  const metric = metricOf(parts, 'deliver-message')
  return [
    metric(Metric.attemptsFailed, { label: 'Attempts failed' }),
    metric(Metric.leasesExpired, { label: 'Repeated after a crash' }),
    metric(Metric.repliesLost, { label: 'Message sent, no reply' }),
    metric(Metric.returnedForDecision, { label: 'Decided again, connectors changed' }),
    ...metricsByDimension(metric, Metric.returnedToQueue, 'reason', {
      NoSlot: 'To queue: no slot',
      NoSlotForSlowHost: 'To queue: no slot for slow hosts',
      NoTime: 'To queue: no time',
      SesRate: "To queue: SES's rate",
      SesDailyQuota: "To queue: SES's daily quota",
    }),
  ]
}

const dsns = (parts: MonitoredParts): IMetric[] => [
  ...metricsByDimension(metricOf(parts, 'bounce-message'), Metric.dsnsSent, 'kind', {
    failed: 'Failed',
    delayed: 'Delayed',
    relayed: 'Relayed',
    delivered: 'Delivered',
  }),
  metricOf(parts, 'evaluate-policy')(Metric.ownMailUndelivered, { label: 'DSNs and reports not delivered' }),
]

function reports(parts: MonitoredParts): IMetric[] {
  const metric = metricOf(parts, 'deliver-message')
  const reportMetric = metricOf(parts, 'report-tls')
  return [
    ...metricsByDimension(reportMetric, Metric.tlsReportsSent, 'by', {
      mail: 'Sent by mail',
      https: 'Sent by HTTPS',
    }),
    reportMetric(Metric.tlsReportsFailed, { label: 'Not sent' }),
    reportMetric(Metric.tlsReportsUndeliverable, { label: 'Not accepted' }),
    ...metricsByDimension(metric, Metric.tlsReportsReceived, 'authenticated', {
      pass: 'Received, authenticated',
      fail: 'Received, authentication failed',
      none: 'Received, not authenticated',
    }),
    metric(Metric.tlsReportsIgnored, { label: 'Mail without a report' }),
    metric(Metric.sessionsUncounted, { label: 'Sessions not counted' }),
  ]
}
