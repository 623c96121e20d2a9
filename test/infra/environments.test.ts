import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { environmentSettings } from '../../infra/environment-settings.ts'
import { assemble, type Json, resources, templateOnly, text, toList } from '../support/synthesis.ts'

describe('the settings of an environment', () => {
  const settings = {
    hostname: 'mail.ours.example',
    alarmEmail: 'operator@ours.example',
    ingress: { cpu: 256, minimumTasks: 2 },
    dnsServers: ['192.0.2.1', '192.0.2.2'],
    environments: {
      prod: { hostname: 'mx.ours.example', ingress: { cpu: 1024 }, dnsServers: ['192.0.2.3'] },
      test: { alarmEmail: undefined },
    },
  }
  const { environments: _, ...common } = settings
  const rows: [environment: string | undefined, expected: object][] = [
    [undefined, common],
    [
      'prod',
      {
        hostname: 'mx.ours.example',
        alarmEmail: 'operator@ours.example',
        ingress: { cpu: 1024, minimumTasks: 2 },
        dnsServers: ['192.0.2.3'],
      },
    ],
    ['test', { ...common, alarmEmail: undefined }],
  ]
  for (const [environment, expected] of rows)
    test(`with env=${environment} replace the common ones key by key`, () => {
      assert.deepEqual(environmentSettings(settings, environment), expected)
    })

  const faults: [name: string, settings: Json, environment: unknown, message: RegExp][] = [
    ['an unknown environment', settings, 'production', /"production" is no .*, which has: prod, test$/],
    ['a name that every object has', settings, 'constructor', /"constructor" is no environment/],
    ['an environment without any', {}, 'prod', /which has: none$/],
    ['environments that are a list', { environments: [] }, undefined, /mailflow\.environments: must be/],
    [
      'settings that are text',
      { environments: { prod: 'x' } },
      undefined,
      /environments\.prod: must be an object/,
    ],
    [
      'a stack name that several environments would have',
      { stackName: 'Mail', environments: { prod: {}, test: {} } },
      'test',
      /mailflow\.stackName: would name .* set mailflow\.environments\.test\.stackName instead$/,
    ],
    ['a name with a space', { environments: { 'a b': {} } }, 'a b', /environments\.a b: the name must be/],
  ]
  for (const [name, faulty, environment, message] of faults)
    test(`report ${name}`, () => assert.throws(() => environmentSettings(faulty, environment), message))
})

describe('the name of the stack', () => {
  const environments = { prod: { hostname: 'mx.ours.example' }, named: { stackName: 'Mail-Gateway' } }
  const rows: [env: string | undefined, settings: object, name: string][] = [
    [undefined, {}, 'Mailflow'],
    [undefined, { stackName: 'Mail-1' }, 'Mail-1'],
    ['prod', {}, 'Mailflow-prod'],
    ['named', {}, 'Mail-Gateway'],
    ['named', { stackName: 'Mail-1' }, 'Mail-Gateway'],
  ]
  for (const [env, settings, name] of rows)
    test(`is ${name} with the settings ${JSON.stringify(settings)} and env=${env}`, () => {
      const context = { ...templateOnly.context, ...(env !== undefined && { env }) }
      const { stacks } = assemble({ environments, ...settings }, { context })
      assert.deepEqual(
        stacks.map(({ stackName }) => stackName),
        [name],
      )
    })
})

for (const stackName of ['', '1mail', 'mail_flow', 'mail flow', 'a'.repeat(101)])
  test(`the stack name "${stackName.slice(0, 10)}" is refused`, () => {
    assert.throws(() => assemble({ stackName }), /mailflow\.stackName: must be letters, digits and hyphens/)
  })

