/** Both APIs for administrators as routes of the local runner's API server, and the real functions behind them. */
import assert from 'node:assert/strict'
import type { Logger } from '@aws-lambda-powertools/logger'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { createValidationApi } from '../../functions/validate-connector/api.ts'
import { type Route, readRoutes } from '../../infra/local/api-routes.ts'
import type { ApiEvent } from '../../infra/local/api-server.ts'
import { Resolver, type Template } from '../../infra/local/template.ts'
import { ConnectorRepository } from '../../shared/connectors-table/repository.ts'
import type { RoleMapping } from '../../shared/contract/roles.ts'
import type { HttpApi } from '../../shared/http-api/http-api.ts'
import { createTestApi } from './api-client.ts'
import { allowedRoles } from './api-roles.ts'
import { fakeResolver } from './dns.ts'
import type { TestDynamoDb } from './dynamodb.ts'
import { createTestEventApi } from './event-api.ts'
import { audience, scope } from './identity-provider.ts'

/** The routes of validate-connector. */
const ofValidation = /\/(outbound-connectors\/\{id\}\/validate|dns|conformance)$/

const routeKeys = Object.keys(allowedRoles)
/** The routes of event-api (infra/connectors/administrator-api.ts). */
const ofEventApi = /^\w+ \/(reports|message-searches|dry-runs|addresses|erasures)\b|\/events$/
const unitOf = (key: string) =>
  ofValidation.test(key) ? 'validate-connector' : ofEventApi.test(key) ? 'event-api' : 'connector-api'

export const iamRoutes: readonly Route[] = routeKeys.map((key) => ({
  key,
  functionArn: unitOf(key),
  authorization: 'AWS_IAM',
}))

/** The routes of a template with a JWT authorizer for the client of the test's identity provider. */
export function signInRoutes(issuer: string): Route[] {
  const integration = (IntegrationUri: string) => ({
    Type: 'AWS::ApiGatewayV2::Integration',
    Properties: { IntegrationUri, PayloadFormatVersion: '2.0' },
  })
  const routes = routeKeys.map((RouteKey, index) => [
    `Route${index}`,
    {
      Type: 'AWS::ApiGatewayV2::Route',
      Properties: {
        RouteKey,
        ApiId: 'sign-in',
        AuthorizationType: 'JWT',
        AuthorizerId: { Ref: 'Jwt' },
        AuthorizationScopes: [scope],
        Target: { 'Fn::Join': ['', ['integrations/', { Ref: unitOf(RouteKey) }]] },
      },
    },
  ])
  const template: Template = {
    Resources: {
      Jwt: {
        Type: 'AWS::ApiGatewayV2::Authorizer',
        Properties: {
          AuthorizerType: 'JWT',
          IdentitySource: ['$request.header.Authorization'],
          JwtConfiguration: { Issuer: issuer, Audience: ['other', audience] },
        },
      },
      'connector-api': integration('connector-api'),
      'validate-connector': integration('validate-connector'),
      'event-api': integration('event-api'),
      ...Object.fromEntries(routes),
    },
  }
  return readRoutes(template, new Resolver(template))
}

/**
 * The functions behind the API.
 * @param onInvocation called before each invocation
 */
export function createApiFunctions(
  { documents }: TestDynamoDb,
  mapping: RoleMapping,
  onInvocation: () => void,
) {
  const connectorApi = createTestApi(documents, Date.now, [], {}, mapping).api
  const repository = new ConnectorRepository(documents, 'connectors')
  const validationApi = createValidationApi({
    outbound: repository.outbound,
    acceptedDomains: repository.acceptedDomains,
    validate: () => assert.fail('there is no connector'),
    published: { read: async () => null },
    resolver: fakeResolver({}),
    privateNetworks: [],
    hostname: 'mx.ours.example',
    roles: mapping,
    logger: { info: () => {}, error: assert.fail } as unknown as Logger,
  })
  const { api: eventApi } = createTestEventApi({
    roles: mapping,
    searches: {
      search: {
        start: async () => 'id',
        status: async () => null,
        page: () => assert.fail('there is no search'),
      },
    },
  })
  const apis: Readonly<Record<string, HttpApi>> = {
    'connector-api': connectorApi,
    'validate-connector': validationApi,
    'event-api': eventApi,
  }
  return async (functionArn: string, event: ApiEvent) => {
    onInvocation()
    const call = apis[functionArn] ?? assert.fail(functionArn)
    return call(event as unknown as APIGatewayProxyEventV2)
  }
}
