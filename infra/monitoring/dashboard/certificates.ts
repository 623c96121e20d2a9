/** The dashboard's section on certificates. */
import { Duration } from 'aws-cdk-lib'
import {
  Color,
  type IMetric,
  type IWidget,
  MathExpression,
  Stats,
  TableLayout,
  TableThreshold,
  TableWidget,
} from 'aws-cdk-lib/aws-cloudwatch'
import { Metric } from '../../../shared/contract/metrics.ts'
import type { MailMetrics } from '../../mail-metrics.ts'
import type { MonitoredParts } from '../monitored-parts.ts'
import { graphRow } from './widgets.ts'

/** The watch runs once per day, so a widget shows the last days. */
const start = '-P3D'
const day = Duration.days(1)

export const daysLeft = (metrics: MailMetrics, metric: string, label: string): IMetric =>
  metrics.function('watch-expiry', metric, { statistic: Stats.MINIMUM, period: day, label })

export const certificateRows = (parts: MonitoredParts): IWidget[][] => [
  [...connectorTables(parts)],
  graphRow(
    ['Days until a certificate expires', expiryMetrics(parts), { start: '-P30D' }],
    ['Changed certificates', changedCertificates(parts)],
    ['Unknown certificates', unknownCertificates(parts)],
  ),
]

const connectorTables = ({ metrics }: MonitoredParts): IWidget[] =>
  [
    ['Days until a partner certificate expires, by connector', Metric.partnerCertificateDaysLeft] as const,
    ['Days until a client certificate expires, by connector', Metric.ownCertificateDaysLeft] as const,
  ].map(
    ([title, metric]) =>
      new TableWidget({
        title,
        metrics: [firstToExpire(metrics, metric)],
        layout: TableLayout.HORIZONTAL,
        thresholds: [TableThreshold.below(4, Color.RED), TableThreshold.between(4, 30, Color.ORANGE)],
        start,
        width: 12,
        height: 5,
      }),
  )

/** The ten connectors whose certificates expire first. */
const firstToExpire = (metrics: MailMetrics, metric: string): IMetric =>
  new MathExpression({
    expression: `SORT(${metrics.searchExpression(metric, 'connector', { unit: 'watch-expiry', statistic: 'Minimum', period: day })}, MIN, ASC, 10)`,
    usingMetrics: {},
    label: '',
    period: day,
  })

const expiryMetrics = ({ metrics }: MonitoredParts): IMetric[] => [
  daysLeft(metrics, Metric.partnerCertificateDaysLeft, 'Verified partner certificates'),
  daysLeft(metrics, Metric.ownCertificateDaysLeft, 'Ingress and client certificates'),
  metrics.ingress(Metric.certificateDaysLeft, {
    statistic: Stats.MINIMUM,
    period: day,
    label: 'Ingress certificate',
  }),
]

const changedCertificates = ({ metrics }: MonitoredParts): IMetric[] => [
  metrics.search(Metric.partnerCertificatesChanged, 'connector', ''),
  ...['evaluate-policy', 'deliver-message'].map((unit) =>
    metrics.function(unit, Metric.certificatesUnwritten, { label: `Not recorded (${unit})` }),
  ),
]

const unknownCertificates = ({ metrics }: MonitoredParts): IMetric[] => [
  metrics.search(Metric.unknownCertificates, 'connector', ''),
  metrics.ingress(Metric.noticesFailed, { label: 'Notices not sent (ingress)' }),
  metrics.function('evaluate-policy', Metric.noticesFailed, { label: 'Notices not published' }),
]
