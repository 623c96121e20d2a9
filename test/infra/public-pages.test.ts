import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { ConfigurationError, readConfig } from '../../infra/config.ts'
import {
  assemble,
  type Json,
  onlyResource,
  resources,
  resourcesOfType,
  text,
  toList,
} from '../support/synthesis.ts'

const certificateArn = 'arn:aws:acm:eu-west-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000'
const mtaSts = {
  mode: 'testing',
  maxAgeDays: 14,
  domains: ['ours.example', 'ours.example.net'],
  certificateArn,
}

const policyRoute = 'ANY /.well-known/mta-sts.txt'

const ofPages = (type: string, mailflow: Record<string, unknown> = {}) =>
  resourcesOfType(type, mailflow).filter(({ id }) => id.startsWith('Pages'))
const pagesStage = () => ofPages('AWS::ApiGatewayV2::Stage')[0]?.Properties ?? {}
const environmentOf = (mailflow: Record<string, unknown>) =>
  ofPages('AWS::Lambda::Function', mailflow)[0]?.Properties.Environment.Variables

test('every path of the public pages needs no authorization', () => {
  assert.deepEqual(
    ofPages('AWS::ApiGatewayV2::Route').map(({ Properties }) => [
      Properties.RouteKey,
      Properties.AuthorizationType,
    ]),
    [
      ['$default', 'NONE'],
      [policyRoute, 'NONE'],
    ],
  )
})

test('the MTA-STS policy has a throttle of its own, and each throttle limits all clients together', () => {
  const { DefaultRouteSettings, RouteSettings } = pagesStage()
  assert.ok(DefaultRouteSettings.ThrottlingRateLimit > 0)
  assert.deepEqual(Object.keys(RouteSettings), [policyRoute])
  assert.ok(RouteSettings[policyRoute].ThrottlingRateLimit > 0)
  assert.ok(RouteSettings[policyRoute].ThrottlingBurstLimit > 0)
})

test('CloudFormation creates the route of the MTA-STS policy before the stage that names it', () => {
  const [stage] = ofPages('AWS::ApiGatewayV2::Stage')
  const route = ofPages('AWS::ApiGatewayV2::Route').find(
    ({ Properties }) => Properties.RouteKey === policyRoute,
  )
  assert.ok(route && stage?.DependsOn?.includes(route.id))
})

test('the public pages log requests with the source address', () => {
  assert.match(pagesStage().AccessLogSettings.Format, /\$context\.identity\.sourceIp/)
})

test('the function of the public pages may read only single certificates and accepted domains', () => {
  const statements = resourcesOfType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('PagesFunctionRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Json[])
    .filter(({ Action }) => !toList<string>(Action).every((action) => action.startsWith('logs:')))
  assert.deepEqual(
    statements.map(({ Action, Condition }) => [Action, Condition]),
    [
      [
        'dynamodb:GetItem',
        { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['certificates', 'accepted-domain'] } },
      ],
    ],
  )
})

test('without the setting mtaSts there is no MTA-STS policy and no policy host', () => {
  const { MTA_STS_MODE, MTA_STS_MAX_AGE_SECONDS } = environmentOf({})
  assert.deepEqual([MTA_STS_MODE, MTA_STS_MAX_AGE_SECONDS], [undefined, undefined])
  assert.deepEqual(ofPages('AWS::ApiGatewayV2::DomainName'), [])
})

test('the setting mtaSts sets the mode of the MTA-STS policy and its max_age in seconds', () => {
  const { MTA_STS_MODE, MTA_STS_MAX_AGE_SECONDS } = environmentOf({ mtaSts })
  assert.deepEqual([MTA_STS_MODE, MTA_STS_MAX_AGE_SECONDS], ['testing', '1209600'])
})

