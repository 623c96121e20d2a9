/** The daily TLS reports: schedule, sender and key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig, reporterOf } from '../../infra/config.ts'
import { reportHours } from '../../shared/contract/report-schedule.ts'
import { type Json, resourcesOfType, text, toList } from '../support/synthesis.ts'

const secretArn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:mailflow/dkim-AbCdEf'
const secretKeyArn = 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000'
const dkim = { domain: 'ours.example', selector: 'reports', secretArn }
const signing = { hostname: 'mx.ours.example', tlsReporting: { organisation: 'Ours Ltd', dkim } }

const variables = (mailflow: Record<string, unknown> = {}) =>
  resourcesOfType('AWS::Lambda::Function', mailflow).find(({ id }) => id.startsWith('ReportsFunction'))
    ?.Properties.Environment.Variables

const rule = (mailflow: Record<string, unknown> = {}) =>
  resourcesOfType('AWS::Events::Rule', mailflow).find(({ id }) => id.startsWith('Reports'))?.Properties

function grantsOf(mailflow: Record<string, unknown>): string[] {
  return resourcesOfType('AWS::IAM::Policy', mailflow)
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('ReportsFunctionRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .flatMap(({ Action, Resource }: Json) =>
      toList<string>(Action).map((action) => `${action} ${text(toList<Json>(Resource)[0])}`),
    )
}

test('reports run at the hours of reportHours, at a minute that depends only on the host name', () => {
  const expressions = ['mx.ours.example', 'mx.other.example', 'mx.ours.example'].map(
    (hostname) => rule({ hostname }).ScheduleExpression,
  )
  for (const expression of expressions)
    assert.match(expression, new RegExp(`^cron\\([1-5]?\\d ${reportHours.join(',')} \\* \\* \\? \\*\\)$`))
  assert.equal(expressions[0], expressions[2])
  assert.notEqual(expressions[0], expressions[1])
})

test('only the schedule invokes the function that sends reports', () => {
  const { Targets } = rule()
  assert.match(text(Targets[0].Arn), /^<ReportsFunction\w+\.Arn>$/)
  const permissions = resourcesOfType('AWS::Lambda::Permission').filter(({ Properties }) =>
    text(Properties.FunctionName).includes('ReportsFunction'),
  )
  assert.deepEqual(
    permissions.map(({ Properties }) => Properties.Principal),
    ['events.amazonaws.com'],
  )
})

test('the claim on a report outlasts the run that made it, and expires before the next run', () => {
  const { Timeout } =
    resourcesOfType('AWS::Lambda::Function').find(({ id }) => id.startsWith('ReportsFunction'))?.Properties ??
    {}
  const leaseSeconds = 20 * 60
  assert.ok(Timeout < leaseSeconds)
  const gaps = reportHours.slice(1).map((hour, index) => hour - (reportHours[index] ?? 0))
  assert.ok(gaps.every((hours) => hours * 3600 > leaseSeconds))
  assert.deepEqual(
    gaps.map((hours, index) => hours >= (gaps[index - 1] ?? 0)),
    gaps.map(() => true),
    'ever more slowly',
  )
})

test("by default, reports are unsigned and come from the host name's postmaster", () => {
  const { TLS_REPORTER_ORGANISATION, TLS_REPORTER_ADDRESS, DKIM_DOMAIN } = variables({
    hostname: 'mx.ours.example',
  })
  assert.deepEqual(
    [TLS_REPORTER_ORGANISATION, TLS_REPORTER_ADDRESS, DKIM_DOMAIN],
    ['mx.ours.example', 'postmaster@mx.ours.example', undefined],
  )
})

test('the function that sends reports may read only the secret of its DKIM key', () => {
  const { DKIM_DOMAIN, DKIM_SELECTOR, DKIM_SECRET_ARN, TLS_REPORTER_ORGANISATION } = variables(signing)
  assert.deepEqual(
    [DKIM_DOMAIN, DKIM_SELECTOR, DKIM_SECRET_ARN, TLS_REPORTER_ORGANISATION],
    ['ours.example', 'reports', secretArn, 'Ours Ltd'],
  )
  const isOfSecret = (grant: string) => /^(secretsmanager|kms):/.test(grant)
  assert.deepEqual(grantsOf(signing).filter(isOfSecret), [`secretsmanager:GetSecretValue ${secretArn}`])
  assert.deepEqual(grantsOf({}).filter(isOfSecret), [])
  const own = { ...signing, tlsReporting: { dkim: { ...dkim, secretKeyArn } } }
  assert.deepEqual(grantsOf(own).filter(isOfSecret), [
    `secretsmanager:GetSecretValue ${secretArn}`,
    `kms:Decrypt ${secretKeyArn}`,
  ])
})

test('the function that sends reports may read session counts and claim reports, and do nothing else in DynamoDB', () => {
  const conditions = resourcesOfType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('ReportsFunctionRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Action }: Json) => toList<string>(Action).some((action) => action.startsWith('dynamodb:')))
    .map(({ Action, Condition }: Json) => [
      toList(Action),
      Condition['ForAllValues:StringLike']['dynamodb:LeadingKeys'],
    ])
  assert.deepEqual(conditions, [
    [['dynamodb:Query'], ['sessions#*']],
    [['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'], ['sent#*']],
  ])
})

const real = {
  hostname: 'mx.ours.example',
  tlsSecretArn: 'arn:aws:secretsmanager:eu-west-1:210987654321:secret:mail/tls-AbC123',
}

for (const [what, tlsReporting, message] of [
  [
    "a DKIM key of another domain than the reports' address",
    { dkim: { ...dkim, domain: 'other.example' } },
    /dkim\.domain: must be the domain of the reports' address/,
  ],
  [
    "a DKIM key of a name that is only a textual suffix of the address's domain",
    { dkim: { ...dkim, domain: 'rs.example' } },
    /dkim\.domain: must be/,
  ],
  [
    "a DKIM key of a subdomain of the address's domain",
    { address: 'a@ours.example', dkim: { ...dkim, domain: 'mx.ours.example' } },
    /dkim\.domain: must be/,
  ],
  [
    "a secret's name instead of its ARN",
    { dkim: { ...dkim, secretArn: 'mailflow/dkim' } },
    /dkim\.secretArn: must be the complete ARN/,
  ],
  ['an invalid address of the reports', { address: 'postmaster' }, /tlsReporting\.address: /],
] as const)
  test(`${what} is refused with an error that names the setting`, () => {
    assert.throws(() => readConfig({ ...real, tlsReporting }), message)
  })

test("a DKIM key of a parent of the address's domain is accepted", () => {
  const config = readConfig({ ...real, tlsReporting: { dkim } })
  assert.deepEqual(reporterOf(config), {
    organisation: 'mx.ours.example',
    address: 'postmaster@mx.ours.example',
    dkim,
  })
})
