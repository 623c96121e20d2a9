import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigurationError, readConfig } from '../../infra/config.ts'
import { type Json, resourcesOfType, text, toList } from '../support/synthesis.ts'

const certificateArn = 'arn:aws:acm:eu-west-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000'
const mtaSts = {
  mode: 'testing',
  maxAgeDays: 14,
  domains: ['ours.example', 'ours.example.net'],
  certificateArn,
}

const ofPages = (type: string, mailflow: Record<string, unknown> = {}) =>
  resourcesOfType(type, mailflow).filter(({ id }) => id.startsWith('Pages'))
const environmentOf = (mailflow: Record<string, unknown>) =>
  ofPages('AWS::Lambda::Function', mailflow)[0]?.Properties.Environment.Variables

test('every path of the public pages needs no authorization', () => {
  assert.deepEqual(
    ofPages('AWS::ApiGatewayV2::Route').map(({ Properties }) => [
      Properties.RouteKey,
      Properties.AuthorizationType,
    ]),
    [['$default', 'NONE']],
  )
})

test('the public pages have one throttle for all clients, and log requests with the source address', () => {
  const { DefaultRouteSettings, AccessLogSettings } = ofPages('AWS::ApiGatewayV2::Stage')[0]?.Properties ?? {}
  assert.ok(DefaultRouteSettings.ThrottlingRateLimit > 0)
  assert.match(AccessLogSettings.Format, /\$context\.identity\.sourceIp/)
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
  ['a maxAgeDays of more than a year', { mode: 'enforce', maxAgeDays: 400 }, /mtaSts\.maxAgeDays: /],
] as const)
  test(`a setting mtaSts with ${name} is refused`, () =>
    assert.throws(
      () => readConfig({ ...settings, mtaSts: value }),
      (error) => error instanceof ConfigurationError && fault.test(error.message),
    ))

test('the function of the public pages gets the ARN of the topic to which partners subscribe', () => {
  const { CERTIFICATE_NOTICES_TOPIC_ARN } = environmentOf({})
  const [topic] = resourcesOfType('AWS::SNS::Topic').filter(({ id }) => id.startsWith('Rotation'))
  assert.equal(text(CERTIFICATE_NOTICES_TOPIC_ARN), `<${topic?.id}>`)
})