test('each domain of mtaSts has a policy host with the configured certificate, TLS 1.2 or later, and IPv6', () => {
  const hosts = ofPages('AWS::ApiGatewayV2::DomainName', { mtaSts }).map(({ Properties }) => [
    Properties.DomainName,
    Properties.DomainNameConfigurations,
  ])
  const configuration = {
    CertificateArn: certificateArn,
    EndpointType: 'REGIONAL',
    SecurityPolicy: 'TLS_1_2',
    IpAddressType: 'dualstack',
  }
  assert.deepEqual(hosts, [
    ['mta-sts.ours.example', [configuration]],
    ['mta-sts.ours.example.net', [configuration]],
  ])
  const mappings = ofPages('AWS::ApiGatewayV2::ApiMapping', { mtaSts })
  assert.deepEqual(
    mappings.map(({ Properties }) => [
      text(Properties.ApiId).replace(/[0-9A-F]{8}>$/, '>'),
      Properties.Stage,
    ]),
    [
      ['<PagesApi>', '$default'],
      ['<PagesApi>', '$default'],
    ],
  )
})

const withCloudFront = {
  ...mtaSts,
  certificateArn: certificateArn.replace('eu-west-1', 'us-east-1'),
  cloudFront: true,
}

test('without the setting mtaSts.cloudFront there is no resource of CloudFront', () => {
  const types = resources({ mtaSts }).map(({ Type }) => Type)
  assert.deepEqual(
    types.filter((type) => type.startsWith('AWS::CloudFront')),
    [],
  )
})

test('with mtaSts.cloudFront, CloudFront serves the policy hosts over HTTPS only, with TLS 1.2 or later', () => {
  const { DistributionConfig } = onlyResource('AWS::CloudFront::Distribution', {
    mtaSts: withCloudFront,
  }).Properties
  assert.deepEqual(DistributionConfig.Aliases, ['mta-sts.ours.example', 'mta-sts.ours.example.net'])
  assert.deepEqual(DistributionConfig.ViewerCertificate, {
    AcmCertificateArn: withCloudFront.certificateArn,
    MinimumProtocolVersion: 'TLSv1.2_2021',
    SslSupportMethod: 'sni-only',
  })
  assert.equal(DistributionConfig.DefaultCacheBehavior.ViewerProtocolPolicy, 'https-only')
  assert.equal(DistributionConfig.CacheBehaviors, undefined)
  assert.deepEqual(ofPages('AWS::ApiGatewayV2::DomainName', { mtaSts: withCloudFront }), [])
})

test('with mtaSts.cloudFront, CloudFront requests pages from the API over HTTPS, and passes on only the policy host', () => {
  const { DistributionConfig } = onlyResource('AWS::CloudFront::Distribution', {
    mtaSts: withCloudFront,
  }).Properties
  const [origin, ...others] = DistributionConfig.Origins
  assert.deepEqual(others, [])
  assert.match(JSON.stringify(origin.DomainName), /"Fn::GetAtt":\["PagesApi\w+","ApiEndpoint"\]/)
  assert.equal(origin.CustomOriginConfig.OriginProtocolPolicy, 'https-only')
  assert.equal(DistributionConfig.DefaultCacheBehavior.OriginRequestPolicyId, undefined)
  const { CachePolicyConfig } = onlyResource('AWS::CloudFront::CachePolicy', {
    mtaSts: withCloudFront,
  }).Properties
  const { CookiesConfig, HeadersConfig, QueryStringsConfig } =
    CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin
  assert.deepEqual(HeadersConfig, { HeaderBehavior: 'whitelist', Headers: ['x-mailflow-policy-host'] })
  assert.deepEqual([CookiesConfig.CookieBehavior, QueryStringsConfig.QueryStringBehavior], ['none', 'none'])
  assert.equal(CachePolicyConfig.MinTTL, 0)
})

test('with mtaSts.cloudFront, the outputs name CloudFront as target of each policy host and as public page', () => {
  const { Outputs } = assemble({ mtaSts: withCloudFront }).getStackByName('Mailflow').template
  const { id } = onlyResource('AWS::CloudFront::Distribution', { mtaSts: withCloudFront })
  const ofCloudFront = Object.values<Json>(Outputs).filter(({ Value }) => text(Value).includes(id))
  assert.deepEqual(ofCloudFront.map(({ Value, Description }) => [text(Value), Description]).sort(), [
    [`<${id}.DomainName>`, 'CNAME of mta-sts.ours.example'],
    [`<${id}.DomainName>`, 'CNAME of mta-sts.ours.example.net'],
    [`https://<${id}.DomainName>`, 'Public page with the certificates of the ingress, for partners'],
  ])
})

