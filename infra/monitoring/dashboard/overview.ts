/** The first screen of the dashboard: whether mail flows, TLS, deferred mail, failing partners, certificates. */
import { Duration } from 'aws-cdk-lib'
import {
  AlarmStatusWidget,
  AlarmStatusWidgetSortBy,
  type CfnInsightRule,
  Column,
  GraphWidget,
  type IAlarm,
  type IMetric,
  type IWidget,
  MathExpression,
  SingleValueWidget,
  Stats,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch'
import { Metric } from '../../../shared/contract/metrics.ts'
import type { MailMetrics } from '../../mail-metrics.ts'
import type { MonitoredParts } from '../monitored-parts.ts'
import { sum } from '../sum.ts'
import { daysLeft } from './certificates.ts'
import { labelledQueues } from './infrastructure.ts'
import { columns, metricsByDimension, TopContributors } from './widgets.ts'

const fiveMinutes = Duration.minutes(5)

const text = `**Is mail flowing?** Alarms in state ALARM come first, and docs/runbook.md has a section for each. Accepted and delivered mail rise and fall together. The canary is a test message that passes the whole gateway each minute. Deferred mail is tried again within 15 minutes. Dead letters wait for an administrator.`

export const overviewRows = (
  parts: MonitoredParts,
  alarms: IAlarm[],
  failures: CfnInsightRule,
): IWidget[][] => [
  [new TextWidget({ markdown: text, width: columns, height: 2 })],
  [alarmStates(alarms), new Column(flowNumbers(parts), waitingNumbers(parts))],
  [...tlsVersions(parts), deferredMail(parts), failingPartners(failures), certificateDays(parts)],
]

const alarmStates = (alarms: IAlarm[]): IWidget =>
  new AlarmStatusWidget({
    title: 'Alarms',
    alarms,
    sortBy: AlarmStatusWidgetSortBy.STATE_UPDATED_TIMESTAMP,
    width: 12,
    height: 8,
  })

const numbers = (title: string, metrics: IMetric[]): IWidget =>
  new SingleValueWidget({ title, metrics, sparkline: true, width: 12, height: 4 })

const flowNumbers = ({ metrics }: MonitoredParts): IWidget =>
  numbers('Mail in five minutes', [
    sum('Messages accepted', fiveMinutes, {
      negotiatedMessages: acceptedWith(metrics, 'negotiated'),
      plaintextMessages: acceptedWith(metrics, 'plaintext'),
    }),
    sum('Recipients delivered', fiveMinutes, {
      verified: deliveredWith(metrics, 'verified'),
      encrypted: deliveredWith(metrics, 'encrypted'),
      plaintext: deliveredWith(metrics, 'plaintext'),
      unknown: deliveredWith(metrics, 'unknown'),
    }),
    new MathExpression({
      label: 'Refused',
      expression: `SUM(${metrics.searchExpression(Metric.refused, 'reason')})`,
      usingMetrics: {},
      period: fiveMinutes,
    }),
    metrics.function('deliver-message', Metric.canarySeconds, {
      label: 'Canary, seconds',
      statistic: Stats.AVERAGE,
    }),
  ])

const acceptedWith = (metrics: MailMetrics, tls: string) =>
  metrics.ingress(Metric.messagesAccepted, { dimensionsMap: { tls } })

const deliveredWith = (metrics: MailMetrics, tls: string) =>
  metrics.function('deliver-message', Metric.delivered, { dimensionsMap: { tls } })

const waitingNumbers = (parts: MonitoredParts): IWidget =>
  numbers('Mail that waits', [deferredMessages(parts), oldestDeferred(parts), allDeadLetters(parts)])

/** A deferral is a delayed job on the evaluation queue. */
const deferredMessages = ({ queues }: MonitoredParts): IMetric =>
  queues.evaluation.queue.metricApproximateNumberOfMessagesDelayed({ label: 'Deferred messages, about' })

/**
 * SQS cannot know this age: a deferred message has a new job every quarter of an hour, at which the function publishes
 * the message's age.
 */
const oldestDeferred = ({ metrics }: MonitoredParts): IMetric =>
  new MathExpression({
    label: 'Oldest deferred message, hours',
    expression: 'seconds / 3600',
    usingMetrics: {
      seconds: metrics.function('evaluate-policy', Metric.deferredAge, {
        statistic: Stats.MAXIMUM,
        period: Duration.minutes(15),
      }),
    },
    period: Duration.minutes(15),
  })

const allDeadLetters = (parts: MonitoredParts): IMetric =>
  sum(
    'Dead letters',
    fiveMinutes,
    Object.fromEntries(
      labelledQueues(parts).map(([, { deadLetters }], index) => [
        `dead${index}`,
        deadLetters.metricApproximateNumberOfMessagesVisible(),
      ]),
    ),
  )

const tlsLabels = { 'TLSv1.3': 'TLS 1.3', 'TLSv1.2': 'TLS 1.2', none: 'In the clear' }

const stacked = (title: string, left: IMetric[]): IWidget =>
  new GraphWidget({ title, left, stacked: true, width: 5 })

const tlsVersions = ({ metrics }: MonitoredParts): IWidget[] => [
  stacked(
    'TLS of messages received',
    metricsByDimension(metrics.ingress.bind(metrics), Metric.acceptedByTlsVersion, 'version', tlsLabels),
  ),
  stacked(
    'TLS of recipients delivered',
    metricsByDimension(
      metrics.function.bind(metrics, 'deliver-message'),
      Metric.deliveredByTlsVersion,
      'version',
      { ...tlsLabels, unknown: 'Amazon SES' },
    ),
  ),
]

const deferredMail = (parts: MonitoredParts): IWidget =>
  new GraphWidget({
    title: 'Deferred mail',
    left: [deferredMessages(parts)],
    right: [oldestDeferred(parts)],
    width: 5,
  })

const failingPartners = (rule: CfnInsightRule): IWidget =>
  new TopContributors({ title: 'Connectors whose forced TLS fails most', rule, width: 5 })

const certificateDays = ({ metrics }: MonitoredParts): IWidget =>
  new SingleValueWidget({
    title: 'Days until a certificate expires',
    metrics: [
      daysLeft(metrics, Metric.ownCertificateDaysLeft, 'Ours'),
      daysLeft(metrics, Metric.partnerCertificateDaysLeft, 'Partners'),
    ],
    // The metric has one value per day.
    start: '-P3D',
    width: 4,
    height: 6,
  })
