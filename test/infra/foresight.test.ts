/** The daily look at certificates: when it runs, what it may reach, and who tells the event bus. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foresightHour } from '../../shared/contract/foresight-schedule.ts'
import { changeEventSource } from '../../shared/transport/change-events.ts'
import { type Json, many, ofType, text } from '../support/synthesis.ts'

const rule = () => ofType('AWS::Events::Rule').find(({ id }) => id.startsWith('Foresight'))?.Properties

test('it runs once a day, and nobody else runs it', () => {
  assert.equal(rule().ScheduleExpression, `cron(0 ${foresightHour} * * ? *)`)
  assert.match(text(rule().Targets[0].Arn), /^<ForesightFunction\w+\.Arn>$/)
  const permissions = ofType('AWS::Lambda::Permission').filter(({ Properties }) =>
    text(Properties.FunctionName).includes('ForesightFunction'),
  )
  assert.deepEqual(
    permissions.map(({ Properties }) => Properties.Principal),
    ['events.amazonaws.com'],
  )
})

test('a run that fails is repeated after the claim on a notice has ended', () => {
  const { RetryPolicy } = rule().Targets[0]
  // Lambda repeats an asynchronous invocation after one minute and after two more; a claim lasts 30 seconds.
  assert.deepEqual(RetryPolicy, { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 2 })
})

function statementsOf(role: string): Json[] {
  return ofType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith(role))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
}

for (const role of ['ForesightFunctionRole', 'PolicyFunctionRole'])
  test(`${role} reaches of the transport table only the certificates that were seen`, () => {
    const reached = statementsOf(role)
      .filter(({ Resource }) => text(many<Json>(Resource)[0]).includes('TransportTable'))
      .map(({ Condition }) => Condition['ForAllValues:StringLike']['dynamodb:LeadingKeys'])
    assert.deepEqual(reached, [['observed#*']])
  })

test('it reads connectors, and changes none', () => {
  const onConnectors = statementsOf('ForesightFunctionRole')
    .filter(({ Resource }) => text(many<Json>(Resource)[0]).includes('ConnectorsTable'))
    .flatMap(({ Action }) => many<string>(Action))
  assert.deepEqual(onConnectors.sort(), ['dynamodb:GetItem', 'dynamodb:Query'])
})

test('who sees certificates or rotates ours tells the event bus, in our name alone, and nobody else does', () => {
  const telling = ofType('AWS::IAM::Policy').flatMap(({ Properties }) =>
    Properties.PolicyDocument.Statement.filter(({ Action }: Json) =>
      many(Action).includes('events:PutEvents'),
    ).map(({ Resource, Condition }: Json) => [
      Properties.Roles[0].Ref.replace(/[0-9A-F]{8}$/, ''),
      text(Resource).replace(/^.*:(?=event-bus)/, ''),
      Condition,
    ]),
  )
  const condition = { 'ForAllValues:StringEquals': { 'events:source': changeEventSource } }
  assert.deepEqual(telling.sort(), [
    ['DeliveryFunctionRole', 'event-bus/default', condition],
    ['PolicyFunctionRole', 'event-bus/default', condition],
    ['RotationFunctionRole', 'event-bus/default', condition],
  ])
})
