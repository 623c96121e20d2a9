import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import { summaryHours, summaryMinute } from '../../shared/contract/summary-schedule.ts'
import { type Config, type Summaries, summaryLimits, summarySender } from '../config.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ContentBucket } from '../storage/content-bucket.ts'
import type { EventsBucket } from '../storage/events-bucket.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction } from '../unit.ts'
import { grantDkimKey } from './dkim-key.ts'

export interface SendSummaryProps {
  readonly config: Config
  readonly summaries: Summaries
  readonly queues: MailQueues
  readonly content: ContentBucket
  readonly events: EventsBucket
  readonly messages: MessagesTable
  readonly transport: TransportTable
}

/** Mails administrators what was sent and refused on a day or in a week. */
export class SendSummary extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, props: SendSummaryProps) {
    super(scope, id)
    const { config, summaries, queues, content, events, messages, transport } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'send-summary',
      description: 'Mails administrators the counts of the previous day or week',
      config,
      limits: summaryLimits,
      memoryMiB: 1024,
    })
    events.grantCounts(this.handler)
    messages.grantWaiting(this.handler)
    transport.grantSummaries(this.handler)
    content.grantWrite(this.handler)
    queues.evaluation.grantSend(this.handler)
    grantDkimKey(this.handler, config)
    this.handler.addEnvironment('MAIL_HOSTNAME', config.hostname)
    this.handler.addEnvironment('SUMMARY_SENDER', summarySender(config, summaries))
    this.handler.addEnvironment('DAILY_SUMMARIES_TO', summaries.daily.join(','))
    this.handler.addEnvironment('WEEKLY_SUMMARIES_TO', summaries.weekly.join(','))
    new Rule(this, 'Schedule', {
      description: 'When the summaries of the previous day or week are sent',
      schedule: Schedule.cron({ minute: String(summaryMinute), hour: summaryHours.join(',') }),
      targets: [new LambdaFunction(this.handler, { retryAttempts: 2, maxEventAge: Duration.hours(1) })],
    })
  }
}
