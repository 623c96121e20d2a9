/** Every publisher of every topic has permission of the topic and of the topic's KMS key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requiredKeyPolicy } from '../../infra/required-key-policy.ts'
import {
  deployments,
  encryptionKeyArn,
  type Json,
  type Resource,
  resources,
  text,
  toList,
} from '../support/synthesis.ts'

for (const [name, mailflow] of Object.entries(deployments))
  test(`each publisher may publish to its topic in a deployment ${name}`, () => {
    assert.deepEqual(publishFaults(resources(mailflow)), [])
  })

test('alarms and three functions are the publishers of the topics', () => {
  const all = resources()
  const publishers = topicsOf(all).map(({ id }) => [
    withoutHash(id),
    ...servicePublishers(id, all),
    ...rolePublishers(id, all).map(withoutHash),
  ])
  assert.deepEqual(publishers.sort(), [
    ['MonitoringTopic', 'cloudwatch.amazonaws.com'],
    ['NoticesTopic', 'PolicyFunctionRole', 'ExpiryWatchFunctionRole'],
    ['RotationNotices', 'RotationFunctionRole'],
  ])
})

type Mutation = (template: Mutable) => void

/** Each mutation of the default template causes exactly these faults. */
const mutations: [string, Mutation, string[]][] = [
  [
    'the topic policy without its Allow statement',
    ({ alarmsPolicy }) => drop(alarmsPolicy.PolicyDocument.Statement, ({ Effect }) => Effect === 'Allow'),
    ['MonitoringTopic: its policy does not let cloudwatch.amazonaws.com publish'],
  ],
  [
    'an Allow statement without a condition',
    ({ alarmsPolicy }) => delete allowOf(alarmsPolicy.PolicyDocument.Statement).Condition,
    ['MonitoringTopic: its policy lets cloudwatch.amazonaws.com publish for other accounts'],
  ],
  [
    'the topic under the AWS managed key',
    ({ alarms }) => {
      alarms.KmsMasterKeyId = 'alias/aws/sns'
    },
    [
      'MonitoringTopic: its key does not let cloudwatch.amazonaws.com use it: kms:GenerateDataKey*, kms:Decrypt',
    ],
  ],
  [
    'a key policy without kms:Decrypt',
    ({ keyStatements }) => {
      const [granted] = keyStatements.filter((statement) => statement.Principal.Service !== undefined)
      if (granted) granted.Action = 'kms:GenerateDataKey*'
    },
    ['MonitoringTopic: its key does not let cloudwatch.amazonaws.com use it: kms:Decrypt'],
  ],
  [
    'a rule that publishes to the topic of notices',
    ({ rule, noticesArn }) => rule.Targets.push({ Arn: noticesArn }),
    [
      'NoticesTopic: its policy does not let events.amazonaws.com publish',
      'NoticesTopic: its key does not let events.amazonaws.com use it: kms:GenerateDataKey*, kms:Decrypt',
    ],
  ],
  [
    'a rule whose key permission has a condition on the source',
    ({ rule, alarmsArn, alarmsPolicy, keyStatements }) => {
      rule.Targets.push({ Arn: alarmsArn })
      for (const statements of [alarmsPolicy.PolicyDocument.Statement as Json[], keyStatements])
        statements.push({
          ...statements.find((statement) => statement.Principal.Service !== undefined),
          Principal: { Service: 'events.amazonaws.com' },
        })
    },
    ['MonitoringTopic: its key does not let events.amazonaws.com use it: kms:GenerateDataKey*, kms:Decrypt'],
  ],
  [
    'a role that publishes to the topic of alarms without permission of its key',
    ({ policyRoleStatements, alarmsArn }) =>
      policyRoleStatements.push({ Effect: 'Allow', Action: 'sns:Publish', Resource: alarmsArn }),
    ['MonitoringTopic: its key does not let PolicyFunctionRole use it: kms:GenerateDataKey*, kms:Decrypt'],
  ],
]

