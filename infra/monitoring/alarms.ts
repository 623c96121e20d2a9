import { Duration } from 'aws-cdk-lib'
import {
  Metric as CloudWatchMetric,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { byTime, byWaiting } from '../../shared/contract/messages-index.ts'
import { ingressMetricsIntervalMs, Metric } from '../../shared/contract/metrics.ts'
import type { MailMetrics } from '../mail-metrics.ts'
import type { MailQueue } from '../queues/mail-queue.ts'
import type { UnitFunction } from '../unit.ts'
import { Alarm, type AlarmProps } from './alarm.ts'
import type { MonitoredParts } from './monitored-parts.ts'
import { sum } from './sum.ts'

const { LESS_THAN_THRESHOLD, LESS_THAN_OR_EQUAL_TO_THRESHOLD } = ComparisonOperator

/** Every alarm of the deployment. Each has its heading in docs/runbook.md. */
export class Alarms extends Construct {
  readonly all: Alarm[] = []
  private readonly topic: ITopic
  private readonly metrics: MailMetrics

  constructor(scope: Construct, id: string, parts: MonitoredParts, topic: ITopic) {
    super(scope, id)
    this.topic = topic
    this.metrics = parts.metrics
    this.watchCanaries()
    this.watchIngress(parts)
    this.watchQueues(parts)
    this.watchFunctions(parts)
    this.watchFailingJobs()
    this.watchTables(parts)
    this.watchPolicy()
    this.watchSes()
    this.watchNatGateways(parts)
    this.watchReports()
    this.watchExpiry()
    this.watchEvents(parts)
  }

  /**
   * The metric is missing while no canary arrives. A missing value is no breach, because the first canary arrives after
   * the administrator has added the DNS records of the first deployment (see `notifiesOfMissingData`).
   */
  private watchCanaries(): void {
    this.add('CanariesLate', {
      title: 'Mail does not pass in time',
      impact: 'Of the message that is sent through the gateway every minute, none arrived within a minute.',
      metric: this.metrics.function('deliver-message', Metric.canarySeconds, {
        statistic: Stats.MINIMUM,
        period: Duration.minutes(1),
      }),
      threshold: 60,
      periods: 5,
      notifiesOfMissingData: true,
    })
  }

  private watchIngress({ config, ingress }: MonitoredParts): void {
    const noHealthyTasks = this.add('NoHealthyTasks', {
      title: 'No healthy ingress task',
      impact: 'No mail can be received; senders retry, most for days, so mail is late rather than lost.',
      metric: ingress.loadBalancer.healthyTasks(),
      threshold: 1,
      comparison: LESS_THAN_THRESHOLD,
      periods: 3,
      // The balancer reports this metric only while tasks are registered. Missing data, treated as breaching, would raise
      // the alarm in each first deployment. A new alarm has the state INSUFFICIENT_DATA, and its actions follow a change
      // of state, so missing data notifies only after the first data.
      // (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html)
      notifiesOfMissingData: true,
    })
    // The first tasks are registered for minutes before they are healthy. The alarm is created after they are.
    noHealthyTasks.node.addDependency(ingress.service)
    this.add('TooFewTasks', {
      title: 'Too few ingress tasks',
      impact: 'Mail still arrives, but the loss of one more task or zone could stop it.',
      // Each task writes the metric at a fixed interval, so the number of values counts the tasks. ECS has such a count
      // only in Container Insights, whose 37 metrics cost 11 USD a month.
      metric: this.metrics.ingress(Metric.connections, { statistic: Stats.SAMPLE_COUNT, period: taskPeriod }),
      threshold:
        (config.ingress.minimumTasks - 0.5) * (taskPeriod.toMilliseconds() / ingressMetricsIntervalMs),
      comparison: LESS_THAN_THRESHOLD,
      periods: 3,
    })
    this.add('CertificateExpires', {
      title: "The ingress's certificate expires soon",
      impact:
        "Senders that verify the dates of the ingress's certificate (MTA-STS) will defer their mail from the day it expires.",
      metric: this.metrics.ingress(Metric.certificateDaysLeft, {
        statistic: Stats.MINIMUM,
        period: Duration.hours(1),
      }),
      threshold: 10,
      comparison: LESS_THAN_THRESHOLD,
    })
    this.add('CertificatesRefused', {
      title: 'An ingress certificate is refused',
      impact:
        'A new certificate cannot be served, or the served one is invalid: senders that verify it may defer their mail.',
      metric: certificatesRefused(this.metrics),
      threshold: 1,
    })
    this.add('NextCertificateWaiting', {
      title: 'The next certificate waits for its TLSA record',
      impact:
        'The old certificate stays in use until it expires. If the record is then still missing, senders that use DANE defer their mail.',
      // Two hours, because the function runs only once per hour, and the alarm must not end between two runs.
      metric: this.metrics.function('rotate-certificate', Metric.nextCertificateWaiting, {
        period: Duration.hours(2),
      }),
      threshold: 1,
    })
    this.add('CertificateReadsFailed', {
      title: 'The ingress cannot read its certificate',
      impact: 'A new certificate is not served; the old one is served until it expires. Mail flows.',
      metric: this.metrics.ingress(Metric.certificateReadsFailed, { period: Duration.minutes(15) }),
      threshold: 1,
      periods: 4,
    })
    this.add('StorageFailures', {
      title: 'Ingress cannot store messages',
      impact: 'Senders get 451 and keep the message; mail is late until storage works again.',
      metric: this.metrics.ingress(Metric.storageFailures),
      threshold: 5,
    })
    this.add('RecipientChecksFailing', {
      title: 'Recipients cannot be checked',
      impact:
        'Mail flows, but recipients that may not exist are accepted, and their senders get DSNs, which strangers can misuse.',
      metric: this.metrics.ingress(Metric.recipientChecksFailed),
      threshold: 5,
      periods: 3,
    })
  }

  private watchQueues({ queues }: MonitoredParts): void {
    this.watchQueue('Evaluation', [queues.evaluation], 30, {
      dead: 'Accepted messages are neither delivered nor bounced, and their senders get no DSN.',
      late: 'New mail waits for its evaluation, so all mail is late.',
    })
    this.watchQueue('Authentication', [queues.authentication], 15, {
      dead: 'Accepted messages are neither delivered nor bounced, and their senders get no DSN.',
      late: 'Mail from outside waits until its sender is authenticated, so it is late; other mail is not.',
    })
    this.watchQueue('Delivery', queues.deliveries, 15, {
      dead: 'Messages due for delivery are neither delivered nor bounced, and their senders get no DSN.',
      late: 'Mail waits for its delivery attempt, so mail to some or all destinations is late.',
    })
    this.add('UnprovenDeliveryLate', {
      title: 'Mail to unproven destinations is late',
      impact:
        'Mail to domains that have not accepted mail of this gateway before, or DSNs to them, are late; other mail is not.',
      metric: unprovenAge(queues),
      threshold: 15 * 60,
    })
    this.watchQueue('Bounce', [queues.bounce], 30, {
      dead: 'Senders get no DSN for mail that failed or is held, and believe that it arrived.',
      late: 'Senders get DSNs for failed or held mail late.',
    })
  }

  /** @param queues the first is the one whose age is watched */
  private watchQueue(
    stage: string,
    queues: readonly MailQueue[],
    maxAgeMinutes: number,
    impact: { readonly dead: string; readonly late: string },
  ): void {
    this.add(`${stage}DeadLetters`, {
      title: `${stage} dead letters`,
      impact: impact.dead,
      metric: deadLetters(queues),
      threshold: 1,
    })
    this.add(`${stage}Late`, {
      title: `${stage} queue is late`,
      impact: impact.late,
      metric: (queues[0] as MailQueue).queue.metricApproximateAgeOfOldestMessage({
        statistic: Stats.MAXIMUM,
      }),
      threshold: maxAgeMinutes * 60,
    })
  }

  private watchFunctions({ functions, api, pages }: MonitoredParts): void {
    this.watchErrors(
      'evaluate-policy',
      functions.evaluate,
      'Some messages wait until their evaluation is retried.',
    )
    this.watchErrors(
      'authenticate-message',
      functions.authenticate,
      'Some mail from outside waits four minutes until its authentication is retried.',
    )
    this.watchErrors('deliver-message', functions.deliver, 'Some deliveries wait ten minutes for a retry.')
    this.watchErrors('bounce-message', functions.bounce, 'Some senders get DSNs late.')
    this.watchErrors(
      'connector-api',
      functions.api,
      'Administrators cannot change or see connectors; mail flows on.',
    )
    this.watchErrors(
      'validate-connector',
      functions.validate,
      'Administrators cannot validate outbound connectors; mail flows on.',
    )
    this.watchErrors('event-api', functions.eventApi, 'Administrators cannot read reports; mail flows on.')
    this.watchErrors('report-tls', functions.report, 'Other domains get TLS reports late or not at all.')
    this.watchErrors(
      'watch-expiry',
      functions.expiryWatch,
      'Notices of certificates that expire soon are missing; mail flows on until one expires.',
    )
    this.watchErrors(
      'rotate-certificate',
      functions.rotate,
      'A renewed certificate is neither announced nor served, and partners get no notice; the old one stays in use.',
    )
    this.watchErrors('record-events', functions.record, 'Some events wait until they are stored again.')
    this.watchErrors('seal-hour', functions.seal, 'Reports lack an hour until a later run seals it.')
    this.watchErrors('erase-address', functions.erase, 'An erasure is incomplete; mail flows on.')
    if (functions.console !== undefined)
      this.watchErrors('console', functions.console, 'The console does not open; the API and mail flow on.')
    if (functions.summary !== undefined)
      this.watchErrors(
        'send-summary',
        functions.summary,
        'Administrators get no summary of the day by mail; mail flows on.',
      )
    this.add('Throttles', {
      title: 'Functions are throttled',
      impact: 'Mail waits for its decision, delivery or DSN, or requests to the API fail.',
      metric: throttles(functions),
      threshold: 10,
      periods: 3,
    })
    this.add('ApiServerErrors', {
      title: 'API answers 5xx',
      impact: 'Changes of connectors fail or stay unconfirmed; mail flows with the connectors last saved.',
      metric: api.serverErrors(),
      threshold: 5,
    })
    this.add('PagesServerErrors', {
      title: 'Public pages answer 5xx',
      impact:
        'Partners cannot read the certificates, and senders cannot fetch the MTA-STS policy; senders with a cached policy keep using it.',
      metric: pages.api.metricServerError({ statistic: Stats.SUM, period: Duration.minutes(5) }),
      threshold: 5,
    })
  }

  /** A failed record is no error of its function, and SQS leaves it out of the age of the oldest message. */
  private watchFailingJobs(): void {
    this.add('JobsFailing', {
      title: 'Jobs keep failing',
      impact:
        'Mail, DSNs or events wait, because their jobs have failed for a quarter of an hour and are retried.',
      metric: failingJobs(this.metrics),
      threshold: 1,
    })
  }

  private watchTables({ tables }: MonitoredParts): void {
    this.add('TableThrottles', {
      title: 'Tables are throttled',
      impact: 'Mail waits, because DynamoDB refuses some requests, which are repeated.',
      metric: tableThrottleEvents(tables),
      threshold: 10,
      periods: 3,
    })
  }

  private watchErrors(unit: string, handler: UnitFunction, impact: string): void {
    const metric = handler.metricErrors({ statistic: Stats.SUM, period: Duration.minutes(5) })
    this.add(`Errors-${unit}`, { title: `Errors in ${unit}`, impact, metric, threshold: 3 })
  }

  private watchPolicy(): void {
    this.add('ForcedTlsFailures', {
      title: 'Forced TLS is not met',
      impact:
        'A connector holds or bounces mail of or to its partner: TLS, certificate or address does not meet its requirements.',
      metric: this.metrics.function('evaluate-policy', Metric.forcedTlsFailures),
      threshold: 1,
    })
    this.add('UnknownCertificates', {
      title: 'A partner presents an unknown certificate',
      impact:
        'Mail of a partner, or of an impostor, is refused, held or bounced because of an unknown certificate.',
      metric: this.metrics.ingress(Metric.unknownCertificates),
      threshold: 1,
    })
    this.add('UnroutedRecipients', {
      title: 'Recipients without a route',
      impact:
        'Mail for an accepted domain is held, because no outbound connector routes it to its mailboxes.',
      metric: this.metrics.function('evaluate-policy', Metric.unroutedRecipients),
      threshold: 1,
    })
    this.add('ClientCertificatesUnusable', {
      title: 'A client certificate cannot be used',
      impact: 'Mail through a connector is deferred, because its client certificate is missing or unusable.',
      metric: this.metrics.function('deliver-message', Metric.clientCertificatesUnusable),
      threshold: 1,
    })
    this.add('LeasesExpired', {
      title: 'Deliveries repeated',
      impact: 'A delivery crashed and was repeated, so a recipient may get a message twice.',
      metric: this.metrics.function('deliver-message', Metric.leasesExpired),
      threshold: 1,
    })
  }

  private watchSes(): void {
    this.add('SesUnavailable', {
      title: 'Amazon SES refuses the account',
      impact:
        'Mail through Amazon SES waits: the account, an identity or a configuration set cannot send, or the daily quota is used up.',
      metric: this.metrics.function('deliver-message', Metric.sesUnavailable),
      threshold: 1,
    })
    this.add('SesQuotaUsed', {
      title: 'Amazon SES quota is nearly used up',
      impact: 'Mail through Amazon SES waits as soon as the quota of 24 hours is used up.',
      metric: this.metrics.function('deliver-message', Metric.sesQuotaUsed, { statistic: Stats.MAXIMUM }),
      threshold: 80,
    })
    this.add('SesReputation', {
      title: 'Amazon SES may pause the account',
      impact: 'Mail through Amazon SES stops if AWS pauses the account because of bounces or complaints.',
      metric: sesReputation(),
      threshold: 1,
    })
  }

  private watchNatGateways({ network: { natGatewayIds } }: MonitoredParts): void {
    if (natGatewayIds.length === 0) return
    this.add('NatPortErrors', {
      title: 'A NAT gateway has no free port',
      impact: 'New connections to a destination fail, so mail to it is late.',
      metric: natPortErrors(natGatewayIds),
      threshold: 1,
    })
  }

  private watchReports(): void {
    this.add('TlsReportsFailed', {
      title: 'TLS reports are not sent',
      impact: 'Domains that request a daily TLS report get none for a day; mail flows on.',
      metric: this.metrics.function('report-tls', Metric.tlsReportsFailed),
      threshold: 1,
    })
  }

  private watchExpiry(): void {
    const daysLeft = (metric: string) =>
      this.metrics.function('watch-expiry', metric, { statistic: Stats.MINIMUM, period: Duration.days(1) })
    this.add('PartnerCertificateExpires', {
      title: "A partner's certificate expires",
      impact:
        'Within three days mail from or to a partner stops: its certificate expires, and a verified one is required.',
      metric: daysLeft(Metric.partnerCertificateDaysLeft),
      threshold: 3,
      comparison: LESS_THAN_OR_EQUAL_TO_THRESHOLD,
    })
    this.add('OpenRelays', {
      title: 'A connector is an open relay',
      impact: 'Strangers may send mail through the gateway, and other systems then refuse its addresses.',
      metric: this.metrics.function('watch-expiry', Metric.openRelays, {
        statistic: Stats.MAXIMUM,
        period: Duration.days(1),
      }),
      threshold: 1,
    })
    this.add('OwnCertificateExpires', {
      title: 'An ingress or client certificate expires',
      impact:
        'Within three days the certificate expires: senders then distrust the ingress, or mail through a connector is deferred.',
      metric: daysLeft(Metric.ownCertificateDaysLeft),
      threshold: 3,
      comparison: LESS_THAN_OR_EQUAL_TO_THRESHOLD,
    })
  }

  private watchEvents({ queues }: MonitoredParts): void {
    this.watchQueue('Events', [queues.events], 15, {
      dead: 'Reports miss events of these messages; mail flows on.',
      late: 'Reports and the list of rejected sessions lag behind; mail flows on.',
    })
    this.add('EventsMissing', {
      title: 'Events are missing',
      impact: 'Reports count too little: the message trace has messages of which an event was lost.',
      metric: this.metrics.function('seal-hour', Metric.eventsMissing, { period: Duration.hours(1) }),
      threshold: 1,
    })
    this.add('HoursUnsealed', {
      title: 'Hours are not sealed',
      impact:
        'Reports lack hours; after two days they are sealed by hand only, and after seven days they are lost.',
      // Two hours, because each run publishes the metric once, and the alarm must not end between two runs.
      metric: this.metrics.function('seal-hour', Metric.hoursUnsealed, {
        statistic: Stats.MAXIMUM,
        period: Duration.hours(2),
      }),
      threshold: 1,
      notifiesOfMissingData: true,
    })
  }

  private add(id: string, props: AlarmProps): Alarm {
    const alarm = new Alarm(this, id, props, this.topic)
    this.all.push(alarm)
    return alarm
  }
}

/** The period over which the values of the tasks are counted. */
const taskPeriod = Duration.minutes(5)

/** Sums over two hours: rotate-certificate runs only once per hour, and the alarm must not end between two runs. */
function certificatesRefused(metrics: MailMetrics): IMetric {
  const period = Duration.hours(2)
  return sum('Certificates refused', period, {
    ingress: metrics.ingress(Metric.certificatesRefused, { period }),
    rotation: metrics.function('rotate-certificate', Metric.certificatesRefused, { period }),
  })
}

/** The number of dead letters of all the queues. */
function deadLetters(queues: readonly MailQueue[]): IMetric {
  const metrics = queues.map(({ deadLetters }) =>
    deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM }),
  )
  if (metrics.length === 1) return metrics[0] as IMetric
  return sum(
    'Dead letters',
    Duration.minutes(5),
    Object.fromEntries(metrics.map((metric, index) => [`dead${index}`, metric])),
  )
}

