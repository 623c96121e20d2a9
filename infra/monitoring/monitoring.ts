import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import { Alarms } from './alarms.ts'
import { MailDashboard } from './mail-dashboard.ts'
import type { MonitoredParts } from './monitored-parts.ts'

/** The dashboard, the alarms, and the topic that they notify. */
export class Monitoring extends Construct {
  constructor(scope: Construct, id: string, parts: MonitoredParts) {
    super(scope, id)
    new MailDashboard(this, 'Dashboard', parts)
    new Alarms(this, 'Alarms', parts, this.topic(parts.config.alarmEmail))
  }

  private topic(email: string | undefined): ITopic | undefined {
    if (email === undefined) return undefined
    const topic = new Topic(this, 'Topic', { enforceSSL: true, masterKey: this.topicKey() })
    topic.addSubscription(new EmailSubscription(email))
    return topic
  }

  /** CloudWatch cannot publish to a topic under the AWS managed key, whose policy cannot be changed. */
  private topicKey(): Key {
    const key = new Key(this, 'TopicKey', { enableKeyRotation: true })
    key.grantEncryptDecrypt(new ServicePrincipal('cloudwatch.amazonaws.com'))
    return key
  }
}
