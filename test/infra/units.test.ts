import assert from 'node:assert/strict'
import { test } from 'node:test'
import type * as z from 'zod'
import {
  ApiEnvironment,
  AuthenticateEnvironment,
  BounceEnvironment,
  CanaryEnvironment,
  CheckRecipientEnvironment,
  ConsoleEnvironment,
  DeliverEnvironment,
  EraseAddressEnvironment,
  EvaluateEnvironment,
  EventApiEnvironment,
  ExpiryWatchEnvironment,
  IngressEnvironment,
  PagesEnvironment,
  RecordEventsEnvironment,
  ReportEnvironment,
  RotateEnvironment,
  readEnvironment,
  SealHourEnvironment,
  SummaryEnvironment,
  ValidateEnvironment,
} from '../../shared/contract/environment.ts'
import {
  assemble,
  deployments,
  type Json,
  onlyResource,
  resourcesOfType,
  text,
} from '../support/synthesis.ts'

const functions: [string, z.ZodObject][] = [
  ['PolicyFunction', EvaluateEnvironment],
  ['DeliveryFunction', DeliverEnvironment],
  ['AuthenticationFunction', AuthenticateEnvironment],
  ['BounceFunction', BounceEnvironment],
  ['ApiFunction', ApiEnvironment],
  ['EventApiFunction', EventApiEnvironment],
  ['ValidationFunction', ValidateEnvironment],
  ['RecipientCheckFunction', CheckRecipientEnvironment],
  ['ReportsFunction', ReportEnvironment],
  ['PagesFunction', PagesEnvironment],
  ['ExpiryWatchFunction', ExpiryWatchEnvironment],
  ['RotationFunction', RotateEnvironment],
  ['CanaryFunction', CanaryEnvironment],
  ['RecordingFunction', RecordEventsEnvironment],
  ['SealingFunction', SealHourEnvironment],
  ['ErasureFunction', EraseAddressEnvironment],
]

for (const [deployment, mailflow] of Object.entries(deployments)) {
  const optional: typeof functions = [
    ...('summaries' in mailflow ? ([['SummaryFunction', SummaryEnvironment]] as typeof functions) : []),
    ...('console' in mailflow ? ([['ConsoleFunction', ConsoleEnvironment]] as typeof functions) : []),
  ]
  for (const [id, schema] of [...functions, ...optional])
    test(`${id} of a deployment ${deployment} has only environment variables that it reads, and every required one`, () => {
      const unit = resourcesOfType('AWS::Lambda::Function', mailflow).find((fn) => fn.id.startsWith(id))
      assertAgrees(schema, unit?.Properties.Environment.Variables)
    })

  test(`the ingress of a deployment ${deployment} has only environment variables that it reads, and every required one`, () => {
    const [container] = onlyResource('AWS::ECS::TaskDefinition', mailflow).Properties.ContainerDefinitions
    const environment = Object.fromEntries(
      container.Environment.map(({ Name, Value }: Json) => [Name, Value]),
    )
    assertAgrees(IngressEnvironment, environment)
  })
}

test('the environment of the ingress has the ARN of the TLS secret and no secret value', () => {
  const [container] = onlyResource('AWS::ECS::TaskDefinition').Properties.ContainerDefinitions
  const variableOf = (name: string) => container.Environment.find(({ Name }: Json) => Name === name)?.Value
  assert.match(variableOf('TLS_SECRET_ARN'), /^arn:aws:secretsmanager:.*:secret:mailflow\/tls-AbCdEf$/)
  assert.equal(container.Secrets, undefined)
})

test('the host name and the settings of DNS reach the functions that deliver and validate', () => {
  const mailflow = {
    hostname: 'mx.ours.example',
    dnsServers: ['127.0.0.1:5353'],
    privateMxNetworks: ['127.0.0.0/8'],
  }
  for (const name of ['DeliveryFunction', 'ValidationFunction', 'RecipientCheckFunction']) {
    const unit = resourcesOfType('AWS::Lambda::Function', mailflow).find(({ id }) => id.startsWith(name))
    const { MAIL_HOSTNAME, DNS_SERVERS, PRIVATE_MX_NETWORKS } = unit?.Properties.Environment.Variables ?? {}
    assert.deepEqual(
      [MAIL_HOSTNAME, DNS_SERVERS, PRIVATE_MX_NETWORKS],
      ['mx.ours.example', '127.0.0.1:5353', '127.0.0.0/8'],
      name,
    )
  }
})

