/** The canary: its schedule, its port of the load balancer, and its permissions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canaryPort } from '../../shared/contract/canary.ts'
import { deployments, type Json, resourcesOfType, text, toList } from '../support/synthesis.ts'

test('a schedule invokes send-canary every minute, and EventBridge repeats no invocation', () => {
  const rule = resourcesOfType('AWS::Events::Rule').find(({ id }) => id.startsWith('Canary'))?.Properties
  assert.equal(rule.ScheduleExpression, 'cron(* * * * ? *)')
  const [{ Arn, RetryPolicy }] = rule.Targets
  assert.match(text(Arn), /^<CanaryFunction\w+\.Arn>$/)
  assert.deepEqual(RetryPolicy, { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 })
})

for (const [name, mailflow] of Object.entries(deployments)) {
  test(`the load balancer of a deployment ${name} leads port 25 and the port for canaries to the same tasks`, () => {
    const listeners = resourcesOfType('AWS::ElasticLoadBalancingV2::Listener', mailflow)
    const targets = listeners.map(({ Properties }) => text(Properties.DefaultActions[0].TargetGroupArn))
    assert.deepEqual(
      listeners.map(({ Properties }) => [Properties.Port, Properties.Protocol]),
      [
        [25, 'TCP'],
        [canaryPort, 'TCP'],
      ],
    )
    assert.equal(new Set(targets).size, 1)
    const group = resourcesOfType('AWS::EC2::SecurityGroup', mailflow).find(({ id }) =>
      id.startsWith('IngressFrontDoor'),
    )
    const rules: Json[] = group?.Properties.SecurityGroupIngress ?? []
    assert.deepEqual(
      rules
        .filter(({ CidrIp }) => CidrIp !== undefined)
        .map(({ CidrIp, FromPort, ToPort }) => [CidrIp, FromPort, ToPort]),
      [25, canaryPort].map((port) => ['0.0.0.0/0', port, port]),
    )
  })

  test(`send-canary of a deployment ${name} is outside the VPC`, () => {
    const unit = resourcesOfType('AWS::Lambda::Function', mailflow).find(({ id }) => id.startsWith('Canary'))
    assert.equal(unit?.Properties.VpcConfig, undefined)
  })
}

for (const [role, expected] of [
  [
    'CanaryFunctionRole',
    [
      [
        'dynamodb:UpdateItem',
        {
          'ForAllValues:StringEquals': {
            'dynamodb:LeadingKeys': ['canary'],
            'dynamodb:Attributes': ['pk', 'sk', 'sent'],
          },
          StringEqualsIfExists: { 'dynamodb:ReturnValues': ['NONE', 'UPDATED_OLD', 'UPDATED_NEW'] },
        },
      ],
    ],
  ],
  [
    'IngressTaskTaskRole',
    [['dynamodb:GetItem', { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['canary'] } }]],
  ],
] as const)
  test(`${role} has access to the item of the last canary only as it needs`, () => {
    const statements = resourcesOfType('AWS::IAM::Policy')
      .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith(role))
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
      .filter(({ Condition }) => JSON.stringify(Condition ?? {}).includes('canary'))
    assert.deepEqual(
      statements.map(({ Action, Condition }) => [Action, Condition]),
      expected,
    )
  })

test('send-canary may call DynamoDB and write its log, and nothing else', () => {
  const actions = resourcesOfType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('CanaryFunctionRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .flatMap(({ Action }) => toList<string>(Action))
  assert.deepEqual(actions.sort(), ['dynamodb:UpdateItem', 'logs:CreateLogStream', 'logs:PutLogEvents'])
})
