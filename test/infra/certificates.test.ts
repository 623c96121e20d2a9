import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '../../infra/config.ts'
import {
  deployments,
  type Json,
  onlyResource,
  resources,
  resourcesOfType,
  text,
  toList,
} from '../support/synthesis.ts'

const tlsSecretArn = 'arn:aws:secretsmanager:eu-west-1:210987654321:secret:mail/tls-AbC123'
const withAdministratorSecret = { tlsSecretArn }
const withAcmCertificates =
  deployments['with certificates of ACM, CloudFront, IPv6 and a domain name of the API'] ?? {}

/** Returns each grant that matches `actions` as `role action resource`, sorted, without hashes. */
function grants(mailflow: Record<string, unknown>, actions: RegExp): string[] {
  return resourcesOfType('AWS::IAM::Policy', mailflow)
    .flatMap(({ Properties }) =>
      Properties.PolicyDocument.Statement.flatMap(({ Action, Resource }: Json) =>
        toList<string>(Action).flatMap((action) =>
          toList<Json>(Resource).map((resource) => `${Properties.Roles[0].Ref} ${action} ${text(resource)}`),
        ),
      ),
    )
    .filter((grant) => actions.test(grant))
    .map(withoutHashes)
    .sort()
}

/** Drops the eight hexadecimal digits that the CDK adds to names. */
const withoutHashes = (value: string): string => value.replace(/(?<=[A-Za-z])[0-9A-F]{8}(?=[>. ]|$)/g, '')

test('only the ingress and rotation read the TLS secret, and only rotation writes it', () => {
  for (const [mailflow, secret] of [
    [withAdministratorSecret, tlsSecretArn],
    [withAcmCertificates, '<CertificateSecret>'],
  ] as const)
    assert.deepEqual(grants(mailflow, /secretsmanager:(?!.*client-certificates)/), [
      `IngressTaskTaskRole secretsmanager:GetSecretValue ${secret}`,
      `RotationFunctionRole secretsmanager:GetSecretValue ${secret}`,
      `RotationFunctionRole secretsmanager:PutSecretValue ${secret}`,
      `RotationFunctionRole secretsmanager:UpdateSecretVersionStage ${secret}`,
    ])
})

test('only rotation exports certificates from ACM, and only those of the stack', () => {
  assert.deepEqual(grants(withAdministratorSecret, / acm:/), [])
  assert.deepEqual(grants(withAcmCertificates, / acm:/), [
    'RotationFunctionRole acm:ExportCertificate <CertificateAcmEC>',
    'RotationFunctionRole acm:ExportCertificate <CertificateAcmRSA>',
    'RotationFunctionRole acm:GetCertificate <CertificateAcmEC>',
    'RotationFunctionRole acm:GetCertificate <CertificateAcmRSA>',
  ])
})

test('only rotation changes records of Route 53: the TLSA records of the host, in the configured zone, with UPSERT', () => {
  assert.deepEqual(grants(withAdministratorSecret, / route53:/), [])
  const zone = 'arn:<AWS::Partition>:route53:::hostedzone/Z0123456789ABCDEFGHIJ'
  assert.deepEqual(grants(withAcmCertificates, / route53:/), [
    `RotationFunctionRole route53:ChangeResourceRecordSets ${zone}`,
    `RotationFunctionRole route53:GetDNSSEC ${zone}`,
    `RotationFunctionRole route53:ListResourceRecordSets ${zone}`,
  ])
  const [change] = resourcesOfType('AWS::IAM::Policy', withAcmCertificates)
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Action }) => Action === 'route53:ChangeResourceRecordSets')
  assert.deepEqual(change.Condition, {
    'ForAllValues:StringEquals': {
      'route53:ChangeResourceRecordSetsNormalizedRecordNames': ['_25._tcp.mail.example.com'],
      'route53:ChangeResourceRecordSetsRecordTypes': ['TLSA'],
      'route53:ChangeResourceRecordSetsActions': ['UPSERT'],
    },
  })
})

test('a deployment that sets the zone of the TLSA records runs rotation, which refuses a zone that is not signed', () => {
  const run = onlyResource('AWS::CloudFormation::CustomResource', withAcmCertificates)
  assert.equal(run.Properties.TlsaZone, 'Z0123456789ABCDEFGHIJ')
})