describe('two stacks with different names in one Region', () => {
  const [first, second] = ['Mail-Test', 'Mail-Prod'].map(
    (stackName) =>
      assemble({ stackName, alarmEmail: 'operator@ours.example' }).getStackByName(stackName).template as Json,
  )

  test('have no name of a resource in common', () => {
    const names = (template: Json) => new Set(physicalNames(template))
    assert.ok(names(first).size > 30)
    assert.deepEqual(
      [...names(first)].filter((name) => names(second).has(name)),
      [],
    )
  })

  test('export nothing', () => {
    for (const { Outputs } of [first, second])
      assert.deepEqual(
        Object.values<Json>(Outputs).filter(({ Export }) => Export !== undefined),
        [],
      )
  })

  test('may use the same resources only where AWS or the settings name these', () => {
    const shared = new Set(sharedArns(first).filter((arn) => sharedArns(second).includes(arn)))
    assert.deepEqual([...shared].sort(), [
      'arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:*',
      'arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus/default',
      'arn:<AWS::Partition>:glue:<AWS::Region>:<AWS::AccountId>:catalog',
      'arn:<AWS::Partition>:glue:<AWS::Region>:<AWS::AccountId>:database/default',
      'arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:identity/*',
      'arn:aws:secretsmanager:eu-west-1:123456789012:secret:mailflow/tls-AbCdEf',
    ])
  })

  test('publish and watch metrics with the dimension of their own stack', () => {
    for (const [template, stackName] of [
      [first, 'Mail-Test'],
      [second, 'Mail-Prod'],
    ] as const) {
      const own = JSON.stringify(template)
      assert.deepEqual(new Set(stackDimensions(template)), new Set([stackName]))
      assert.ok(own.includes(`{mailflow,stack,reason} stack=\\\\\\"${stackName}\\\\\\"`))
    }
  })

  test('tell each unit its stack', () => {
    for (const [template, stackName] of [
      [first, 'Mail-Test'],
      [second, 'Mail-Prod'],
    ] as const)
      assert.deepEqual(new Set(unitStacks(template)), new Set([stackName]))
  })
})

/** Properties that give a resource a name which must be unique in a Region or an account. */
const nameProperties =
  /^(AlarmName|DashboardName|RuleName|\w*(Table|Queue|Topic|Role|Policy|Function|LogGroup|Bucket|Cluster|Service)Name|Family|Name)$/
/** Names inside other resources. */
const policyTypes = ['AWS::IAM::Policy']

const physicalNames = ({ Resources }: Json): string[] =>
  Object.values<Json>(Resources).flatMap(({ Type, Properties = {} }) =>
    policyTypes.includes(Type) ? [] : namesIn(Type, Properties),
  )

function namesIn(type: string, properties: Json): string[] {
  return Object.entries<Json>(properties).flatMap(([key, value]) =>
    nameProperties.test(key) && (typeof value === 'string' || key === 'DashboardName')
      ? [`${type} ${key} ${text(value)}`]
      : [],
  )
}

/** ARNs in permissions that name no resource of the template. */
const sharedArns = ({ Resources }: Json): string[] =>
  Object.values<Json>(Resources)
    .filter(({ Type }) => Type === 'AWS::IAM::Policy')
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .flatMap(({ Resource }) => toList(Resource).map(text))
    .filter((arn) => arn.startsWith('arn:') && !/<(?!AWS::)/.test(arn) && !arn.includes('container-assets'))

const stackDimensions = ({ Resources }: Json): string[] =>
  [...JSON.stringify(Resources).matchAll(/"Name":"stack","Value":"([^"]+)"/g)].map(([, name = '']) => name)

const unitStacks = ({ Resources }: Json): string[] =>
  Object.values<Json>(Resources).flatMap(({ Type, Properties }) => {
    if (Type === 'AWS::Lambda::Function') return [Properties.Environment.Variables.STACK_NAME]
    if (Type !== 'AWS::ECS::TaskDefinition') return []
    const [{ Environment }] = Properties.ContainerDefinitions
    return [Environment.find(({ Name }: Json) => Name === 'STACK_NAME').Value]
  })

test('tasks of the ingress have the tags of their service', () => {
  const [service] = resources().filter(({ Type }) => Type === 'AWS::ECS::Service')
  assert.equal(service?.Properties.PropagateTags, 'SERVICE')
})

test('tags are those of the stack, and a permissions boundary limits every role', () => {
  const boundary = 'arn:aws:iam::123456789012:policy/team/boundary'
  const mailflow = { tags: { team: 'mail', 'cost-center': '42' }, permissionsBoundary: boundary }
  const [stack] = assemble(mailflow).stacks
  assert.deepEqual(stack?.tags, { team: 'mail', 'cost-center': '42' })
  const roles = resources(mailflow).filter(({ Type }) => Type === 'AWS::IAM::Role')
  assert.ok(roles.length > 10)
  for (const { id, Properties } of roles) assert.equal(Properties.PermissionsBoundary, boundary, id)
})
