import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import { type Config, canaryLimits } from '../config.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction } from '../unit.ts'

export interface SendCanaryProps {
  readonly config: Config
  readonly transport: TransportTable
}

/**
 * Sends a message every minute through the whole gateway. The function is outside the VPC, so that it reaches the load
 * balancer by its public addresses, as partners do.
 */
export class SendCanary extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, { config, transport }: SendCanaryProps) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'send-canary',
      description: 'Sends a message that shows that mail passes',
      config,
      limits: canaryLimits,
      memoryMiB: 256,
    })
    this.handler.addEnvironment('MAIL_HOSTNAME', config.hostname)
    transport.grantSendingCanaries(this.handler)
    new Rule(this, 'Schedule', {
      description: 'When a canary is sent',
      schedule: Schedule.cron({ minute: '*' }),
      // The next canary is sent a minute later.
      targets: [new LambdaFunction(this.handler, { retryAttempts: 0, maxEventAge: Duration.minutes(1) })],
    })
  }
}
