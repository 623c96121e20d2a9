import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onlyResource, resourcesOfType } from '../support/synthesis.ts'

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
    'GET /dead-letters',
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
    'POST /dead-letters/redrive',
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
