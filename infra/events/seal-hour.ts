import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { type IRole, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { sealMinute } from '../../shared/contract/seal-schedule.ts'
import type { Config } from '../config.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { EventsBucket } from '../storage/events-bucket.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import { UnitFunction } from '../unit.ts'
import type { AddressHashKey } from './address-hash-key.ts'

export interface SealHourProps {
  readonly config: Config
  readonly events: EventsBucket
  readonly hashKey: AddressHashKey
  readonly messages: MessagesTable
  readonly connectors: ConnectorsTable
}

/** Makes Parquet files and rollups of the events of each hour. */
export class SealHour extends Construct {
  readonly handler: UnitFunction

  constructor(
    scope: Construct,
    id: string,
    { config, events, hashKey, messages, connectors }: SealHourProps,
  ) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'seal-hour',
      description: 'Makes Parquet files and rollups of the events of each hour',
      config,
      limits: config.functions.seal,
      // A shard of 400 MB needs 1.3 GB (`npm run bench:events`).
      memoryMiB: 2048,
      // The last invocation for an hour continues with the next hour.
      allowRecursiveInvocation: true,
    })
    events.grantSealing(this.handler)
    hashKey.grantHashing(this.handler)
    messages.grantReconciliation(this.handler)
    connectors.grantChanges(this.handler)
    // In the role's own policy, the function and the policy would depend on each other.
    new Policy(this, 'InvokeItself', {
      roles: [this.handler.role as IRole],
      statements: [
        new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [this.handler.functionArn] }),
      ],
    })
    new Rule(this, 'Schedule', {
      description: 'When the hour before is sealed',
      schedule: Schedule.cron({ minute: String(sealMinute) }),
      targets: [new LambdaFunction(this.handler, { retryAttempts: 2, maxEventAge: Duration.minutes(30) })],
    })
  }
}
