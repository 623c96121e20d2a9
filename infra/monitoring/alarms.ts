import { Duration } from 'aws-cdk-lib'
import {
  Metric as CloudWatchMetric,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { Metric } from '../../shared/contract/metrics.ts'
import { functionMetric, ingressMetric } from '../mail-metric.ts'
import type { MailQueue } from '../queues/mail-queue.ts'
import type { UnitFunction } from '../unit.ts'
import { Alarm, type AlarmProps } from './alarm.ts'
import type { Monitored } from './monitored.ts'

const { LESS_THAN_THRESHOLD, LESS_THAN_OR_EQUAL_TO_THRESHOLD } = ComparisonOperator

/** Every alarm of the deployment. Each has its heading in docs/runbook.md. */
export class Alarms extends Construct {
  private readonly topic: ITopic | undefined

  constructor(scope: Construct, id: string, parts: Monitored, topic?: ITopic) {
    super(scope, id)
    this.topic = topic
    this.watchIngress(parts)
    this.watchQueues(parts)
    this.watchFunctions(parts)
    this.watchPolicy()
    this.watchReports()
    this.watchExpiry()
  }

  private watchIngress({ config, ingress }: Monitored): void {
    const minute = Duration.minutes(1)
    this.add('NoHealthyTasks', {
      title: 'No healthy ingress task',
      impact: 'Nobody can send us mail; senders retry, most for days, so mail is late rather than lost.',
      metric: ingress.frontDoor.targets.metrics.healthyHostCount({
        statistic: Stats.MAXIMUM,
        period: minute,
      }),
      threshold: 1,
      comparison: LESS_THAN_THRESHOLD,
      periods: 2,
      missing: TreatMissingData.BREACHING,
    })
    this.add('TooFewTasks', {
      title: 'Too few ingress tasks',
      impact: 'Mail still arrives, but the loss of one more task or zone could stop it.',
      metric: runningTasks(ingress.service),
      threshold: config.ingress.minimumTasks,
      comparison: LESS_THAN_THRESHOLD,
      periods: 3,
    })
    this.add('CertificateExpires', {
      title: "The ingress's certificate expires soon",
      impact:
        'Senders that verify our certificate (DANE, MTA-STS) will hold our mail from the day it expires.',
      metric: ingressMetric(Metric.certificateDaysLeft, {
        statistic: Stats.MINIMUM,
        period: Duration.hours(1),
      }),
      threshold: 10,
      comparison: LESS_THAN_THRESHOLD,
    })
    this.add('CertificatesRefused', {
      title: 'A certificate of ours is refused',
      impact:
        'A new certificate is not fit to be served, or the one that is served is at fault: senders that verify it may hold our mail.',
      metric: certificatesRefused(),
      threshold: 1,
    })
    this.add('CertificateReadsFailed', {
      title: 'The ingress cannot read its certificate',
      impact: 'A new certificate is not noticed; the old one is served until it expires. Mail flows.',
      metric: ingressMetric(Metric.certificateReadsFailed, { period: Duration.minutes(15) }),
      threshold: 1,
      periods: 4,
    })
    this.add('StorageFailures', {
      title: 'Ingress cannot store messages',
      impact: 'Senders are told 451 and keep the message; mail is late until storage works again.',
      metric: ingressMetric(Metric.storageFailures),
      threshold: 5,
    })
  }

  private watchQueues({ queues }: Monitored): void {
    this.watchQueue('Evaluation', queues.evaluation, 30, {
      dead: 'Messages we answered 250 for are neither delivered nor bounced, and nobody will be told.',
      late: 'New mail waits undecided, so all mail is late.',
    })
    this.watchQueue('Delivery', queues.delivery, 15, {
      dead: 'Recipients whose delivery was decided are neither served nor bounced, and nobody will be told.',
      late: 'Decided mail waits to be tried, so mail to some or all destinations is late.',
    })
    this.watchQueue('Bounce', queues.bounce, 30, {
      dead: 'Senders are not told that their mail failed or is held, and believe it arrived.',
      late: 'Senders hear late that their mail failed or is held.',
    })
  }

  private watchQueue(
    stage: string,
    { queue, deadLetters }: MailQueue,
    lateAfterMinutes: number,
    impact: { readonly dead: string; readonly late: string },
  ): void {
    this.add(`${stage}DeadLetters`, {
      title: `${stage} dead letters`,
      impact: impact.dead,
      metric: deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM }),
      threshold: 1,
    })
    this.add(`${stage}Late`, {
      title: `${stage} queue is late`,
      impact: impact.late,
      metric: queue.metricApproximateAgeOfOldestMessage({ statistic: Stats.MAXIMUM }),
      threshold: lateAfterMinutes * 60,
    })
  }

  private watchFunctions({ functions, api, pages }: Monitored): void {
    this.watchErrors(
      'evaluate-policy',
      functions.evaluate,
      'Some messages wait undecided until the next try.',
    )
    this.watchErrors(
      'deliver-message',
      functions.deliver,
      'Some deliveries wait ten minutes for the next try.',
    )
    this.watchErrors('bounce-message', functions.bounce, 'Some senders hear late that their mail failed.')
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
    this.watchErrors(
      'report-tls',
      functions.report,
      'Other domains get our reports on TLS late or not at all.',
    )
    this.watchErrors(
      'foresee-expiry',
      functions.foresight,
      'Nobody hears that a certificate is about to expire; mail flows on until it does.',
    )
    this.watchErrors(
      'rotate-certificate',
      functions.rotate,
      'A renewed certificate is not announced or put in place, and partners are not told; the old one is served on.',
    )
    this.add('Throttles', {
      title: 'Functions are throttled',
      impact: 'Mail is decided, delivered or bounced more slowly than it arrives.',
      metric: throttles(functions),
      threshold: 10,
      periods: 3,
    })
    this.add('ApiServerErrors', {
      title: 'API answers 5xx',
      impact: 'Changes of connectors fail or stay unconfirmed; mail flows on under the rules last saved.',
      metric: api.api.metricServerError({ statistic: Stats.SUM, period: Duration.minutes(5) }),
      threshold: 5,
    })
    this.add('PagesServerErrors', {
      title: 'Public pages answer 5xx',
      impact:
        'Partners cannot read our certificates, nor senders our MTA-STS policy; those who know it keep to it.',
      metric: pages.api.metricServerError({ statistic: Stats.SUM, period: Duration.minutes(5) }),
      threshold: 5,
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
        'A connector holds or bounces mail of or to its partner: TLS, certificate or address is not as it demands.',
      metric: functionMetric('evaluate-policy', Metric.forcedTlsFailures),
      threshold: 1,
    })
    this.add('UnknownCertificates', {
      title: 'A partner presents an unknown certificate',
      impact:
        'A partner, or somebody in its name, is refused, held or bounced for a certificate we do not know.',
      metric: ingressMetric(Metric.unknownCertificates),
      threshold: 1,
    })
    this.add('UnroutedRecipients', {
      title: 'Recipients without a route',
      impact: 'Mail for our own domain is held, since no outbound connector says where its mailboxes are.',
      metric: functionMetric('evaluate-policy', Metric.unroutedRecipients),
      threshold: 1,
    })
    this.add('ClientCertificatesUnusable', {
      title: 'A client certificate cannot be used',
      impact:
        'Mail by a connector waits, since the certificate that it shows to its partner is missing or of no use.',
      metric: functionMetric('deliver-message', Metric.clientCertificatesUnusable),
      threshold: 1,
    })
    this.add('LeasesExpired', {
      title: 'Deliveries repeated',
      impact: 'A delivery died in the middle and was made again, so a recipient may hold a message twice.',
      metric: functionMetric('deliver-message', Metric.leasesExpired),
      threshold: 1,
    })
  }

  private watchReports(): void {
    this.add('TlsReportsFailed', {
      title: 'Reports on TLS are not sent',
      impact: 'Domains that asked for our daily report on TLS get none for a day; mail flows on.',
      metric: functionMetric('report-tls', Metric.tlsReportsFailed),
      threshold: 1,
    })
  }

  private watchExpiry(): void {
    const daysLeft = (metric: string) =>
      functionMetric('foresee-expiry', metric, { statistic: Stats.MINIMUM, period: Duration.days(1) })
    this.add('PartnerCertificateExpires', {
      title: "A partner's certificate expires",
      impact:
        'Within three days mail of or to a partner stops, since its certificate is verified and expires.',
      metric: daysLeft(Metric.partnerCertificateDaysLeft),
      threshold: 3,
      comparison: LESS_THAN_OR_EQUAL_TO_THRESHOLD,
    })
    this.add('OwnCertificateExpires', {
      title: 'A certificate of ours expires',
      impact: 'Within three days senders distrust our ingress, or mail by a connector waits: ours expires.',
      metric: daysLeft(Metric.ownCertificateDaysLeft),
      threshold: 3,
      comparison: LESS_THAN_OR_EQUAL_TO_THRESHOLD,
    })
  }

  private add(id: string, props: AlarmProps): void {
    new Alarm(this, id, props, this.topic)
  }
}

