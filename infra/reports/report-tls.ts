import { createHash } from 'node:crypto'
import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import { reportHours } from '../../shared/contract/report-schedule.ts'
import { type Config, reporterOf } from '../config.ts'
import type { OutboundMail } from '../delivery/outbound-mail.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ContentBucket } from '../storage/content-bucket.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction } from '../unit.ts'
import { grantDkimKey } from './dkim-key.ts'

export interface ReportTlsProps {
  readonly config: Config
  readonly outboundMail: OutboundMail
  readonly queues: MailQueues
  readonly content: ContentBucket
  readonly transport: TransportTable
}

/** Sends other domains a daily TLS report on mailflow's sessions with them. */
export class ReportTls extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, props: ReportTlsProps) {
    super(scope, id)
    const { config, outboundMail, queues, content, transport } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'report-tls',
      description: 'Sends the daily TLS reports to the domains that request them',
      config,
      limits: config.functions.report,
      ...outboundMail.placement,
    })
    outboundMail.setNetworkEnvironment(this.handler)
    transport.grantReporting(this.handler)
    content.grantWrite(this.handler)
    queues.evaluation.grantSend(this.handler)
    this.setReporterEnvironment(config)
    new Rule(this, 'Schedule', {
      description: 'When the reports on the previous day are sent, and retried',
      schedule: Schedule.cron({ minute: String(scheduleMinute(config)), hour: reportHours.join(',') }),
      targets: [new LambdaFunction(this.handler, { retryAttempts: 2, maxEventAge: Duration.hours(1) })],
    })
  }

  private setReporterEnvironment(config: Config): void {
    const { organisation, address } = reporterOf(config)
    this.handler.addEnvironment('TLS_REPORTER_ORGANISATION', organisation)
    this.handler.addEnvironment('TLS_REPORTER_ADDRESS', address)
    grantDkimKey(this.handler, config)
  }
}

/** Spreads deployments over the hour (RFC 8460 §4.1), each always at the same minute. */
const scheduleMinute = ({ hostname }: Config): number =>
  createHash('sha256').update(hostname).digest().readUInt16BE(0) % 60
