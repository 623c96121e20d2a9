import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { buildApp } from '../../infra/create-app.ts'
import { EventSearch } from '../../infra/events/event-search.ts'
import { UnitFunction } from '../../infra/unit.ts'
import { parquetKey } from '../../shared/events/event-keys.ts'
import {
  assemble,
  deploymentsWithKey,
  encryptionKeyArn,
  type Json,
  onlyResource,
  templateOnly,
  text,
  toList,
} from '../support/synthesis.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-event-search-'))
after(() => rmSync(folder, { recursive: true }))

const withoutHash = (value: string): string => value.replaceAll(/([a-z])[0-9A-F]{8}\b/g, '$1')

/** Lets one function of the stack search. @returns the app, and the id of the function */
function withSearcher(mailflow: Record<string, unknown>) {
  const app = buildApp({ mailflow, outdir: mkdtempSync(join(folder, 'app-')), ...templateOnly })
  const stack = app.node.findChild('Mailflow') as Stack
  const children = stack.node.findAll()
  const search = children.find((child) => child instanceof EventSearch)
  const unit = children.find((child) => child instanceof UnitFunction && child.unit === 'send-canary')
  assert.ok(search && unit instanceof UnitFunction)
  search.grantSearch(unit)
  return { app, stack, unit }
}

/** Properties of the searcher's function, and the statements of its role. */
function synthesised(mailflow: Record<string, unknown> = {}) {
  const { app, stack, unit } = withSearcher(mailflow)
  const { Resources } = app.synth().getStackByName('Mailflow').template
  const properties: Json = Resources[stack.getLogicalId(unit.node.defaultChild as never)].Properties
  const [role] = properties.Role['Fn::GetAtt']
  const statements: Json[] = Object.values<Json>(Resources)
    .filter(({ Type, Properties }) => Type === 'AWS::IAM::Policy' && Properties.Roles[0].Ref === role)
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
  return { properties, statements }
}

const before: Json[] = (() => {
  const app = assemble()
  const { Resources } = app.getStackByName('Mailflow').template
  return Object.values<Json>(Resources)
    .filter(
      ({ Type, Properties }) =>
        Type === 'AWS::IAM::Policy' && Properties.Roles[0].Ref.startsWith('CanaryFunctionRole'),
    )
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
})()

test('a unit that searches gets exactly the permissions that Athena needs, on the things of this stack', () => {
  const own = new Set(before.map((statement) => JSON.stringify(statement)))
  const added = synthesised().statements.filter((statement) => !own.has(JSON.stringify(statement)))
  const glue = 'arn:<AWS::Partition>:glue:<AWS::Region>:<AWS::AccountId>'
  const bucket = '<EventsBucket.Arn>'
  assert.deepEqual(
    added.map(({ Action, Resource, Condition }) => [
      toList(Action),
      toList<Json>(Resource).map((resource) => withoutHash(text(resource))),
      Condition,
    ]),
    [
      [
        ['athena:GetQueryExecution', 'athena:GetQueryResults', 'athena:StartQueryExecution'],
        ['arn:<AWS::Partition>:athena:<AWS::Region>:<AWS::AccountId>:workgroup/Mailflow-searches'],
        undefined,
      ],
      [
        ['glue:GetDatabase'],
        [`${glue}:catalog`, `${glue}:database/default`, `${glue}:database/mailflow_events`],
        undefined,
      ],
      [
        ['glue:GetPartitions', 'glue:GetTable'],
        [`${glue}:catalog`, `${glue}:database/mailflow_events`, `${glue}:table/mailflow_events/events`],
        undefined,
      ],
      [['s3:GetObject'], [`${bucket}/parquet/*`, `${bucket}/searches/*`], undefined],
      [['s3:AbortMultipartUpload', 's3:PutObject'], [`${bucket}/searches/*`], undefined],
      [['s3:ListBucket'], [bucket], { StringLike: { 's3:prefix': ['parquet/*', 'searches/*'] } }],
      [['s3:GetBucketLocation'], [bucket], undefined],
    ],
  )
})

test('a unit that searches has the names of workgroup, database, table and bucket in its environment', () => {
  const { Variables } = synthesised().properties.Environment
  assert.deepEqual(
    ['ATHENA_WORKGROUP', 'ATHENA_DATABASE', 'ATHENA_TABLE', 'EVENTS_BUCKET'].map((name) =>
      withoutHash(text(Variables[name])),
    ),
    ['Mailflow-searches', 'mailflow_events', 'events', '<EventsBucket>'],
  )
})