test('certificates of ACM are for the host name, exportable, one per key type, and validated in the given zone', () => {
  const certificates = resourcesOfType('AWS::CertificateManager::Certificate', withAcmCertificates).map(
    ({ Properties }) => Properties,
  )
  assert.deepEqual(
    certificates.map(({ KeyAlgorithm, CertificateExport, ValidationMethod, DomainName }) => [
      KeyAlgorithm,
      CertificateExport,
      ValidationMethod,
      DomainName,
    ]),
    ['EC_prime256v1', 'RSA_2048'].map((kind) => [kind, 'ENABLED', 'DNS', 'mail.example.com']),
  )
  for (const { DomainValidationOptions } of certificates)
    assert.deepEqual(DomainValidationOptions, [
      { DomainName: 'mail.example.com', HostedZoneId: 'Z0123456789ABCDEFGHIJ' },
    ])
  const withoutZone = { ...withAcmCertificates, certificate: { acm: { keyAlgorithms: ['RSA'] } } }
  const { Properties } = onlyResource('AWS::CertificateManager::Certificate', withoutZone)
  assert.deepEqual([Properties.KeyAlgorithm, Properties.DomainValidationOptions], ['RSA_2048', undefined])
})

test('the template contains no value of the TLS secret, and the secret outlives the stack', () => {
  const { Properties, DeletionPolicy } = onlyResource('AWS::SecretsManager::Secret', withAcmCertificates)
  assert.deepEqual(
    [Properties.SecretString, Properties.GenerateSecretString, DeletionPolicy],
    [undefined, undefined, 'RetainExceptOnCreate'],
  )
  assert.deepEqual(resourcesOfType('AWS::SecretsManager::Secret', withAdministratorSecret), [])
})

test('a deployment of the stack grants rotation its permissions, then runs rotation, then starts the ingress', () => {
  for (const mailflow of [withAdministratorSecret, withAcmCertificates]) {
    const all: Json[] = resources(mailflow)
    const run = all.find(({ Type }) => Type === 'AWS::CloudFormation::CustomResource')
    assert.match(text(run.Properties.ServiceToken), /^<RotationFunction\w+\.Arn>$/)
    assert.ok(run.DependsOn.some((id: string) => /^RotationFunctionRoleDefaultPolicy/.test(id)))
    const service = all.find(({ Type }) => Type === 'AWS::ECS::Service')
    assert.ok(service.DependsOn.includes(run.id))
  }
})

test('rotation runs each hour, and when ACM has issued or renewed a certificate of the ingress', () => {
  const rules = (mailflow: Record<string, unknown>) =>
    resourcesOfType('AWS::Events::Rule', mailflow)
      .filter(({ id }) => id.startsWith('Rotation'))
      .map(({ Properties }) => Properties)
  const [hourly, ...others] = rules(withAdministratorSecret)
  assert.deepEqual([hourly.ScheduleExpression, others], ['cron(17 * * * ? *)', []])
  const renewed = rules(withAcmCertificates).find(({ EventPattern }) => EventPattern)
  assert.deepEqual(
    { ...renewed.EventPattern, resources: renewed.EventPattern.resources.map(text).map(withoutHashes) },
    {
      source: ['aws.acm'],
      'detail-type': ['ACM Certificate Available'],
      resources: ['<CertificateAcmEC>', '<CertificateAcmRSA>'],
      detail: { Action: ['ISSUANCE', 'RENEWAL'] },
    },
  )
  for (const { Targets } of rules(withAcmCertificates))
    assert.match(text(Targets[0].Arn), /^<RotationFunction\w+\.Arn>$/)
})

test('rotation writes only published certificates to the connectors table', () => {
  const statements = resourcesOfType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('RotationFunctionRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Action }: Json) => toList<string>(Action).some((action) => action.startsWith('dynamodb:')))
  assert.deepEqual(
    statements.map(({ Condition }: Json) => Condition),
    [{ 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['certificates'] } }],
  )
})

const common = { hostname: 'mx.ours.example' }
const wrong: [string, object, RegExp][] = [
  [
    'neither tlsSecretArn nor certificate.acm',
    {},
    /mailflow\.tlsSecretArn: set either this or certificate\.acm/,
  ],
  [
    'both tlsSecretArn and certificate.acm',
    { ...withAdministratorSecret, certificate: { acm: {} } },
    /set either this or certificate\.acm/,
  ],
  [
    'a repeated key type',
    { certificate: { acm: { keyAlgorithms: ['EC', 'EC'] } } },
    /keyAlgorithms: must name each kind once/,
  ],
  ['no key type', { certificate: { acm: { keyAlgorithms: [] } } }, /keyAlgorithms/],
  [
    'the name of a hosted zone instead of its id',
    { certificate: { acm: { hostedZoneId: 'ours.example' } } },
    /must be the id of a hosted zone/,
  ],
  ['noticeDays above 30', { ...withAdministratorSecret, certificate: { noticeDays: 365 } }, /noticeDays/],
]

for (const [what, settings, fault] of wrong)
  test(`a configuration with ${what} is refused`, () => {
    assert.throws(() => readConfig({ ...common, ...settings }), fault)
  })
