import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allowedRoles } from '../support/api-roles.ts'
import { assemble, type Json, onlyResource, resourcesOfType, text } from '../support/synthesis.ts'

/** Resources of the APIs for administrators; the other API is public (public-pages.test.ts). */
const ofApis = (type: string, mailflow: Record<string, unknown> = {}) =>
  resourcesOfType(type, mailflow).filter(({ id }) => id.startsWith('Api'))

const jwt = {
  issuer: 'https://login.example.net/',
  audience: ['mailflow'],
  scopes: ['mailflow/admin'],
  roles: { claim: 'groups', mapping: { mail: 'administer', helpdesk: ['operate', 'audit'] } },
}

/** The route keys of each API, by its authorization. */
function routesByAuthorization(mailflow: Record<string, unknown> = {}) {
  const routes = ofApis('AWS::ApiGatewayV2::Route', mailflow).map(({ Properties }) => Properties)
  const apis = Map.groupBy(routes, ({ ApiId }) => text(ApiId))
  return [...apis.values()].map((ofApi) => ({
    authorization: [...new Set(ofApi.map(({ AuthorizationType = 'NONE' }) => AuthorizationType))].join(),
    keys: ofApi.map(({ RouteKey }) => RouteKey).sort(),
  }))
}

test('the API for administrators has exactly the routes that have roles', () => {
  assert.deepEqual(routesByAuthorization()[0]?.keys, Object.keys(allowedRoles).sort())
})

test('by default the only API for administrators requires an AWS signature on every route', () => {
  const apis = routesByAuthorization()
  assert.deepEqual(
    apis.map(({ authorization }) => authorization),
    ['AWS_IAM'],
  )
})

test('with the setting jwt a second API has the same routes, and requires a token with the configured scope', () => {
  const [iam, signIn, ...others] = routesByAuthorization({ jwt })
  assert.deepEqual([iam?.authorization, signIn?.authorization, others], ['AWS_IAM', 'JWT', []])
  assert.deepEqual(signIn?.keys, iam?.keys)
  assert.deepEqual(iam, routesByAuthorization()[0])
  for (const { Properties } of ofApis('AWS::ApiGatewayV2::Route', { jwt }))
    if (Properties.AuthorizationType === 'JWT')
      assert.deepEqual(Properties.AuthorizationScopes, ['mailflow/admin'], Properties.RouteKey)
  assert.deepEqual(onlyResource('AWS::ApiGatewayV2::Authorizer', { jwt }).Properties.JwtConfiguration, {
    Issuer: jwt.issuer,
    Audience: jwt.audience,
  })
})

/** The functions behind the APIs. */
const apiFunctions = (mailflow: Record<string, unknown>) =>
  resourcesOfType('AWS::Lambda::Function', mailflow).filter(({ id }) =>
    /^(Api|Validation)Function[0-9A-F]{8}$/.test(id),
  )

test('both functions behind the APIs get the roles of people, with a list for each value of the claim', () => {
  const variables = apiFunctions({ jwt }).map(({ Properties }) =>
    JSON.parse(Properties.Environment.Variables.SIGN_IN_ROLES),
  )
  const roles = { claim: 'groups', mapping: { mail: ['administer'], helpdesk: ['operate', 'audit'] } }
  assert.deepEqual(variables, [roles, roles])
  for (const { Properties } of apiFunctions({}))
    assert.equal(Properties.Environment.Variables.SIGN_IN_ROLES, undefined)
})

test('the policy of each function behind the APIs has less than a tenth of its 20 KB', () => {
  for (const { id } of apiFunctions({ jwt })) {
    const permissions = resourcesOfType('AWS::Lambda::Permission', { jwt }).filter(({ Properties }) =>
      text(Properties.FunctionName).includes(id),
    )
    assert.equal(permissions.length, 2, id)
    // A statement has about 250 characters beside the values that CloudFormation fills in.
    assert.ok(JSON.stringify(permissions).length + permissions.length * 250 < 2_048, id)
  }
})

for (const [title, mailflow, count] of [
  ['the API is', {}, 1],
  ['both APIs are', { jwt }, 2],
] as const)
  test(`${title} throttled, and each request is logged with its caller`, () => {
    const stages = ofApis('AWS::ApiGatewayV2::Stage', mailflow)
    assert.equal(stages.length, count)
    for (const { Properties } of stages) {
      assert.ok(Properties.DefaultRouteSettings.ThrottlingRateLimit > 0)
      assert.match(Properties.AccessLogSettings.Format, /\$context\.identity\.userArn/)
      assert.match(Properties.AccessLogSettings.Format, /\$context\.authorizer\.claims\.sub/)
    }
  })

test('a conformance, which opens about thirty connections to each MX host, has a low throttle of its own', () => {
  for (const { Properties } of ofApis('AWS::ApiGatewayV2::Stage', { jwt })) {
    const { ThrottlingRateLimit, ThrottlingBurstLimit } =
      Properties.RouteSettings?.['GET /accepted-domains/{domain}/conformance'] ?? assert.fail()
    assert.ok(ThrottlingRateLimit <= 1 && ThrottlingBurstLimit <= 10)
  }
})

test('the alarm on 5xx counts the requests of both APIs', () => {
  const alarm = resourcesOfType('AWS::CloudWatch::Alarm', { jwt }).find(
    ({ Properties }) => Properties.AlarmName === 'Mailflow: API answers 5xx',
  )
  const metrics = alarm?.Properties.Metrics.filter(({ MetricStat }: Json) => MetricStat !== undefined)
  const apis = metrics.map(({ MetricStat }: Json) => text(MetricStat.Metric.Dimensions[0].Value))
  const ids = ofApis('AWS::ApiGatewayV2::Api', { jwt }).map(({ id }) => `<${id}>`)
  assert.deepEqual(apis.sort(), ids.sort())
})

test('the access logs have the route and the caller of a request, but no path, which may have a mail address', () => {
  const stages = ofApis('AWS::ApiGatewayV2::Stage', { jwt })
  assert.equal(stages.length, 2)
  for (const { Properties } of stages) {
    const fields = Object.values(JSON.parse(Properties.AccessLogSettings.Format))
    assert.ok(fields.includes('$context.routeKey') && fields.includes('$context.identity.userArn'))
    assert.ok(!fields.some((field) => /path|query/i.test(String(field))), String(fields))
  }
})

test('no API has CORS headers, so pages of other origins cannot call it from a browser', () => {
  for (const { Properties } of resourcesOfType('AWS::ApiGatewayV2::Api', { jwt }))
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
  const [api] = ofApis('AWS::ApiGatewayV2::Api', { api: domain })
  const [stage] = ofApis('AWS::ApiGatewayV2::Stage', { api: domain })
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
  const [api] = ofApis('AWS::ApiGatewayV2::Api', { api: domain })
  assert.equal(api?.Properties.DisableExecuteApiEndpoint, undefined)
  for (const { Properties } of ofApis('AWS::ApiGatewayV2::Route', { api: domain }))
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
