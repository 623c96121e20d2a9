/** The summaries by mail: setting, schedule, sender and permissions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leaseMs } from '../../functions/send-summary/send-summaries.ts'
import { readConfig } from '../../infra/config.ts'
import { summaryHours, summaryMinute } from '../../shared/contract/summary-schedule.ts'
import { type Json, resourcesOfType, text, toList } from '../support/synthesis.ts'

const secretArn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:mailflow/dkim-AbCdEf'
const dkim = { domain: 'ours.example', selector: 'reports', secretArn }
const daily = ['postmaster@ours.example', 'ops@ours.example']
const mailflow = { hostname: 'mx.ours.example', summaries: { daily } }

const functionOf = (settings: Record<string, unknown>) =>
  resourcesOfType('AWS::Lambda::Function', settings).find(({ id }) => id.startsWith('SummaryFunction'))
    ?.Properties
const ruleOf = (settings: Record<string, unknown>) =>
  resourcesOfType('AWS::Events::Rule', settings).find(({ id }) => id.startsWith('Summary'))?.Properties

const statements = (settings: Record<string, unknown>): Json[] =>
  resourcesOfType('AWS::IAM::Policy', settings)
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('SummaryFunctionRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)

test('without the setting there is neither the function nor its schedule nor its alarm', () => {
  assert.deepEqual([functionOf({}), ruleOf({})], [undefined, undefined])
  const alarms = resourcesOfType('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties.AlarmName)
  assert.ok(!alarms.includes('Mailflow: Errors in send-summary'))
})

test('only the schedule invokes the function, after the seal of the hour that follows the day', () => {
  const { ScheduleExpression, Targets } = ruleOf(mailflow)
  assert.equal(ScheduleExpression, `cron(${summaryMinute} ${summaryHours.join(',')} * * ? *)`)
  assert.match(text(Targets[0].Arn), /^<SummaryFunction\w+\.Arn>$/)
  const permissions = resourcesOfType('AWS::Lambda::Permission', mailflow).filter(({ Properties }) =>
    text(Properties.FunctionName).includes('SummaryFunction'),
  )
  assert.deepEqual(
    permissions.map(({ Properties }) => Properties.Principal),
    ['events.amazonaws.com'],
  )
})

test('the claim on a summary outlasts the run that made it, and expires before Lambda repeats the run for the second time', () => {
  const { Timeout } = functionOf(mailflow)
  assert.ok(Timeout * 1000 < leaseMs && leaseMs < 3 * 60_000)
})

test('summaries come from the address of TLS reports, or from their own', () => {
  const senderOf = (from?: string) =>
    functionOf({ ...mailflow, summaries: { daily, from } }).Environment.Variables.SUMMARY_SENDER
  assert.equal(senderOf(), 'postmaster@mx.ours.example')
  assert.equal(senderOf('mailflow@ours.example'), 'mailflow@ours.example')
})

test('the API tells which summaries are sent', () => {
  const summariesOf = (context: Record<string, unknown>) =>
    resourcesOfType('AWS::Lambda::Function', context).flatMap(
      ({ Properties }) => Properties.Environment?.Variables.SUMMARIES ?? [],
    )
  assert.deepEqual(
    [summariesOf({ summaries: { daily, from: 'mailflow@ours.example' } }), summariesOf({})],
    [['Daily'], ['']],
  )
})

test('each mailbox reaches the function, and the function that erases addresses', () => {
  const summaries = { from: 'mailflow@ours.example', daily, weekly: ['chief@ours.example'] }
  const { DAILY_SUMMARIES_TO, WEEKLY_SUMMARIES_TO } = functionOf({ summaries }).Environment.Variables
  assert.deepEqual(
    [DAILY_SUMMARIES_TO, WEEKLY_SUMMARIES_TO],
    ['postmaster@ours.example,ops@ours.example', 'chief@ours.example'],
  )
  const erasure = resourcesOfType('AWS::Lambda::Function', { summaries }).find(({ id }) =>
    id.startsWith('ErasureFunction'),
  )
  const settings = JSON.parse(erasure?.Properties.Environment.Variables.ADDRESS_SETTINGS)
  assert.deepEqual(
    Object.entries(settings).filter(([name]) => name.startsWith('summaries.')),
    [
      ['summaries.from', 'mailflow@ours.example'],
      ['summaries.daily.0', 'postmaster@ours.example'],
      ['summaries.daily.1', 'ops@ours.example'],
      ['summaries.weekly.0', 'chief@ours.example'],
    ],
  )
})

test('the function may read the key of TLS reports only if there is one', () => {
  const secretsOf = (settings: Record<string, unknown>) =>
    statements(settings).flatMap(({ Action, Resource }) =>
      toList<string>(Action).includes('secretsmanager:GetSecretValue')
        ? toList<Json>(Resource).map(text)
        : [],
    )
  assert.deepEqual(secretsOf(mailflow), [])
  assert.deepEqual(secretsOf({ ...mailflow, tlsReporting: { dkim } }), [secretArn])
})

test('the function reads counts and seals of events, writes none of them, and claims only summaries', () => {
  const all = statements(mailflow)
  const reached = (action: string) =>
    all
      .filter(({ Action }) => toList<string>(Action).includes(action))
      .flatMap(({ Resource }) =>
        toList<Json>(Resource).map((arn) => text(arn).replaceAll(/<(\w+?)[0-9A-F]{8}\b/g, '<$1')),
      )
  assert.deepEqual(reached('s3:GetObject').sort(), [
    '<EventsBucket.Arn>/ids/*',
    '<EventsBucket.Arn>/parquet/*',
    '<EventsBucket.Arn>/raw/*',
    '<EventsBucket.Arn>/rollups/*',
    '<EventsBucket.Arn>/seals/*',
  ])
  assert.deepEqual(reached('s3:PutObject'), ['<ContentBucket.Arn>/*'])
  const [claims] = all.filter(({ Action }) => toList<string>(Action).includes('dynamodb:PutItem'))
  assert.deepEqual(claims.Condition['ForAllValues:StringLike']['dynamodb:LeadingKeys'], ['summary#*'])
})

const real = {
  hostname: 'mx.ours.example',
  tlsSecretArn: 'arn:aws:secretsmanager:eu-west-1:210987654321:secret:mail/tls-AbC123',
}

for (const [what, settings, message] of [
  ['no mailbox', { summaries: {} }, /mailflow\.summaries: must name a mailbox in daily or weekly/],
  ['empty lists', { summaries: { daily: [], weekly: [] } }, /mailflow\.summaries: must name a mailbox/],
  ['a mailbox that is no address', { summaries: { weekly: ['ops'] } }, /summaries\.weekly\.0: /],
  ['an address with a comma', { summaries: { daily: ['"a,b"@ours.example'] } }, /summaries\.daily\.0: /],
  [
    '21 mailboxes',
    { summaries: { daily: Array.from({ length: 21 }, (_, index) => `a${index}@ours.example`) } },
    /summaries\.daily: must be at most 20 mailboxes/,
  ],
  ['an unknown setting', { summaries: { daily, hour: 3 } }, /mailflow\.summaries: .*hour/],
  [
    'a sender outside the domain of the key',
    { summaries: { daily, from: 'mailflow@other.example' }, tlsReporting: { dkim } },
    /summaries\.from: must be at tlsReporting\.dkim\.domain or below it/,
  ],
] as const)
  test(`summaries with ${what} are refused with an error that names the setting`, () => {
    assert.throws(() => readConfig({ ...real, ...settings }), message)
  })

test('a sender below the domain of the key is accepted, and without a key any sender', () => {
  for (const settings of [
    { summaries: { daily, from: 'mailflow@mx.Ours.example' }, tlsReporting: { dkim } },
    { summaries: { daily, from: 'mailflow@other.example' } },
  ])
    assert.doesNotThrow(() => readConfig({ ...real, ...settings }))
})