test('the settings of DSNs reach the functions that decide on, explain and write DSNs', () => {
  const mailflow = { delayNotificationHours: 0.5, maximumReturnedSize: 5000 }
  const environmentOf = (name: string) =>
    resourcesOfType('AWS::Lambda::Function', mailflow).find(({ id }) => id.startsWith(name))?.Properties
      .Environment.Variables
  for (const name of ['PolicyFunction', 'ApiFunction'])
    assert.equal(environmentOf(name)?.DELAY_NOTIFICATION_HOURS, '0.5', name)
  assert.equal(environmentOf('BounceFunction')?.MAX_RETURNED_SIZE, '5000')
})

test('the setting postmaster reaches the ingress and the functions that decide and explain', () => {
  const mailflow = { hostname: 'mx.ours.example', postmaster: 'ops@operator.example' }
  const [container] = onlyResource('AWS::ECS::TaskDefinition', mailflow).Properties.ContainerDefinitions
  const environments = [
    Object.fromEntries(container.Environment.map(({ Name, Value }: Json) => [Name, Value])),
    ...['PolicyFunction', 'ApiFunction'].map(
      (name) =>
        resourcesOfType('AWS::Lambda::Function', mailflow).find(({ id }) => id.startsWith(name))?.Properties
          .Environment.Variables,
    ),
  ]
  for (const { MAIL_HOSTNAME, POSTMASTER_ADDRESS } of environments)
    assert.deepEqual([MAIL_HOSTNAME, POSTMASTER_ADDRESS], [mailflow.hostname, mailflow.postmaster])
})

const longRoles = { claim: 'groups', mapping: { ['g'.repeat(2000)]: 'read' } }
const jwt = { issuer: 'https://login.example.net/', audience: ['mailflow'], roles: longRoles }
const networks = (count: number) => Array.from({ length: count }, (_, index) => `10.0.${index}.0/24`)
const environments: [what: string, mailflow: Record<string, unknown>, fits: boolean][] = [
  ['the longest roles', { jwt }, true],
  ['100 private networks', { privateMxNetworks: networks(100) }, true],
  ['250 private networks', { privateMxNetworks: networks(250) }, false],
  ['the longest roles and the longest name of a stack', { jwt, stackName: 'm'.repeat(100) }, false],
]

for (const [what, mailflow, fits] of environments)
  test(`with ${what}, the environment variables ${fits ? 'fit' : 'do not fit'} into a function`, () => {
    const refusal = /about \d+ octets, and Lambda permits 4096: shorten mailflow\.privateMxNetworks/
    if (fits) assert.doesNotThrow(() => assemble(mailflow))
    else assert.throws(() => assemble(mailflow), refusal)
  })

test('every function runs on Node 24 and arm64, and the ingress task on arm64', () => {
  const all = resourcesOfType('AWS::Lambda::Function')
  assert.equal(all.length, 16)
  for (const { id, Properties } of all) {
    assert.equal(Properties.Runtime, 'nodejs24.x', id)
    assert.deepEqual(Properties.Architectures, ['arm64'], id)
  }
  const task = onlyResource('AWS::ECS::TaskDefinition').Properties
  assert.equal(task.RuntimePlatform.CpuArchitecture, 'ARM64')
})

/** Checks that the schema has every name that is set, and accepts the values. */
function assertAgrees(schema: z.ZodObject, environment: Record<string, Json>): void {
  const unknown = Object.keys(environment).filter((name) => !(name in schema.shape))
  assert.deepEqual(unknown, [])
  const values = Object.entries(environment).map(([name, value]) => [name, sampleValue(name, value)])
  assert.doesNotThrow(() => readEnvironment(schema, Object.fromEntries(values)))
}

/** Returns a value such as CloudFormation puts in place of a reference. */
function sampleValue(name: string, value: Json): string {
  if (typeof value === 'string') return value
  if (name.endsWith('_ARN')) return 'arn:aws:sns:eu-west-1:123456789012:topic'
  return name.endsWith('_URL') ? 'https://sqs.eu-west-1.amazonaws.com/123456789012/queue' : text(value)
}

test('only functions that consume a queue of jobs, and those that continue their own work, may invoke themselves recursively', () => {
  const consumers = resourcesOfType('AWS::Lambda::EventSourceMapping')
    .map(({ Properties }) => Properties.FunctionName.Ref)
    .filter((id) => !id.startsWith('Recording'))
  assert.equal(new Set(consumers).size, 4)
  const allowed = resourcesOfType('AWS::Lambda::Function').filter(
    ({ Properties }) => Properties.RecursiveLoop === 'Allow',
  )
  const continuing = allowed.map(({ id }) => id).filter((id) => /^(Sealing|Erasure)Function/.test(id))
  assert.equal(continuing.length, 2)
  assert.deepEqual(allowed.map(({ id }) => id).sort(), [...new Set(consumers), ...continuing].sort())
})