/** Sums over half an hour, because a job may fail only once in that time. */
function failingJobs(metrics: MailMetrics): IMetric {
  const period = Duration.minutes(30)
  const ofUnit = (unit: string) => metrics.function(unit, Metric.jobsFailing, { period })
  return new MathExpression({
    label: 'Failing jobs',
    expression:
      'FILL(evaluation, 0) + FILL(authentication, 0) + FILL(delivery, 0) + FILL(bounce, 0) + FILL(events, 0)',
    usingMetrics: {
      evaluation: ofUnit('evaluate-policy'),
      authentication: ofUnit('authenticate-message'),
      delivery: ofUnit('deliver-message'),
      bounce: ofUnit('bounce-message'),
      events: ofUnit('record-events'),
    },
    period,
  })
}

/** The age of the oldest mail to unproven destinations; DSNs to them may wait four times as long. */
function unprovenAge({ unprovenDelivery, lowPriorityDelivery }: MonitoredParts['queues']): IMetric {
  const age = ({ queue }: MailQueue) =>
    queue.metricApproximateAgeOfOldestMessage({ statistic: Stats.MAXIMUM })
  return new MathExpression({
    label: 'Age, s',
    expression: 'MAX([FILL(unproven, 0), FILL(low, 0) / 4])',
    usingMetrics: { unproven: age(unprovenDelivery), low: age(lowPriorityDelivery) },
  })
}

