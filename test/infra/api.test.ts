import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble, type Json, onlyResource, resourcesOfType, text } from '../support/synthesis.ts'

/** Resources of the API for administrators; the other API is public (public-pages.test.ts). */
const ofApi = (type: string, mailflow: Record<string, unknown> = {}) =>
  resourcesOfType(type, mailflow).filter(({ id }) => id.startsWith('Api'))

const jwt = { issuer: 'https://login.example.net/', audience: ['mailflow'], scopes: ['mailflow/admin'] }

test('the API for administrators has exactly the routes of this list', () => {
  const keys = ofApi('AWS::ApiGatewayV2::Route').map(({ Properties }) => Properties.RouteKey)
  assert.deepEqual(keys.sort(), [
    'DELETE /accepted-domains/{domain}',
    'DELETE /inbound-connectors/{id}',
    'DELETE /outbound-connectors/{id}',
    'GET /accepted-domains',
    'GET /accepted-domains/{domain}',
    'GET /certificates',
    'GET /certificates/observed',
    'GET /configuration',
    'GET /inbound-connectors',
    'GET /inbound-connectors/{id}',
    'GET /messages',
    'GET /messages/{id}',
    'GET /openapi.json',
    'GET /outbound-connectors',
    'GET /outbound-connectors/{id}',
    'GET /tls-reports',
    'GET /tls-reports/{id}',
    'PATCH /accepted-domains/{domain}',
    'PATCH /inbound-connectors/{id}',
    'PATCH /outbound-connectors/{id}',
    'POST /explain',
    'POST /inbound-connectors',
    'POST /inbound-connectors/{id}/retry',
    'POST /inbound-connectors/{id}/validate',
    'POST /messages/{id}/release',
    'POST /messages/{id}/retry',
    'POST /messages/{id}/return',
    'POST /outbound-connectors',
    'POST /outbound-connectors/{id}/release',
    'POST /outbound-connectors/{id}/retry',
    'POST /outbound-connectors/{id}/return',
    'POST /outbound-connectors/{id}/validate',
    'PUT /accepted-domains/{domain}',
    'PUT /inbound-connectors/{id}',
    'PUT /outbound-connectors/{id}',
  ])
})

test('every route requires an AWS signature by default', () => {
  for (const { Properties } of ofApi('AWS::ApiGatewayV2::Route'))
    assert.equal(Properties.AuthorizationType, 'AWS_IAM', Properties.RouteKey)
})

test('every route requires a token with the configured scope when the setting jwt is given', () => {
  for (const { Properties } of ofApi('AWS::ApiGatewayV2::Route', { jwt })) {
    assert.equal(Properties.AuthorizationType, 'JWT', Properties.RouteKey)
    assert.deepEqual(Properties.AuthorizationScopes, ['mailflow/admin'], Properties.RouteKey)
  }
  assert.deepEqual(onlyResource('AWS::ApiGatewayV2::Authorizer', { jwt }).Properties.JwtConfiguration, {
    Issuer: jwt.issuer,
    Audience: jwt.audience,
  })
})

test('the API is throttled and logs callers and requests', () => {
  const { DefaultRouteSettings, AccessLogSettings } = ofApi('AWS::ApiGatewayV2::Stage')[0]?.Properties ?? {}
  assert.ok(DefaultRouteSettings.ThrottlingRateLimit > 0)
  assert.match(AccessLogSettings.Format, /\$context\.identity\.userArn/)
})

test('no API has CORS headers, so pages of other origins cannot call it from a browser', () => {
  for (const { Properties } of resourcesOfType('AWS::ApiGatewayV2::Api'))
    assert.equal(Properties.CorsConfiguration, undefined)
})

const domain = {
  domainName: 'api.ours.example',
  certificateArn: 'arn:aws:acm:eu-west-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000',
}

test('the setting api gives the API a domain name with its certificate and TLS 1.2 or later', () => {
  const { id, Properties } = onlyResource('AWS::ApiGatewayV2::DomainName', { api: domain })
  assert.equal(Properties.DomainName, domain.domainName)
  assert.deepEqual(Properties.DomainNameConfigurations, [
    { CertificateArn: domain.certificateArn, EndpointType: 'REGIONAL', SecurityPolicy: 'TLS_1_2' },
  ])
  const mapping = onlyResource('AWS::ApiGatewayV2::ApiMapping', { api: domain }).Properties
  const [api] = ofApi('AWS::ApiGatewayV2::Api', { api: domain })
  const [stage] = ofApi('AWS::ApiGatewayV2::Stage', { api: domain })
  assert.deepEqual(
    [mapping.ApiId, mapping.DomainName].map(text),
    [api?.id, id].map((each) => `<${each}>`),
  )
  assert.equal(mapping.Stage, stage?.Properties.StageName)
})

test('without the setting api there is no domain name', () => {
  assert.deepEqual(resourcesOfType('AWS::ApiGatewayV2::DomainName'), [])
})

test('the URL of API Gateway stays usable beside the domain name, with the same authorization of every route', () => {
  const [api] = ofApi('AWS::ApiGatewayV2::Api', { api: domain })
  assert.equal(api?.Properties.DisableExecuteApiEndpoint, undefined)
  for (const { Properties } of ofApi('AWS::ApiGatewayV2::Route', { api: domain }))
    assert.equal(Properties.AuthorizationType, 'AWS_IAM', Properties.RouteKey)
})

test('the output ApiUrl is the URL to use, and ApiTarget the value of the CNAME record of the domain name', () => {
  const outputsOf = (mailflow: Record<string, unknown>): Json =>
    assemble(mailflow).getStackByName('Mailflow').template.Outputs
  const { ApiUrl, ApiTarget } = outputsOf({ api: domain })
  assert.equal(ApiUrl.Value, 'https://api.ours.example')
  assert.match(text(ApiTarget.Value), /^<ApiDomainName\w+\.RegionalDomainName>$/)
  assert.equal(ApiTarget.Description, 'CNAME of api.ours.example')
  const defaults = outputsOf({})
  assert.match(text(defaults.ApiUrl.Value), /^<Api\w+\.ApiEndpoint>$/)
  assert.equal(defaults.ApiTarget, undefined)
})
