import { CfnOutput } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  ApiMapping,
  DomainName,
  HttpApi,
  HttpStage,
  IpAddressType,
  LogGroupLogDestination,
  SecurityPolicy,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { daySeconds } from '../../shared/contract/durations.ts'
import { acknowledge } from '../acknowledge.ts'
import { type Config, policyHosts, reporterOf } from '../config.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import { UnitFunction, UnitLogs } from '../unit.ts'

export interface PublicPagesProps {
  readonly config: Config
  readonly connectors: ConnectorsTable
  /** SNS topic that announces changes of the ingress's certificates. */
  readonly notices: ITopic
}

/** Pages without authentication: the ingress's certificates, and the MTA-STS policy of the organisation's domains. */
export class PublicPages extends Construct {
  readonly handler: UnitFunction
  readonly api: HttpApi

  constructor(scope: Construct, id: string, { config, connectors, notices }: PublicPagesProps) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'public-pages',
      description: 'Public pages: the certificates of the ingress and the MTA-STS policy',
      config,
      limits: config.functions.pages,
      memoryMiB: 256,
    })
    connectors.grantPublic(this.handler)
    this.setEnvironment(config, notices)
    this.api = new HttpApi(this, 'Api', {
      createDefaultStage: false,
      ipAddressType: IpAddressType.DUAL_STACK,
      defaultIntegration: new HttpLambdaIntegration('Handler', this.handler),
    })
    acknowledge(this.api, 'Partners and their mail servers read these pages without authentication.', 'APIG4')
    const stage = this.addStage(config)
    this.addPolicyHosts(config, stage)
    const description = 'Public page with the certificates of the ingress, for partners'
    new CfnOutput(this, 'Url', { value: this.api.apiEndpoint, description }).overrideLogicalId('PagesUrl')
  }

  private setEnvironment(config: Config, { topicArn }: ITopic): void {
    const { organisation, address } = reporterOf(config)
    this.handler.addEnvironment('MAIL_HOSTNAME', config.hostname)
    this.handler.addEnvironment('ORGANISATION', organisation)
    this.handler.addEnvironment('CONTACT_ADDRESS', address)
    this.handler.addEnvironment('CERTIFICATE_NOTICES_TOPIC_ARN', topicArn)
    if (config.mtaSts === undefined) return
    this.handler.addEnvironment('MTA_STS_MODE', config.mtaSts.mode)
    this.handler.addEnvironment('MTA_STS_MAX_AGE_SECONDS', String(config.mtaSts.maxAgeDays * daySeconds))
  }

  private addStage(config: Config): HttpStage {
    return new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      // Requests per second of all clients together. The limit bounds the cost of a flood.
      throttle: { rateLimit: 20, burstLimit: 100 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(new UnitLogs(this, 'AccessLogs', config)),
        format: AccessLogFormat.custom(JSON.stringify(accessLogFields)),
      },
    })
  }

  /** RFC 8461 §3.3: senders fetch from `mta-sts.DOMAIN` over HTTPS, and follow no redirect. */
  private addPolicyHosts(config: Config, stage: HttpStage): void {
    const { certificateArn } = config.mtaSts ?? {}
    if (certificateArn === undefined) return
    const certificate = Certificate.fromCertificateArn(this, 'Certificate', certificateArn)
    for (const host of policyHosts(config)) {
      const domainName = new DomainName(this, `Host-${host}`, {
        domainName: host,
        certificate,
        securityPolicy: SecurityPolicy.TLS_1_2,
        ipAddressType: IpAddressType.DUAL_STACK,
      })
      new ApiMapping(this, `Mapping-${host}`, { api: this.api, domainName, stage })
      new CfnOutput(this, `Target-${host}`, {
        value: domainName.regionalDomainName,
        description: `CNAME of ${host}`,
      })
    }
  }
}

/** Records the request and its result. */
const accessLogFields = {
  at: '$context.requestTime',
  requestId: '$context.requestId',
  ip: '$context.identity.sourceIp',
  host: '$context.domainName',
  method: '$context.httpMethod',
  path: '$context.path',
  status: '$context.status',
  latencyMs: '$context.responseLatency',
  fault: '$context.error.message',
}