for (const [what, mutate, faults] of mutations)
  test(`${what} is a fault`, () => {
    const all = structuredClone(resources())
    mutate(mutable(all))
    assert.deepEqual(publishFaults(all), faults)
  })

/** Parts of a template that the mutations change. */
interface Mutable {
  alarms: Json
  alarmsPolicy: Json
  alarmsArn: Json
  noticesArn: Json
  keyStatements: Json[]
  policyRoleStatements: Json[]
  rule: Json
}

function mutable(all: Resource[]): Mutable {
  const find = (type: string, prefix: string) => {
    const found = all.find(({ Type, id }) => Type === type && id.startsWith(prefix))
    assert.ok(found, `${type} ${prefix}`)
    return found
  }
  const alarms = find('AWS::SNS::Topic', 'Monitoring')
  return {
    alarms: alarms.Properties,
    alarmsPolicy: find('AWS::SNS::TopicPolicy', 'Monitoring').Properties,
    alarmsArn: { Ref: alarms.id },
    noticesArn: { Ref: find('AWS::SNS::Topic', 'Notices').id },
    keyStatements: find('AWS::KMS::Key', 'Monitoring').Properties.KeyPolicy.Statement,
    policyRoleStatements: find('AWS::IAM::Policy', 'PolicyFunctionRole').Properties.PolicyDocument.Statement,
    rule: find('AWS::Events::Rule', 'Reports').Properties,
  }
}

function drop(statements: Json[], unwanted: (statement: Json) => boolean): void {
  statements.splice(0, statements.length, ...statements.filter((statement) => !unwanted(statement)))
}

const allowOf = (statements: Json[]): Json => statements.find(({ Effect }) => Effect === 'Allow')

const topicsOf = (all: readonly Resource[]) => all.filter(({ Type }) => Type === 'AWS::SNS::Topic')

function publishFaults(all: readonly Resource[]): string[] {
  return topicsOf(all).flatMap((topic) => {
    const services = servicePublishers(topic.id, all)
    const publishers = [...services, ...rolePublishers(topic.id, all)]
    return [
      ...services.flatMap((service) => policyFaults(service, topic, all)),
      ...publishers.flatMap((publisher) => keyFaults(publisher, topic, all)),
    ].map((fault) => `${withoutHash(topic.id)}: ${fault}`)
  })
}

/** A service needs the topic's policy. A role of the account needs only its own policy. */
function policyFaults(service: string, { id }: Resource, all: readonly Resource[]): string[] {
  const allowing = all
    .filter(({ Type, Properties }) => Type === 'AWS::SNS::TopicPolicy' && refersTo(Properties.Topics, id))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter((statement) => allows(statement, 'sns:Publish') && refersTo(statement.Resource, id))
    .filter(({ Principal }) => toList(Principal.Service ?? []).includes(service))
  if (allowing.length === 0) return [`its policy does not let ${service} publish`]
  const isLimited = ({ Condition }: Json) =>
    text(Condition?.StringEquals?.['aws:SourceAccount']) === '<AWS::AccountId>'
  return allowing.every(isLimited) ? [] : [`its policy lets ${service} publish for other accounts`]
}

const keyActions = ['kms:GenerateDataKey*', 'kms:Decrypt']

function keyFaults(publisher: string, topic: Resource, all: readonly Resource[]): string[] {
  const granted = keyStatementsFor(publisher, topic, all)
  if (granted === 'Every action') return []
  const missing = keyActions.filter((action) => !granted.some((statement) => allows(statement, action)))
  if (missing.length === 0) return []
  return [`its key does not let ${withoutHash(publisher)} use it: ${missing.join(', ')}`]
}