/** Container Insights counts tasks that run; ECS's own metrics do not. */
function runningTasks({ cluster, serviceName }: Monitored['ingress']['service']): IMetric {
  return new CloudWatchMetric({
    namespace: 'ECS/ContainerInsights',
    metricName: 'RunningTaskCount',
    dimensionsMap: { ClusterName: cluster.clusterName, ServiceName: serviceName },
    statistic: Stats.MINIMUM,
    period: Duration.minutes(5),
  })
}

/** The ingress looks every few minutes, and rotation every hour. */
function certificatesRefused(): IMetric {
  const period = Duration.hours(2)
  return new MathExpression({
    label: 'Certificates refused',
    expression: 'FILL(ingress, 0) + FILL(rotation, 0)',
    usingMetrics: {
      ingress: ingressMetric(Metric.certificatesRefused, { period }),
      rotation: functionMetric('rotate-certificate', Metric.certificatesRefused, { period }),
    },
    period,
  })
}

function throttles(functions: Monitored['functions']): IMetric {
  const named = Object.entries(functions).map(([name, handler]) => [
    name,
    handler.metricThrottles({ statistic: Stats.SUM }),
  ])
  return new MathExpression({
    label: 'Throttles',
    expression: Object.keys(functions).join(' + '),
    usingMetrics: Object.fromEntries(named),
    period: Duration.minutes(5),
  })
}