/**
 * The account's bounces and complaints in this Region, as parts of the rates at which SES reviews an account: 5 % and
 * 0.1 % (https://docs.aws.amazon.com/ses/latest/dg/reputationdashboardmessages.html). SES pauses an account at 10 % and
 * 0.5 %.
 */
function sesReputation(): IMetric {
  const period = Duration.hours(1)
  const rate = (metricName: string) =>
    new CloudWatchMetric({ namespace: 'AWS/SES', metricName, statistic: Stats.AVERAGE, period })
  return new MathExpression({
    label: 'Part of the permitted rate',
    expression: 'MAX([FILL(bounces, 0) / 0.05, FILL(complaints, 0) / 0.001])',
    usingMetrics: { bounces: rate('Reputation.BounceRate'), complaints: rate('Reputation.ComplaintRate') },
    period,
  })
}

/**
 * A gateway has 55,000 ports for one destination
 * (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway-cloudwatch.html, `ErrorPortAllocation`).
 */
function natPortErrors(natGatewayIds: readonly string[]): IMetric {
  const period = Duration.minutes(5)
  const errors = (NatGatewayId: string) =>
    new CloudWatchMetric({
      namespace: 'AWS/NATGateway',
      metricName: 'ErrorPortAllocation',
      dimensionsMap: { NatGatewayId },
      statistic: Stats.SUM,
      period,
    })
  const metrics = natGatewayIds.map((id, index) => [`gateway${index}`, errors(id)])
  return sum('Port errors', period, Object.fromEntries(metrics))
}