/** Statements of the key's policy, and of a role's own policies, that name the publisher. */
function keyStatementsFor(
  publisher: string,
  { Properties: { KmsMasterKeyId } }: Resource,
  all: readonly Resource[],
): Json[] | 'Every action' {
  const isService = publisher.endsWith('.amazonaws.com')
  if (KmsMasterKeyId === encryptionKeyArn) return isService ? ofService(publisher) : ofRole(publisher, all)
  const key = all.find(
    ({ Type, id }) => Type === 'AWS::KMS::Key' && refersTo(KmsMasterKeyId, id, `${id}.Arn`),
  )
  // The policy of the AWS managed key admits each principal of the account, but no service.
  if (/(^|:)alias\/aws\/sns$/.test(text(KmsMasterKeyId)) && !isService) return 'Every action'
  if (key === undefined) return KmsMasterKeyId === undefined ? 'Every action' : []
  if (!isService)
    return statementsOf(publisher, all).filter(({ Resource }) => refersTo(Resource, `${key.id}.Arn`))
  return key.Properties.KeyPolicy.Statement.filter(
    ({ Principal, Condition }: Json) =>
      toList(Principal.Service ?? []).includes(publisher) &&
      // EventBridge sends neither of these condition keys to KMS: its messages would be lost.
      !(
        publisher === 'events.amazonaws.com' &&
        /aws:Source(Account|Arn)/i.test(JSON.stringify(Condition ?? {}))
      ),
  )
}

/** The customer's key has the policy that mailflow requires. */
const ofService = (service: string): Json[] =>
  requiredKeyPolicy('Mailflow', encryptionKeyArn).filter(
    ({ Principal }) => 'Service' in Principal && Principal.Service === service,
  )

/** A role needs the call of SNS only, and has no wildcard. */
const ofRole = (role: string, all: readonly Resource[]): Json[] =>
  statementsOf(role, all)
    .filter(({ Resource }) => Resource === encryptionKeyArn)
    .filter(({ Condition }) => Condition.StringEquals['kms:ViaService'] === 'sns.eu-west-1.amazonaws.com')
    .map((statement) => ({
      ...statement,
      Action: toList<string>(statement.Action).map((action) =>
        action === 'kms:GenerateDataKey' ? `${action}*` : action,
      ),
    }))

function servicePublishers(topic: string, all: readonly Resource[]): string[] {
  const actions = ({ Properties }: Resource): Json[] =>
    ['AlarmActions', 'OKActions', 'InsufficientDataActions'].flatMap((name) => Properties[name] ?? [])
  const hasAlarm = all.some(
    (resource) =>
      /^AWS::CloudWatch::(Composite)?Alarm$/.test(resource.Type) && refersTo(actions(resource), topic),
  )
  const hasRule = all.some(
    ({ Type, Properties }) =>
      Type === 'AWS::Events::Rule' &&
      refersTo(
        Properties.Targets.map(({ Arn }: Json) => Arn),
        topic,
      ),
  )
  return [...(hasAlarm ? ['cloudwatch.amazonaws.com'] : []), ...(hasRule ? ['events.amazonaws.com'] : [])]
}

/** Logical ids of the roles that are granted `sns:Publish` on the topic. */
function rolePublishers(topic: string, all: readonly Resource[]): string[] {
  return all
    .filter(({ Type }) => Type === 'AWS::IAM::Role')
    .map(({ id }) => id)
    .filter((role) =>
      statementsOf(role, all).some(
        (statement) => allows(statement, 'sns:Publish') && refersTo(statement.Resource, topic),
      ),
    )
}

const statementsOf = (role: string, all: readonly Resource[]): Json[] =>
  all
    .filter(({ Type, Properties }) => Type === 'AWS::IAM::Policy' && refersTo(Properties.Roles, role))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)

/** Whether the statement allows exactly this action, whose last character may be `*`, or every action. */
const allows = ({ Effect, Action }: Json, action: string): boolean =>
  Effect === 'Allow' &&
  toList<string>(Action).some((allowed) => [action, `${action.split(':')[0]}:*`, '*'].includes(allowed))

const refersTo = (values: Json | Json[], ...names: string[]): boolean =>
  toList<Json>(values).some((value) => names.some((name) => text(value) === `<${name}>`))

/** Drops the eight hexadecimal digits that the CDK adds to a logical id. */
const withoutHash = (id: string): string => id.replace(/[0-9A-F]{8}$/, '')
