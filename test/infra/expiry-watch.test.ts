/** The daily expiry watch: schedule, permissions, and the publishers of change events. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiryWatchHour } from '../../shared/contract/expiry-watch-schedule.ts'
import { changeEventSource } from '../../shared/transport/change-events.ts'
import { type Json, resourcesOfType, text, toList } from '../support/synthesis.ts'

const rule = () =>
  resourcesOfType('AWS::Events::Rule').find(({ id }) => id.startsWith('ExpiryWatch'))?.Properties

test('only a daily schedule invokes the expiry watch', () => {
  assert.equal(rule().ScheduleExpression, `cron(0 ${expiryWatchHour} * * ? *)`)
  assert.match(text(rule().Targets[0].Arn), /^<ExpiryWatchFunction\w+\.Arn>$/)
  const permissions = resourcesOfType('AWS::Lambda::Permission').filter(({ Properties }) =>
    text(Properties.FunctionName).includes('ExpiryWatchFunction'),
  )
  assert.deepEqual(
    permissions.map(({ Properties }) => Properties.Principal),
    ['events.amazonaws.com'],
  )
})

test("Lambda repeats a failed run of the expiry watch twice, after the run's claims on notices have expired", () => {
  const { RetryPolicy } = rule().Targets[0]
  // Lambda repeats an asynchronous invocation after one minute, and again two minutes later. A claim lasts 30 seconds.
  assert.deepEqual(RetryPolicy, { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 2 })
})

function statementsOf(role: string): Json[] {
  return resourcesOfType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith(role))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
}

for (const [role, partitions] of [
  ['ExpiryWatchFunctionRole', ['observed#*']],
  ['PolicyFunctionRole', ['observed#*', 'standing#*']],
] as const)
  test(`${role} has access only to ${partitions.join(' and ')} in the transport table`, () => {
    const reached = statementsOf(role)
      .filter(({ Resource }) => text(toList<Json>(Resource)[0]).includes('TransportTable'))
      .flatMap(({ Condition }) => Condition['ForAllValues:StringLike']['dynamodb:LeadingKeys'])
    assert.deepEqual(reached, partitions)
  })

test('the expiry watch may read connectors and change none', () => {
  const onConnectors = statementsOf('ExpiryWatchFunctionRole')
    .filter(({ Resource }) => text(toList<Json>(Resource)[0]).includes('ConnectorsTable'))
    .flatMap(({ Action }) => toList<string>(Action))
  assert.deepEqual(onConnectors.sort(), ['dynamodb:GetItem', 'dynamodb:Query'])
})

test('only units that observe or rotate certificates may put events, all with the event source mailflow', () => {
  const eventGrants = resourcesOfType('AWS::IAM::Policy').flatMap(({ Properties }) =>
    Properties.PolicyDocument.Statement.filter(({ Action }: Json) =>
      toList(Action).includes('events:PutEvents'),
    ).map(({ Resource, Condition }: Json) => [
      Properties.Roles[0].Ref.replace(/[0-9A-F]{8}$/, ''),
      text(Resource).replace(/^.*:(?=event-bus)/, ''),
      Condition,
    ]),
  )
  const condition = { 'ForAllValues:StringEquals': { 'events:source': changeEventSource } }
  assert.deepEqual(eventGrants.sort(), [
    ['DeliveryFunctionRole', 'event-bus/default', condition],
    ['PolicyFunctionRole', 'event-bus/default', condition],
    ['RotationFunctionRole', 'event-bus/default', condition],
  ])
})