/**
 * Of the functions for mail and connectors. An alarm permits ten metrics. Throttled functions for events show in their
 * late queue, in unsealed hours and in answers with 5xx.
 */
function throttles({
  record: _record,
  seal: _seal,
  erase: _erase,
  eventApi: _eventApi,
  summary: _summary,
  console: _console,
  ...functions
}: MonitoredParts['functions']): IMetric {
  const metricEntries = Object.entries(functions).map(([name, handler]) => [
    name,
    handler.metricThrottles({ statistic: Stats.SUM }),
  ])
  return sum('Throttles', Duration.minutes(5), Object.fromEntries(metricEntries))
}

/**
 * Counts refused reads and writes. The events of an index have a dimension of their own
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html).
 */
function tableThrottleEvents({ messages, connectors, transport }: MonitoredParts['tables']): IMetric {
  const period = Duration.minutes(5)
  const throttleEvents = (
    name: string,
    metricName: string,
    tableName: string,
    index?: string,
  ): [string, IMetric] => {
    const dimensionsMap = { TableName: tableName, ...(index && { GlobalSecondaryIndexName: index }) }
    const options = { namespace: 'AWS/DynamoDB', metricName, dimensionsMap, statistic: Stats.SUM, period }
    return [name, new CloudWatchMetric(options)]
  }
  const ofTables = Object.entries({ messages, connectors, transport }).flatMap(([name, { table }]) => [
    throttleEvents(`${name}Reads`, 'ReadThrottleEvents', table.tableName),
    throttleEvents(`${name}Writes`, 'WriteThrottleEvents', table.tableName),
  ])
  const ofIndexes = [byTime, byWaiting].map((index) =>
    throttleEvents(`${index}Writes`, 'WriteThrottleEvents', messages.table.tableName, index),
  )
  return sum('Throttle events', period, Object.fromEntries([...ofTables, ...ofIndexes]))
}
