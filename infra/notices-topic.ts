import { CfnOutput } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import type { Config } from './config.ts'
import { grantKeyUse, topicKey } from './encryption-key.ts'
import type { Unit } from './unit.ts'

/**
 * The SNS topic for notices to administrators. A notice names certificates and connectors, which an alarm cannot. Only
 * units of this account publish.
 */
export class NoticesTopic extends Construct {
  private readonly topic: Topic
  private readonly config: Config

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    const { alarmEmail } = config
    this.config = config
    this.topic = new Topic(this, 'Topic', { enforceSSL: true, masterKey: topicKey(this, config) })
    const description = 'SNS topic for administrators: notices of unknown and of expiring certificates'
    new CfnOutput(this, 'Arn', { value: this.topic.topicArn, description }).overrideLogicalId('NoticesTopic')
    if (alarmEmail !== undefined) this.topic.addSubscription(new EmailSubscription(alarmEmail))
  }

  /** Lets the unit publish. */
  grantPublish(unit: Unit): void {
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['sns:Publish'], resources: [this.topic.topicArn] }),
    )
    grantKeyUse(unit, this.config, 'sns', 'GenerateDataKey', 'Decrypt')
    unit.addEnvironment('NOTICES_TOPIC_ARN', this.topic.topicArn)
  }
}
