import { CfnCustomResource, CfnOutput, Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Alias } from 'aws-cdk-lib/aws-kms'
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import { UnitFunction } from '../unit.ts'
import { grantCertificateEvents } from './certificate-events.ts'
import type { TlsCertificate } from './tls-certificate.ts'

export interface RotateCertificateProps {
  readonly config: Config
  readonly certificate: TlsCertificate
  readonly connectors: ConnectorsTable
}

/** What a run finds undone it does, so the next hour is the retry of whatever failed. */
const retries = { retryAttempts: 2, maxEventAge: Duration.hours(1) }

/** Announces the next certificate of the ingress, puts it in its place at its date, and tells partners. */
export class RotateCertificate extends Construct {
  readonly handler: UnitFunction
  /** Partners subscribe to it. */
  readonly notices: ITopic
  private readonly target: LambdaFunction
  private readonly acmArns: readonly string[]
  private readonly secretArn: string

  constructor(scope: Construct, id: string, { config, certificate, connectors }: RotateCertificateProps) {
    super(scope, id)
    this.acmArns = certificate.acmArns
    this.secretArn = certificate.secretArn
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'rotate-certificate',
      description: 'Announces and switches the certificates of the ingress, and tells partners of them',
      config,
      limits: config.functions.rotate,
    })
    certificate.grantRotation(this.handler)
    connectors.grantPublishing(this.handler)
    grantCertificateEvents(this.handler)
    this.handler.addEnvironment('MAIL_HOSTNAME', config.hostname)
    this.handler.addEnvironment('NOTICE_DAYS', String(config.certificate.noticeDays))
    this.notices = this.tellPartners()
    this.target = new LambdaFunction(this.handler, retries)
    new Rule(this, 'Schedule', {
      description: 'When our certificates are looked at: each hour',
      schedule: Schedule.cron({ minute: '17' }),
      targets: [this.target],
    })
    if (this.acmArns.length > 0) this.heedAcm(this.acmArns)
  }

  /**
   * At a deployment partners are told what there is, and certificates of ACM come into the secret, before what reads it
   * starts. So a secret of no use is found out here, by its reason.
   */
  runBefore(reader: Construct): void {
    const run = new CfnCustomResource(this, 'Deployed', {
      serviceToken: this.handler.functionArn,
      serviceTimeout: 300,
    })
    // Other certificates are a reason to run again.
    run.addPropertyOverride('Secret', this.secretArn)
    run.addPropertyOverride('Certificates', this.acmArns)
    run.node.addDependency(this.handler.permissions)
    reader.node.addDependency(run)
  }

  private heedAcm(arns: readonly string[]): void {
    new Rule(this, 'Renewed', {
      description: 'ACM has issued or renewed a certificate of ours',
      eventPattern: {
        source: ['aws.acm'],
        detailType: ['ACM Certificate Available'],
        resources: [...arns],
        detail: { Action: ['ISSUANCE', 'RENEWAL'] },
      },
      targets: [this.target],
    })
  }

  private tellPartners(): ITopic {
    const topic = new Topic(this, 'Notices', {
      enforceSSL: true,
      masterKey: Alias.fromAliasName(this, 'Key', 'alias/aws/sns'),
    })
    this.handler.addToRolePolicy(
      new PolicyStatement({ actions: ['sns:Publish'], resources: [topic.topicArn] }),
    )
    this.handler.addEnvironment('CERTIFICATE_NOTICES_TOPIC_ARN', topic.topicArn)
    const description = 'Topic to subscribe partners to, for notices of our next certificate'
    new CfnOutput(this, 'Arn', { value: topic.topicArn, description }).overrideLogicalId(
      'CertificateNoticesTopic',
    )
    return topic
  }
}
