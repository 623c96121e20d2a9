import { CfnCustomResource, CfnOutput, Duration, Stack } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import { grantKeyUse, topicKey } from '../encryption-key.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import { UnitFunction } from '../unit.ts'
import { grantCertificateEvents } from './certificate-events.ts'
import type { TlsCertificate } from './tls-certificate.ts'

export interface RotateCertificateProps {
  readonly config: Config
  readonly certificate: TlsCertificate
  readonly connectors: ConnectorsTable
}

/**
 * Lambda repeats a failed run twice, within an hour. After that the next hourly run retries the failed steps, because a
 * run does everything that is due.
 */
const retryOptions = { retryAttempts: 2, maxEventAge: Duration.hours(1) }

/** Announces the ingress's next certificate, switches to it at its date, and notifies partners. */
export class RotateCertificate extends Construct {
  readonly handler: UnitFunction
  private readonly target: LambdaFunction
  private readonly acmArns: readonly string[]
  private readonly secretArn: string
  private readonly tlsaZoneId: string | undefined

  constructor(scope: Construct, id: string, { config, certificate, connectors }: RotateCertificateProps) {
    super(scope, id)
    this.acmArns = certificate.acmArns
    this.secretArn = certificate.secretArn
    this.tlsaZoneId = config.tlsa?.hostedZoneId
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'rotate-certificate',
      description: 'Announces and switches the certificates of the ingress, and notifies partners',
      config,
      limits: config.functions.rotate,
    })
    certificate.grantRotation(this.handler)
    connectors.grantPublishing(this.handler)
    grantCertificateEvents(this.handler)
    this.handler.addEnvironment('MAIL_HOSTNAME', config.hostname)
    this.handler.addEnvironment('DNS_SERVERS', config.dnsServers.join(','))
    this.handler.addEnvironment('NOTICE_DAYS', String(config.certificate.noticeDays))
    this.createNoticesTopic(config)
    if (config.tlsa) this.grantTlsaRecords(config.tlsa.hostedZoneId, config.hostname)
    this.target = new LambdaFunction(this.handler, retryOptions)
    new Rule(this, 'Schedule', {
      description: 'When the certificates of the ingress are checked: each hour',
      schedule: Schedule.cron({ minute: '17' }),
      targets: [this.target],
    })
    if (this.acmArns.length > 0) this.watchAcm(this.acmArns)
  }

  /**
   * Runs the function in a deployment, before the reader of the secret starts. The function publishes the certificates,
   * and puts those of ACM into the secret. An unusable secret fails the deployment, which shows the reason.
   */
  runBefore(reader: Construct): void {
    const run = new CfnCustomResource(this, 'Deployed', {
      serviceToken: this.handler.functionArn,
      serviceTimeout: 300,
    })
    // CloudFormation invokes the function again when one of these properties changes.
    run.addPropertyOverride('Secret', this.secretArn)
    run.addPropertyOverride('Certificates', this.acmArns)
    if (this.tlsaZoneId !== undefined) run.addPropertyOverride('TlsaZone', this.tlsaZoneId)
    run.node.addDependency(this.handler.permissions)
    reader.node.addDependency(run)
  }

  private watchAcm(arns: readonly string[]): void {
    new Rule(this, 'Renewed', {
      description: 'ACM has issued or renewed a certificate of the ingress',
      eventPattern: {
        source: ['aws.acm'],
        detailType: ['ACM Certificate Available'],
        resources: [...arns],
        detail: { Action: ['ISSUANCE', 'RENEWAL'] },
      },
      targets: [this.target],
    })
  }

  /**
   * Lets the function replace the TLSA records of the host in its zone, and no other record
   * (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-rrset-conditions.html).
   */
  private grantTlsaRecords(zoneId: string, hostname: string): void {
    const zone = Stack.of(this).formatArn({
      service: 'route53',
      region: '',
      account: '',
      resource: 'hostedzone',
      resourceName: zoneId,
    })
    this.handler.addToRolePolicy(
      new PolicyStatement({
        actions: ['route53:GetDNSSEC', 'route53:ListResourceRecordSets'],
        resources: [zone],
      }),
    )
    this.handler.addToRolePolicy(
      new PolicyStatement({
        actions: ['route53:ChangeResourceRecordSets'],
        resources: [zone],
        conditions: {
          'ForAllValues:StringEquals': {
            'route53:ChangeResourceRecordSetsNormalizedRecordNames': [`_25._tcp.${hostname}`],
            'route53:ChangeResourceRecordSetsRecordTypes': ['TLSA'],
            'route53:ChangeResourceRecordSetsActions': ['UPSERT'],
          },
        },
      }),
    )
    this.handler.addEnvironment('TLSA_HOSTED_ZONE_ID', zoneId)
  }

  /** Creates the topic to which partners subscribe. */
  private createNoticesTopic(config: Config): void {
    const topic = new Topic(this, 'Notices', { enforceSSL: true, masterKey: topicKey(this, config) })
    this.handler.addToRolePolicy(
      new PolicyStatement({ actions: ['sns:Publish'], resources: [topic.topicArn] }),
    )
    grantKeyUse(this.handler, config, 'sns', 'GenerateDataKey', 'Decrypt')
    this.handler.addEnvironment('CERTIFICATE_NOTICES_TOPIC_ARN', topic.topicArn)
    const description = 'SNS topic for partners: notices of the next certificate of the ingress'
    new CfnOutput(this, 'Arn', { value: topic.topicArn, description }).overrideLogicalId(
      'CertificateNoticesTopic',
    )
  }
}
