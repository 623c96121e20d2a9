import { CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { type IKey, Key } from 'aws-cdk-lib/aws-kms'
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import { encryptionKey } from '../encryption-key.ts'

/** The SNS topic of all alarms: an existing one (`alarmsTopicArn`), or one of the stack. */
export class AlarmsTopic extends Construct {
  readonly topic: ITopic

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    const { alarmEmail, alarmsTopicArn } = config
    this.topic =
      alarmsTopicArn === undefined
        ? this.createTopic(encryptionKey(this, config) ?? this.createKey(), alarmEmail)
        : Topic.fromTopicArn(this, 'Existing', alarmsTopicArn)
    const description = 'SNS topic for administrators: alarms'
    new CfnOutput(this, 'Arn', { value: this.topic.topicArn, description }).overrideLogicalId('AlarmsTopic')
  }

  private createTopic(masterKey: IKey, email: string | undefined): ITopic {
    const topic = new Topic(this, 'Topic', { enforceSSL: true, masterKey })
    // A topic policy replaces SNS's default policy, which admits the account, so the policy must admit CloudWatch
    // (https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger).
    topic.addToResourcePolicy(this.allowCloudWatch(['sns:Publish'], topic.topicArn))
    if (email !== undefined) topic.addSubscription(new EmailSubscription(email))
    return topic
  }

  /**
   * CloudWatch cannot publish to a topic under the AWS managed key, whose policy cannot be changed
   * (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html, "Enable compatibility between event sources
   * from AWS services and encrypted topics"). The key is deleted with the stack, because SNS stores nothing for long.
   */
  private createKey(): Key {
    const key = new Key(this, 'Key', { enableKeyRotation: true, removalPolicy: RemovalPolicy.DESTROY })
    key.addToResourcePolicy(this.allowCloudWatch(['kms:Decrypt', 'kms:GenerateDataKey*'], '*'))
    return key
  }

  private allowCloudWatch(actions: string[], resource: string): PolicyStatement {
    return new PolicyStatement({
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions,
      resources: [resource],
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
    })
  }
}
