import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import { expiryWatchHour } from '../../shared/contract/expiry-watch-schedule.ts'
import type { Config } from '../config.ts'
import type { NoticesTopic } from '../notices-topic.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction } from '../unit.ts'

export interface WatchExpiryProps {
  readonly config: Config
  readonly connectors: ConnectorsTable
  readonly transport: TransportTable
  readonly notices: NoticesTopic
}

/** Checks every day which observed certificates expire soon, and publishes notices. */
export class WatchExpiry extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, props: WatchExpiryProps) {
    super(scope, id)
    const { config, connectors, transport, notices } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'watch-expiry',
      description: 'Publishes notices of certificates that expire soon',
      config,
      limits: config.functions.expiryWatch,
    })
    connectors.grantRead(this.handler)
    transport.grantObserving(this.handler)
    notices.grantPublish(this.handler)
    new Rule(this, 'Schedule', {
      description: 'When certificates are checked for expiry',
      schedule: Schedule.cron({ minute: '0', hour: String(expiryWatchHour) }),
      targets: [new LambdaFunction(this.handler, { retryAttempts: 2, maxEventAge: Duration.hours(1) })],
    })
  }
}