for (const mailflow of [{}, { encryptionKeyArn }])
  test(`the AwsSolutions rules report no open finding about a unit that searches, with ${JSON.stringify(mailflow)}`, () => {
    const { violations } = new AwsSolutionsChecks().validateScope(withSearcher(mailflow).app)
    assert.deepEqual(violations, [])
  })

test("a unit that searches may use the customer's key through S3 only", () => {
  const uses = synthesised({ encryptionKeyArn }).statements.filter(
    ({ Action, Condition }) =>
      toList<string>(Action).some((action) => action.startsWith('kms:')) &&
      Condition.StringEquals['kms:ViaService'] === 's3.eu-west-1.amazonaws.com',
  )
  assert.deepEqual(uses.flatMap(({ Action }) => toList<string>(Action)).sort(), [
    'kms:Decrypt',
    'kms:GenerateDataKey',
  ])
})

const tableInput = (mailflow: Record<string, unknown> = {}): Json =>
  onlyResource('AWS::Glue::Table', mailflow).Properties.TableInput

test('the template of the partitions is the folder of each Parquet file', () => {
  const { Parameters, StorageDescriptor, PartitionKeys } = tableInput()
  const template = withoutHash(text(Parameters['storage.location.template']))
  const values: Record<string, string> = { day: '2026-11-30', hour: '05' }
  const partition = template.replace(/\$\{(\w+)\}/g, (_, name) => values[name] ?? '')
  const key = parquetKey('2026-11-30T05', { shard: 3, shards: 16 }, '2026-11-30T05')
  assert.equal(partition, `s3://<EventsBucket>/${key.replace(/shard=.*$/, '')}`)
  assert.ok(template.startsWith(withoutHash(text(StorageDescriptor.Location))))
  assert.deepEqual(PartitionKeys, [
    { Name: 'day', Type: 'string' },
    { Name: 'hour', Type: 'int' },
  ])
})

test('the days of the table are those in which events are stored, with those that were recorded late', () => {
  for (const [eventRetentionDays, range] of [
    [90, 'NOW-104DAYS,NOW+1DAYS'],
    [400, 'NOW-414DAYS,NOW+1DAYS'],
  ])
    assert.equal(tableInput({ eventRetentionDays }).Parameters['projection.day.range'], range)
})

test('columns have names in small letters and types of Hive', () => {
  const columns: Json[] = tableInput().StorageDescriptor.Columns
  const typesByName = Object.fromEntries(columns.map(({ Name, Type }) => [Name, Type]))
  assert.ok(columns.every(({ Name }) => /^[a-z0-9]+$/.test(Name)))
  const { at, messageid, size, verified } = typesByName
  assert.deepEqual(
    { at, messageid, size, verified },
    { at: 'timestamp', messageid: 'string', size: 'int', verified: 'boolean' },
  )
})

const workgroup = (mailflow: Record<string, unknown> = {}): Json =>
  onlyResource('AWS::Athena::WorkGroup', mailflow).Properties

test('the workgroup enforces its place for results, and the limit of the setting', () => {
  const { WorkGroupConfiguration: configuration } = workgroup({ search: { maxScannedGigabytes: 2 } })
  assert.equal(configuration.EnforceWorkGroupConfiguration, true)
  assert.equal(configuration.BytesScannedCutoffPerQuery, 2_000_000_000)
  const { OutputLocation, EncryptionConfiguration } = configuration.ResultConfiguration
  assert.equal(withoutHash(text(OutputLocation)), 's3://<EventsBucket>/searches/')
  assert.deepEqual(EncryptionConfiguration, { EncryptionOption: 'SSE_S3' })
})

for (const [name, mailflow] of Object.entries(deploymentsWithKey))
  test(`results of a deployment ${name} are encrypted with that key, as the bucket is`, () => {
    const { ResultConfiguration } = workgroup(mailflow).WorkGroupConfiguration
    assert.deepEqual(ResultConfiguration.EncryptionConfiguration, {
      EncryptionOption: 'SSE_KMS',
      KmsKey: encryptionKeyArn,
    })
  })

test('two stacks of an account have different names', () => {
  const names = (stackName: string): string[] => {
    const { Resources } = assemble({ stackName }, templateOnly).getStackByName(stackName).template
    return Object.values<Json>(Resources).flatMap(({ Type, Properties }) => {
      if (Type === 'AWS::Athena::WorkGroup') return [Properties.Name]
      return Type === 'AWS::Glue::Database' ? [Properties.DatabaseInput.Name] : []
    })
  }
  assert.deepEqual(names('Mail-Gateway').sort(), ['Mail-Gateway-searches', 'mail_gateway_events'])
  assert.deepEqual(names('Mailflow-test').sort(), ['Mailflow-test-searches', 'mailflow_test_events'])
})
