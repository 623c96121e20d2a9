import { CfnOutput, Stack } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Construct } from 'constructs'
import { type Config, deliversInVpc, setDecisionEnvironment } from '../config.ts'
import type { ValidateConnector } from '../delivery/validate-connector.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction, UnitLogs } from '../unit.ts'
import { ApiDomain } from './api-domain.ts'

const { GET, POST, PUT, PATCH, DELETE } = HttpMethod

const routes: readonly { path: string; methods: HttpMethod[] }[] = [
  { path: '/inbound-connectors', methods: [GET, POST] },
  { path: '/inbound-connectors/{id}', methods: [GET, PUT, PATCH, DELETE] },
  { path: '/inbound-connectors/{id}/retry', methods: [POST] },
  { path: '/inbound-connectors/{id}/validate', methods: [POST] },
  { path: '/outbound-connectors', methods: [GET, POST] },
  { path: '/outbound-connectors/{id}', methods: [GET, PUT, PATCH, DELETE] },
  { path: '/outbound-connectors/{id}/retry', methods: [POST] },
  { path: '/outbound-connectors/{id}/release', methods: [POST] },
  { path: '/outbound-connectors/{id}/return', methods: [POST] },
  { path: '/accepted-domains', methods: [GET] },
  { path: '/accepted-domains/{domain}', methods: [GET, PUT, PATCH, DELETE] },
  { path: '/configuration', methods: [GET] },
  { path: '/messages', methods: [GET] },
  { path: '/messages/{id}', methods: [GET] },
  { path: '/messages/{id}/retry', methods: [POST] },
  { path: '/messages/{id}/release', methods: [POST] },
  { path: '/messages/{id}/return', methods: [POST] },
  { path: '/tls-reports', methods: [GET] },
  { path: '/tls-reports/{id}', methods: [GET] },
  { path: '/certificates', methods: [GET] },
  { path: '/certificates/observed', methods: [GET] },
  { path: '/explain', methods: [POST] },
  { path: '/openapi.json', methods: [GET] },
]

/** The route of validate-connector, which opens sessions with next hops from the network of deliver-message. */
const validation = { path: '/outbound-connectors/{id}/validate', methods: [POST] }

export interface ConnectorApiProps {
  readonly config: Config
  readonly queues: MailQueues
  readonly connectors: ConnectorsTable
  readonly messages: MessagesTable
  readonly transport: TransportTable
  readonly validate: ValidateConnector
}

/** The API for administrators. Every route requires an AWS signature or a token of the configured issuer. */
export class ConnectorApi extends Construct {
  readonly handler: UnitFunction
  readonly api: HttpApi

  constructor(scope: Construct, id: string, props: ConnectorApiProps) {
    super(scope, id)
    const { config, queues, connectors, messages, transport, validate } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'connector-api',
      description: 'Connectors, accepted domains and the message trace',
      config,
      limits: config.functions.api,
    })
    connectors.grantReadWrite(this.handler)
    messages.grantHistory(this.handler)
    messages.grantAdministratorRequests(this.handler)
    transport.grantReceivedReports(this.handler)
    transport.grantObserved(this.handler)
    queues.evaluation.grantSend(this.handler)
    setDecisionEnvironment(config, this.handler)
    this.handler.addEnvironment('DELIVERS_IN_VPC', String(deliversInVpc(config)))
    this.api = new HttpApi(this, 'Api', {
      apiName: `${Stack.of(this).stackName}-api`,
      ...authorisation(config),
      createDefaultStage: false,
    })
    // One permission covers the whole API: one per route would exceed the size limit of the function's policy.
    const integration = new HttpLambdaIntegration('Handler', this.handler, { scopePermissionToRoute: false })
    for (const route of routes) this.api.addRoutes({ ...route, integration })
    this.api.addRoutes({
      ...validation,
      integration: new HttpLambdaIntegration('Validation', validate.handler),
    })
    const stage = this.addStage(config)
    const value = this.addDomain(config, stage) ?? this.api.apiEndpoint
    const description = 'Connectors and message trace'
    new CfnOutput(this, 'Url', { value, description }).overrideLogicalId('ApiUrl')
  }

  /** @returns the URL of the API at the organisation's domain name, or null without the setting `api` */
  private addDomain(config: Config, stage: HttpStage): string | null {
    if (config.api === undefined) return null
    const { url, target } = new ApiDomain(this, 'Domain', { api: this.api, stage, ...config.api })
    const description = `CNAME of ${config.api.domainName}`
    new CfnOutput(this, 'Target', { value: target, description }).overrideLogicalId('ApiTarget')
    return url
  }

  private addStage(config: Config): HttpStage {
    return new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: 50, burstLimit: 100 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(new UnitLogs(this, 'AccessLogs', config)),
        format: AccessLogFormat.custom(JSON.stringify(accessLogFields)),
      },
    })
  }
}

/** Records the caller, the request and the result. */
const accessLogFields = {
  at: '$context.requestTime',
  requestId: '$context.requestId',
  ip: '$context.identity.sourceIp',
  principal: '$context.identity.userArn',
  subject: '$context.authorizer.claims.sub',
  route: '$context.routeKey',
  path: '$context.path',
  status: '$context.status',
  latencyMs: '$context.responseLatency',
  fault: '$context.error.message',
}

function authorisation({ jwt }: Config) {
  if (!jwt) return { defaultAuthorizer: new HttpIamAuthorizer() }
  return {
    defaultAuthorizer: new HttpJwtAuthorizer('Jwt', jwt.issuer, { jwtAudience: jwt.audience }),
    defaultAuthorizationScopes: jwt.scopes,
  }
}
