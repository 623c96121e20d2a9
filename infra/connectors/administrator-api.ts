/** The HTTP APIs for administrators: their routes, access logs and limits. */
import { Stack } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  type CfnStage,
  HttpApi,
  type HttpApiProps,
  HttpMethod,
  type HttpRoute,
  HttpRouteKey,
  HttpStage,
  LogGroupLogDestination,
  type ThrottleSettings,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import type { Construct } from 'constructs'
import type { Config } from '../config.ts'
import { type UnitFunction, UnitLogs } from '../unit.ts'

const { GET, POST, PUT, PATCH, DELETE } = HttpMethod

const routes: readonly { path: string; methods: HttpMethod[] }[] = [
  { path: '/inbound-connectors', methods: [GET, POST] },
  { path: '/inbound-connectors/check', methods: [POST] },
  { path: '/inbound-connectors/{id}', methods: [GET, PUT, PATCH, DELETE] },
  { path: '/inbound-connectors/{id}/retry', methods: [POST] },
  { path: '/inbound-connectors/{id}/validate', methods: [POST] },
  { path: '/outbound-connectors', methods: [GET, POST] },
  { path: '/outbound-connectors/check', methods: [POST] },
  { path: '/outbound-connectors/{id}', methods: [GET, PUT, PATCH, DELETE] },
  { path: '/outbound-connectors/{id}/retry', methods: [POST] },
  { path: '/outbound-connectors/{id}/return', methods: [POST] },
  { path: '/accepted-domains', methods: [GET] },
  { path: '/accepted-domains/{domain}', methods: [GET, PUT, PATCH, DELETE] },
  { path: '/accepted-domains/{domain}/recipients', methods: [GET, PUT, PATCH] },
  { path: '/caller', methods: [GET] },
  { path: '/changes', methods: [GET] },
  { path: '/configuration', methods: [GET] },
  { path: '/health', methods: [GET] },
  { path: '/messages', methods: [GET] },
  { path: '/messages/retry', methods: [POST] },
  { path: '/messages/{id}', methods: [GET] },
  { path: '/messages/{id}/retry', methods: [POST] },
  { path: '/messages/{id}/release', methods: [POST] },
  { path: '/messages/{id}/return', methods: [POST] },
  { path: '/queues', methods: [GET] },
  { path: '/queues/retry', methods: [POST] },
  { path: '/queues/release', methods: [POST] },
  { path: '/queues/return', methods: [POST] },
  { path: '/queues/drop', methods: [POST] },
  { path: '/dead-letters', methods: [GET] },
  { path: '/dead-letters/redrive', methods: [POST] },
  { path: '/tls-reports', methods: [GET] },
  { path: '/tls-reports/{id}', methods: [GET] },
  { path: '/certificates', methods: [GET] },
  { path: '/certificates/observed', methods: [GET] },
  { path: '/certificates/unknown', methods: [GET] },
  { path: '/certificates/unknown/{id}', methods: [GET] },
  { path: '/certificates/unknown/{id}/dismiss', methods: [POST] },
  { path: '/explain', methods: [POST] },
  { path: '/openapi.json', methods: [GET] },
]

/** The routes of event-api. */
const eventRoutes: typeof routes = [
  { path: '/messages/{id}/events', methods: [GET] },
  { path: '/message-searches', methods: [POST] },
  { path: '/message-searches/{id}', methods: [GET] },
  { path: '/dry-runs', methods: [POST] },
  { path: '/dry-runs/{id}', methods: [GET] },
  { path: '/reports', methods: [GET] },
  { path: '/reports/{name}', methods: [GET] },
  { path: '/addresses/{address}', methods: [DELETE] },
  { path: '/erasures/{id}', methods: [GET] },
]

const conformancePath = '/accepted-domains/{domain}/conformance'

/** The routes of validate-connector, which has the network and the resolvers of deliver-message. */
const validationRoutes: typeof routes = [
  { path: '/outbound-connectors/{id}/validate', methods: [POST] },
  { path: '/accepted-domains/{domain}/dns', methods: [GET] },
  { path: conformancePath, methods: [GET] },
]

/**
 * Attack: a reader requests the conformance of many domains at once, so that the gateway floods their MX hosts, which may
 * be other people's. Defence: a low throttle.
 */
const conformanceThrottle = { rateLimit: 0.5, burstLimit: 5 }

export interface AdministratorApiProps {
  readonly config: Config
  readonly handler: UnitFunction
  readonly validate: UnitFunction
  readonly eventApi: UnitFunction
  /** The authorizer of every route. */
  readonly authorizer: Required<Pick<HttpApiProps, 'defaultAuthorizer'>> &
    Pick<HttpApiProps, 'defaultAuthorizationScopes'>
}

/** An HTTP API with every route. The authorizer is required, so that no route is open. */
export class AdministratorApi extends HttpApi {
  readonly stage: HttpStage

  constructor(scope: Construct, id: string, props: AdministratorApiProps) {
    const { config, handler, validate, eventApi, authorizer } = props
    const apiName = `${Stack.of(scope).stackName}-${id}`
    super(scope, id, { apiName, ...authorizer, createDefaultStage: false })
    // One permission covers the whole API: one per route would exceed the 20 KB of the function's policy.
    const integration = new HttpLambdaIntegration('Handler', handler, { scopePermissionToRoute: false })
    for (const route of routes) this.addRoutes({ ...route, integration })
    const events = new HttpLambdaIntegration('Events', eventApi, { scopePermissionToRoute: false })
    for (const route of eventRoutes) this.addRoutes({ ...route, integration: events })
    const validation = new HttpLambdaIntegration('Validation', validate, { scopePermissionToRoute: false })
    const validations = validationRoutes.map((route) => this.addRoutes({ ...route, integration: validation }))
    this.stage = new HttpStage(this, 'Stage', {
      httpApi: this,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: 50, burstLimit: 100 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(new UnitLogs(this, 'AccessLogs', config)),
        format: AccessLogFormat.custom(JSON.stringify(accessLogFields)),
      },
    })
    this.limit(conformancePath, GET, conformanceThrottle, validations.flat())
  }

  /** Gives a route a throttle of its own. CloudFormation refuses settings of a route that does not exist yet. */
  limit(
    path: string,
    method: HttpMethod,
    limits: Required<ThrottleSettings>,
    routes: readonly HttpRoute[],
  ): void {
    const stage = this.stage.node.defaultChild as CfnStage
    const { key } = HttpRouteKey.with(path, method)
    stage.routeSettings = {
      ...stage.routeSettings,
      [key]: { ThrottlingRateLimit: limits.rateLimit, ThrottlingBurstLimit: limits.burstLimit },
    }
    this.stage.node.addDependency(...routes)
  }
}

/**
 * Records the caller, the request and the result. A path can have the mail address of an erasure, which must be in no log:
 * the functions log the other paths, with the same request id.
 */
const accessLogFields = {
  at: '$context.requestTime',
  requestId: '$context.requestId',
  ip: '$context.identity.sourceIp',
  principal: '$context.identity.userArn',
  subject: '$context.authorizer.claims.sub',
  route: '$context.routeKey',
  status: '$context.status',
  latencyMs: '$context.responseLatency',
  fault: '$context.error.message',
}