interface ViewerRequest {
  uri: string
  headers: Record<string, { value: string }>
}

/** Runs the function that CloudFront runs for each request. */
function viewerRequest(uri: string, headers: Record<string, string>): ViewerRequest | { statusCode: number } {
  const { FunctionCode } = onlyResource('AWS::CloudFront::Function', { mtaSts: withCloudFront }).Properties
  const entries = Object.entries(headers).map(([name, value]) => [name, { value }])
  const event = { request: { uri, headers: Object.fromEntries(entries) } }
  return runInNewContext(`${FunctionCode}; handler(event)`, { event })
}

const policyHost = { host: 'mta-sts.ours.example' }
const chain = `/certificates/${'0a'.repeat(32)}.pem`

for (const [name, uri, headers, cacheKey] of [
  ['the policy', '/.well-known/mta-sts.txt', policyHost, 'mta-sts.ours.example'],
  [
    'the policy with a port',
    '/.well-known/mta-sts.txt',
    { host: 'MTA-STS.ours.example.:8443' },
    'mta-sts.ours.example',
  ],
  [
    'the policy with a forged host header',
    '/.well-known/mta-sts.txt',
    { ...policyHost, 'x-mailflow-policy-host': 'mta-sts.x.example' },
    'mta-sts.ours.example',
  ],
  ['the page', '/', policyHost, null],
  ['the page with a forged host header', '/', { ...policyHost, 'x-mailflow-policy-host': 'x' }, null],
  ['the JSON', '/certificates.json', policyHost, null],
  ['a chain', chain, policyHost, null],
] as const)
  test(`a request to CloudFront for ${name} has a cache key that the client cannot vary`, () => {
    const request = viewerRequest(uri, headers)
    assert.ok('uri' in request)
    assert.equal(request.uri, uri)
    assert.equal(request.headers['x-mailflow-policy-host']?.value ?? null, cacheKey)
  })

for (const uri of [
  '/.well-known/mta-sts%2Etxt',
  '//.well-known/mta-sts.txt',
  '/.well-known/mta-sts.txt/',
  '/index.html',
  '/certificates/x.pem',
  `${chain}x`,
])
  test(`CloudFront answers 404 to a request for ${uri} without a request to the API`, () => {
    assert.partialDeepStrictEqual(viewerRequest(uri, policyHost), { statusCode: 404 })
  })

const settings = {
  hostname: 'mx.ours.example',
  tlsSecretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:mailflow/tls-AbCdEf',
}

for (const [name, value, fault] of [
  [
    'domains without a certificate',
    { ...mtaSts, certificateArn: undefined },
    /mtaSts\.certificateArn: must be set/,
  ],
  [
    'a certificate without domains',
    { mode: 'enforce', certificateArn },
    /mtaSts\.certificateArn: must be set/,
  ],
  ['an unknown mode', { mode: 'report' }, /mtaSts\.mode: /],
  ['cloudFront without domains', { mode: 'enforce', cloudFront: true }, /mtaSts\.cloudFront: needs domains/],
  [
    'cloudFront and a certificate in another Region',
    { ...mtaSts, cloudFront: true },
    /mtaSts\.cloudFront: .*us-east-1/,
  ],
  ['a maxAgeDays of more than a year', { mode: 'enforce', maxAgeDays: 400 }, /mtaSts\.maxAgeDays: /],
] as const)
  test(`a setting mtaSts with ${name} is refused`, () =>
    assert.throws(
      () => readConfig({ ...settings, mtaSts: value }),
      (error) => error instanceof ConfigurationError && fault.test(error.message),
    ))

test('the function of the public pages gets no ARN, so that no page can show the number of the account', () => {
  const environment = environmentOf({ mtaSts })
  assert.equal(environment.CONTACT_ADDRESS, 'postmaster@mail.example.com')
  assert.doesNotMatch(JSON.stringify(environment), /arn/i)
})
