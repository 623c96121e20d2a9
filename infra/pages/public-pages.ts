import { CfnOutput, Stack } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  type CfnStage,
  HttpApi,
  HttpMethod,
  type HttpRoute,
  HttpRouteKey,
  HttpStage,
  IpAddressType,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Construct } from 'constructs'
import { daySeconds } from '../../shared/contract/durations.ts'
import { policyPath } from '../../shared/contract/public-pages.ts'
import { acknowledge } from '../acknowledge.ts'
import { type Config, policyHosts, reporterOf } from '../config.ts'
import { ApiDomain } from '../connectors/api-domain.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import { UnitFunction, UnitLogs } from '../unit.ts'
import { PagesDistribution } from './pages-distribution.ts'

export interface PublicPagesProps {
  readonly config: Config
  readonly connectors: ConnectorsTable
}

/** Pages without authentication: the ingress's certificates, and the MTA-STS policy of the organisation's domains. */
export class PublicPages extends Construct {
  readonly handler: UnitFunction
  readonly api: HttpApi

  constructor(scope: Construct, id: string, { config, connectors }: PublicPagesProps) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'public-pages',
      description: 'Public pages: the certificates of the ingress and the MTA-STS policy',
      config,
      limits: config.functions.pages,
      memoryMiB: 256,
    })
    connectors.grantPublic(this.handler)
    this.setEnvironment(config)
    const integration = new HttpLambdaIntegration('Handler', this.handler)
    this.api = new HttpApi(this, 'Api', {
      apiName: `${Stack.of(this).stackName}-pages`,
      createDefaultStage: false,
      ipAddressType: IpAddressType.DUAL_STACK,
      defaultIntegration: integration,
    })
    const policyRoutes = this.api.addRoutes({ path: policyPath, methods: [HttpMethod.ANY], integration })
    acknowledge(this.api, 'Partners and their mail servers read these pages without authentication.', 'APIG4')
    const stage = this.addStage(config, policyRoutes)
    const url = this.addPolicyHosts(config, stage) ?? this.api.apiEndpoint
    const description = 'Public page with the certificates of the ingress, for partners'
    new CfnOutput(this, 'Url', { value: url, description }).overrideLogicalId('PagesUrl')
  }

  private setEnvironment(config: Config): void {
    const { organisation, address } = reporterOf(config)
    this.handler.addEnvironment('MAIL_HOSTNAME', config.hostname)
    this.handler.addEnvironment('ORGANISATION', organisation)
    this.handler.addEnvironment('CONTACT_ADDRESS', address)
    if (config.mtaSts === undefined) return
    this.handler.addEnvironment('MTA_STS_MODE', config.mtaSts.mode)
    this.handler.addEnvironment('MTA_STS_MAX_AGE_SECONDS', String(config.mtaSts.maxAgeDays * daySeconds))
  }

  /**
   * The attack: a client requests the pages so often that API Gateway refuses other clients, and senders find no policy.
   * The defence: the policy has a throttle of its own, so that requests for other paths do not hide it. Not covered: a
   * flood of requests for the policy, unless `mtaSts.cloudFront` is set; the cost of the permitted requests; a flood
   * that uses up API Gateway's quota of the whole account.
   */
  private addStage(config: Config, policyRoutes: HttpRoute[]): HttpStage {
    const stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle,
      accessLogSettings: {
        destination: new LogGroupLogDestination(new UnitLogs(this, 'AccessLogs', config)),
        format: AccessLogFormat.custom(JSON.stringify(accessLogFields)),
      },
    })
    // CloudFormation refuses settings of a route that does not exist yet.
    stage.node.addDependency(...policyRoutes)
    const { key } = HttpRouteKey.with(policyPath, HttpMethod.ANY)
    const { rateLimit: ThrottlingRateLimit, burstLimit: ThrottlingBurstLimit } = throttle
    const resource = stage.node.defaultChild as CfnStage
    resource.routeSettings = { [key]: { ThrottlingRateLimit, ThrottlingBurstLimit } }
    return stage
  }

  /**
   * RFC 8461 §3.3: senders fetch from `mta-sts.DOMAIN` over HTTPS, and follow no redirect.
   * @returns the URL of the public pages at CloudFront, or null without CloudFront
   */
  private addPolicyHosts(config: Config, stage: HttpStage): string | null {
    const { certificateArn, cloudFront } = config.mtaSts ?? {}
    if (certificateArn === undefined) return null
    const hosts = policyHosts(config)
    if (cloudFront) {
      const { domainName } = new PagesDistribution(this, 'CloudFront', {
        api: this.api,
        hosts,
        certificateArn,
      })
      for (const host of hosts) this.addTarget(host, domainName)
      return `https://${domainName}`
    }
    const ipAddressType = IpAddressType.DUAL_STACK
    for (const domainName of hosts) {
      const domain = { api: this.api, stage, domainName, certificateArn, ipAddressType }
      this.addTarget(domainName, new ApiDomain(this, `Host-${domainName}`, domain).target)
    }
    return null
  }

  private addTarget(host: string, value: string): void {
    new CfnOutput(this, `Target-${host}`, { value, description: `CNAME of ${host}` })
  }
}

/** Requests per second of all clients together, for each route. The limit bounds the cost of a flood. */
const throttle = { rateLimit: 20, burstLimit: 100 }

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
