import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requiredKeyPolicy } from '../../infra/required-key-policy.ts'
import {
  assemble,
  deploymentsWithKey,
  encryptionKeyArn,
  type Resource,
  resources,
  text,
} from '../support/synthesis.ts'

const account = 'arn:aws:iam::123456789012:root'
const settings = { encryptionKeyArn }
const policy = requiredKeyPolicy('Mailflow', encryptionKeyArn)

/** The principals that use the key because a resource of this type names it. */
const principalsOf: Record<string, string[]> = {
  'AWS::Athena::WorkGroup': [account],
  'AWS::DynamoDB::Table': [account],
  'AWS::ECS::Cluster': ['fargate.amazonaws.com'],
  'AWS::IAM::Policy': [account],
  'AWS::Logs::LogGroup': ['logs.eu-west-1.amazonaws.com'],
  'AWS::S3::Bucket': [account],
  'AWS::SNS::Topic': [account],
  'AWS::SecretsManager::Secret': [account],
  'AWS::SQS::Queue': [account],
}

const namesKey = ({ Properties }: Resource) => {
  const [, id = ''] = encryptionKeyArn.split('key/')
  return JSON.stringify(Properties ?? {}).includes(id)
}

/** CloudWatch publishes to the topic of an alarm. */
function alarmPrincipals(all: readonly Resource[]): string[] {
  const targets = new Set(
    all
      .filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm')
      .flatMap(({ Properties }) => Properties.AlarmActions.map(text)),
  )
  const isTarget = ({ Type, id }: Resource) => Type === 'AWS::SNS::Topic' && targets.has(`<${id}>`)
  return all.some((resource) => isTarget(resource) && namesKey(resource)) ? ['cloudwatch.amazonaws.com'] : []
}

for (const [name, mailflow] of Object.entries(deploymentsWithKey))
  test(`the required policy has a statement for each principal that uses the key in a deployment ${name}, and no other`, () => {
    const all = resources(mailflow)
    const users = all.filter(namesKey).flatMap(({ Type, id }) => {
      assert.ok(principalsOf[Type], `${Type} ${id} names the key: who uses it?`)
      return principalsOf[Type]
    })
    const stated = policy.map(({ Principal }) => ('Service' in Principal ? Principal.Service : Principal.AWS))
    assert.deepEqual([...new Set(stated)].sort(), [...new Set([...users, ...alarmPrincipals(all)])].sort())
  })

test("CloudFormation's names of the log groups and of the cluster begin as the required policy states", () => {
  const [logs] = policy.filter(({ Sid }) => Sid === 'LogGroups')
  assert.deepEqual(logs?.Condition?.ArnLike, {
    'kms:EncryptionContext:aws:logs:arn': 'arn:aws:logs:eu-west-1:123456789012:log-group:Mailflow-*',
  })
  const named = resources(settings).filter(
    ({ Type, Properties }) =>
      (Type === 'AWS::Logs::LogGroup' && Properties.LogGroupName !== undefined) ||
      (Type === 'AWS::ECS::Cluster' && Properties.ClusterName !== undefined),
  )
  assert.deepEqual(named, [])
})

test('each service may use the key only for this account, and for log groups and clusters of this stack', () => {
  for (const { Sid, Principal, Condition } of policy)
    if ('Service' in Principal) assert.match(JSON.stringify(Condition), /:123456789012:|"123456789012"/, Sid)
  const stackName = 'Mailflow-test'
  const conditions = requiredKeyPolicy(stackName, encryptionKeyArn).map(({ Condition }) =>
    JSON.stringify(Condition ?? {}),
  )
  assert.equal(conditions.filter((condition) => condition.includes(`${stackName}-*`)).length, 3)
})

test('a role of the account may use the key as far as its own policy says', () => {
  const [roles] = policy.filter(({ Principal }) => 'AWS' in Principal)
  for (const action of ['kms:Decrypt', 'kms:GenerateDataKey*', 'kms:DescribeKey', 'kms:CreateGrant'])
    assert.ok(roles?.Action.includes(action), action)
})

test('cdk synth names the page with the required policy when the setting encryptionKeyArn is given', () => {
  const mentions = (mailflow: Record<string, unknown>) =>
    assemble(mailflow)
      .getStackByName('Mailflow')
      .messages.filter(({ entry }) => String(entry.data).includes('docs/generated/key-policy.md')).length
  assert.deepEqual([mentions({}), mentions(settings)], [0, 1])
})
