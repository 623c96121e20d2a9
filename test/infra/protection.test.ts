import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EraseAddressEnvironment } from '../../shared/contract/environment.ts'
import { retryDelaySeconds } from '../../shared/lambda/retry-delay.ts'
import {
  deployments,
  encryptionKeyArn,
  type Json,
  onlyResource,
  type Resource,
  resources,
  resourcesOfType,
  text,
  toList,
} from '../support/synthesis.ts'

const ownKey = { encryptionKeyArn }

const buckets = ['Content', 'ConnectorsSnapshots', 'Events']

/** The bucket, or the policy of the bucket, whose id begins so. */
function ofBucket(id: string, type = 'AWS::S3::Bucket', mailflow: Record<string, unknown> = {}): Resource {
  const found = resourcesOfType(type, mailflow).find((resource) => resource.id.startsWith(`${id}Bucket`))
  if (found === undefined) throw new Error(`no ${type} has an id that begins with ${id}Bucket`)
  return found
}

test('no bucket is without these tests', () =>
  assert.equal(resourcesOfType('AWS::S3::Bucket').length, buckets.length))

for (const bucket of buckets)
  test(`the bucket ${bucket} refuses plain HTTP and TLS below 1.2`, () => {
    const denials = denied(ofBucket(bucket, 'AWS::S3::BucketPolicy'))
    assert.deepEqual(
      denials.map(({ Condition }) => Condition),
      [{ Bool: { 'aws:SecureTransport': 'false' } }, { NumericLessThan: { 's3:TlsVersion': 1.2 } }],
    )
    for (const { Action, Resource } of denials) {
      assert.equal(Action, 's3:*')
      assert.deepEqual(
        toList<Json>(Resource).map((arn) => text(arn).replace(/^<.*?>/, '')),
        ['', '/*'],
      )
    }
  })

for (const bucket of buckets)
  test(`nothing of the bucket ${bucket} is public`, () => {
    const { Properties } = ofBucket(bucket)
    assert.deepEqual(Object.values(Properties.PublicAccessBlockConfiguration), [true, true, true, true])
    assert.deepEqual(Properties.OwnershipControls.Rules, [{ ObjectOwnership: 'BucketOwnerEnforced' }])
  })

const encryptions: [string, Record<string, unknown>, string][] = [
  ['keys of S3 by default', {}, 'AES256'],
  ['the KMS key of encryptionKeyArn', ownKey, 'aws:kms'],
]

for (const [how, mailflow, algorithm] of encryptions)
  for (const bucket of buckets)
    test(`the bucket ${bucket} is encrypted with ${how}`, () => {
      const [rule] = ofBucket(bucket, undefined, mailflow).Properties.BucketEncryption
        .ServerSideEncryptionConfiguration
      assert.equal(rule.ServerSideEncryptionByDefault.SSEAlgorithm, algorithm)
    })

/** Where each type names the key that encrypts what it stores. The cluster names it for the disks of its tasks. */
const keyOf: Record<string, (properties: Json) => unknown> = {
  'AWS::DynamoDB::Table': ({ SSESpecification }) =>
    SSESpecification?.SSEType === 'KMS' && SSESpecification.KMSMasterKeyId,
  'AWS::ECS::Cluster': ({ Configuration }) =>
    Configuration?.ManagedStorageConfiguration.FargateEphemeralStorageKmsKeyId,
  'AWS::Logs::LogGroup': ({ KmsKeyId }) => KmsKeyId,
  'AWS::S3::Bucket': ({ BucketEncryption }) =>
    BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.KMSMasterKeyID,
  'AWS::SNS::Topic': ({ KmsMasterKeyId }) => KmsMasterKeyId,
  'AWS::SQS::Queue': ({ KmsMasterKeyId }) => KmsMasterKeyId,
}

for (const [type, keyIn] of Object.entries(keyOf))
  test(`every ${type} is encrypted with the key of encryptionKeyArn`, () => {
    const stored = resourcesOfType(type, ownKey)
    assert.notEqual(stored.length, 0)
    const expected =
      type === 'AWS::ECS::Cluster' ? encryptionKeyArn.replace(/^.*:key\//, '') : encryptionKeyArn
    for (const { id, Properties } of stored) assert.equal(keyIn(Properties), expected, id)
  })

test('with encryptionKeyArn the stack has no key of its own', () => {
  assert.deepEqual(resourcesOfType('AWS::KMS::Key', ownKey), [])
  assert.equal(resourcesOfType('AWS::KMS::Key').length, 1)
})

test('with encryptionKeyArn, SQS reuses a data key for an hour and S3 has a bucket key, which saves calls of KMS', () => {
  for (const { id, Properties } of resourcesOfType('AWS::SQS::Queue', ownKey)) {
    assert.equal(Properties.KmsDataKeyReusePeriodSeconds, 3600, id)
    assert.equal(Properties.SqsManagedSseEnabled, undefined, id)
  }
  for (const { id, Properties } of resourcesOfType('AWS::S3::Bucket', ownKey)) {
    const [rule] = Properties.BucketEncryption.ServerSideEncryptionConfiguration
    assert.equal(rule.BucketKeyEnabled, true, id)
  }
})

test('content expires after 14 days, an unfinished upload after one day', () => {
  const rules = ofBucket('Content').Properties.LifecycleConfiguration.Rules
  assert.deepEqual(
    rules.map(({ Status: _, ...rule }: Json) => rule),
    [{ ExpirationInDays: 14 }, { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }],
  )
})

test('of the snapshot of the connectors, the newest version and three earlier ones are kept', () => {
  const { VersioningConfiguration, LifecycleConfiguration } = ofBucket('ConnectorsSnapshots').Properties
  assert.equal(VersioningConfiguration.Status, 'Enabled')
  assert.deepEqual(
    LifecycleConfiguration.Rules.map(({ Status: _, ...rule }: Json) => rule),
    [{ NoncurrentVersionExpiration: { NoncurrentDays: 1, NewerNoncurrentVersions: 3 } }],
  )
})

test('raw events and results of searches expire after a week, ids after the seals that read them, rewritten objects with the events in them, and the rest after eventRetentionDays', () => {
  const rules = ofBucket('Events', undefined, { eventRetentionDays: 400 }).Properties.LifecycleConfiguration
    .Rules
  assert.deepEqual(
    rules.map(({ Prefix, ExpirationInDays }: Json) => [Prefix, ExpirationInDays]),
    [
      ['raw/', 7],
      ['ids/', 4],
      ['parquet/', 400],
      ['rollups/', 400],
      ['seals/', 400],
      ['erasures/', 400],
      ['searches/', 7],
      ...[50, 100, 150, 200, 250, 300, 350, 400].map((days) => [undefined, days]),
    ],
  )
  assert.deepEqual(
    rules.flatMap(({ TagFilters = [] }: Json) => TagFilters.map(({ Key, Value }: Json) => `${Key}=${Value}`)),
    [1, 2, 3, 4, 5, 6, 7, 8].map((parts) => `kept=${parts}`),
  )
})

test('the seven queues and their dead-letter queues are encrypted, keep messages for 14 days and refuse plain HTTP', () => {
  const queues = resourcesOfType('AWS::SQS::Queue')
  assert.equal(queues.length, 14)
  for (const { id, Properties } of queues) {
    assert.equal(Properties.SqsManagedSseEnabled, true, id)
    assert.equal(Properties.MessageRetentionPeriod, 14 * 24 * 3600, id)
    const policy = resourcesOfType('AWS::SQS::QueuePolicy').find(
      (resource) => text(resource.Properties.Queues[0]) === `<${id}>`,
    )
    assert.ok(policy, id)
    assert.deepEqual(denied(policy)[0]?.Condition, { Bool: { 'aws:SecureTransport': 'false' } }, id)
  }
})

const sourceQueues = resourcesOfType('AWS::SQS::Queue').filter(({ Properties }) => Properties.RedrivePolicy)

test('each queue has its own dead-letter queue', () => {
  const targets = sourceQueues.map(({ Properties }) => text(Properties.RedrivePolicy.deadLetterTargetArn))
  assert.equal(sourceQueues.length, 7)
  assert.equal(new Set(targets).size, 7)
})

const hourSeconds = 3600

for (const { id, Properties } of sourceQueues) {
  const { VisibilityTimeout, MessageRetentionPeriod, RedrivePolicy } = Properties
  const { maxReceiveCount } = RedrivePolicy
  const functionTimeout = VisibilityTimeout / 2
  const name = id.replace(/[0-9A-F]{8}$/, '')
  /** The time from the first to the last receive of a job that always fails. */
  const secondsOfRetries = (random: number) =>
    Array.from({ length: maxReceiveCount - 1 }, (_, index) => retryDelaySeconds(index + 1, random)).reduce(
      (sum, seconds) => sum + seconds,
    )

  test(`no job of ${name} becomes a dead letter in an outage of five days`, () => {
    assert.ok(secondsOfRetries(0) > 5 * 24 * hourSeconds)
  })

  test(`no job of ${name} becomes a dead letter in an outage of three hours while its delays cannot be set`, () => {
    assert.ok((maxReceiveCount - 1) * VisibilityTimeout > 3 * hourSeconds)
  })

  test(`a job of ${name} that always fails becomes a dead letter before the end of its retention`, () => {
    const maxSeconds = secondsOfRetries(1) + maxReceiveCount * functionTimeout
    assert.ok(maxSeconds < MessageRetentionPeriod, `${maxSeconds} seconds`)
  })
}

test('each function that consumes a queue may send to its dead-letter queue', () => {
  const receivers = resourcesOfType('AWS::IAM::Policy')
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Action }) => toList<string>(Action).includes('sqs:SendMessage'))
    .flatMap(({ Resource }) => toList<Json>(Resource).map(text))
  for (const { Properties } of sourceQueues)
    assert.ok(receivers.includes(text(Properties.RedrivePolicy.deadLetterTargetArn)))
})

test("a queue's visibility timeout is the batching window and twice its function's timeout; that of deliveries also exceeds the lease of a claim", () => {
  for (const mapping of resourcesOfType('AWS::Lambda::EventSourceMapping')) {
    const consumer = resourcesOfType('AWS::Lambda::Function').find(
      ({ id }) => text(mapping.Properties.FunctionName) === `<${id}>`,
    )
    const queue = resourcesOfType('AWS::SQS::Queue').find(
      ({ id }) => text(mapping.Properties.EventSourceArn) === `<${id}.Arn>`,
    )
    const { MaximumBatchingWindowInSeconds: window = 0 } = mapping.Properties
    assert.equal(queue?.Properties.VisibilityTimeout, consumer?.Properties.Timeout * 2 + window)
  }
  const delivery = resourcesOfType('AWS::SQS::Queue').find(({ id }) => id.startsWith('QueuesDeliveryQueue'))
  assert.ok(delivery?.Properties.VisibilityTimeout > 6 * 60)
})

test('an erasure waits longer between its passes than an event waits until it is stored', () => {
  const wait = Number(EraseAddressEnvironment.shape.ERASURE_WAIT_SECONDS.parse(undefined))
  const mapping = resourcesOfType('AWS::Lambda::EventSourceMapping').find(({ Properties }) =>
    text(Properties.EventSourceArn).startsWith('<QueuesEvents'),
  )
  const consumer = resourcesOfType('AWS::Lambda::Function').find(
    ({ id }) => text(mapping?.Properties.FunctionName) === `<${id}>`,
  )
  // With a batching window, Lambda polls a quiet queue for up to 20 seconds.
  const storedWithin = mapping?.Properties.MaximumBatchingWindowInSeconds + 20 + consumer?.Properties.Timeout
  assert.ok(wait > storedWithin, `${wait} s, ${storedWithin} s`)
})

test('batches may fail in part', () => {
  const mappings = resourcesOfType('AWS::Lambda::EventSourceMapping')
  assert.equal(mappings.length, 7)
  for (const { Properties } of mappings)
    assert.deepEqual(Properties.FunctionResponseTypes, ['ReportBatchItemFailures'])
})

test('Lambda gathers delivery jobs for a second; events for a minute; the jobs of other queues do not wait', () => {
  const windows = resourcesOfType('AWS::Lambda::EventSourceMapping').map(({ id, Properties }) => [
    id.includes('Delivery'),
    Properties.BatchSize,
    Properties.MaximumBatchingWindowInSeconds,
  ])
  assert.deepEqual(
    windows.filter(([isDelivery]) => isDelivery),
    Array(3).fill([true, 50, 1]),
  )
  assert.deepEqual(
    windows.filter(([isDelivery]) => !isDelivery),
    [...Array(3).fill([false, 10, undefined]), [false, 10_000, 60]],
  )
})

const accountQuota = 1000

test('by default no concurrency is reserved, so that new accounts accept the functions', () => {
  for (const mailflow of Object.values(deployments))
    for (const { id, Properties } of resourcesOfType('AWS::Lambda::Function', mailflow))
      assert.equal(Properties.ReservedConcurrentExecutions, undefined, id)
})

/** Sums the maximum concurrency of the queues. */
const queueConcurrency = (mailflow: Record<string, unknown> = {}): number =>
  resourcesOfType('AWS::Lambda::EventSourceMapping', mailflow)
    .map(({ Properties }) => Properties.ScalingConfig.MaximumConcurrency)
    .reduce((sum, value) => sum + value, 0)

test("by default all queues at their maximum and a flood of the public pages fit Lambda's default quota, so none takes the share of another", () => {
  const stage = resourcesOfType('AWS::ApiGatewayV2::Stage').find(({ id }) => id.startsWith('Pages'))
  const pages = resourcesOfType('AWS::Lambda::Function').find(({ id }) => id.startsWith('Pages'))
  const limits = [stage?.Properties.DefaultRouteSettings, ...Object.values(stage?.Properties.RouteSettings)]
  const flood = limits
    .map(
      ({ ThrottlingRateLimit, ThrottlingBurstLimit }: Json) =>
        ThrottlingBurstLimit + ThrottlingRateLimit * pages?.Properties.Timeout,
    )
    .reduce((sum, value) => sum + value, 0)
  assert.deepEqual([queueConcurrency(), flood], [170, 600])
  assert.ok(queueConcurrency() + flood <= accountQuota)
})

test('the settings can fit the queues into fourteen concurrent executions, two for each queue', () => {
  const two = { concurrency: 2 }
  assert.equal(
    queueConcurrency({
      functions: { evaluate: two, authenticate: two, deliver: two, bounce: two, record: two },
    }),
    14,
  )
})

test('unproven and low-priority mail together have fewer invocations than other deliveries', () => {
  const maxima = resourcesOfType('AWS::Lambda::EventSourceMapping')
    .filter(({ id }) => id.startsWith('Delivery'))
    .map(({ Properties }) => [
      text(Properties.EventSourceArn).replace(/^<Queues(\w+?)Queue.*$/, '$1'),
      Properties.ScalingConfig.MaximumConcurrency,
    ])
  assert.deepEqual(maxima.sort(), [
    ['Delivery', 50],
    ['LowPriorityDelivery', 10],
    ['UnprovenDelivery', 20],
  ])
})

test('with reserveConcurrency, a function has reserved what its queues may start together', () => {
  const mailflow = { reserveConcurrency: true }
  const functions = resourcesOfType('AWS::Lambda::Function', mailflow)
  for (const { id, Properties } of functions) assert.ok(Properties.ReservedConcurrentExecutions > 0, id)
  const mappings = resourcesOfType('AWS::Lambda::EventSourceMapping', mailflow)
  const byFunction = Map.groupBy(mappings, ({ Properties }) => text(Properties.FunctionName))
  for (const [name, its] of byFunction) {
    const consumer = functions.find(({ id }) => name === `<${id}>`)
    const concurrency = its.map(({ Properties }) => Properties.ScalingConfig.MaximumConcurrency)
    assert.equal(
      concurrency.reduce((sum, value) => sum + value, 0),
      consumer?.Properties.ReservedConcurrentExecutions,
    )
  }
  assert.deepEqual([...byFunction.values()].map((its) => its.length).sort(), [1, 1, 1, 1, 3])
})

test('the tables are billed per request and outlive the stack, and the connectors are restorable to a point in time', () => {
  const tables = resourcesOfType('AWS::DynamoDB::Table')
  assert.equal(tables.length, 3)
  for (const { id, Properties, DeletionPolicy } of tables) {
    assert.equal(Properties.BillingMode, 'PAY_PER_REQUEST', id)
    const { PointInTimeRecoveryEnabled: isRestorable } = Properties.PointInTimeRecoverySpecification
    assert.equal(isRestorable, id.startsWith('Connectors'), id)
    assert.equal(DeletionPolicy, 'RetainExceptOnCreate', id)
  }
})

for (const [name, mailflow] of Object.entries(deployments)) {
  const withSecret = { tlsSecretArn: undefined, certificate: { acm: {} } }
  test(`data outlives the stack but not a failed first deployment ${name}`, () => {
    const all = [...resources(mailflow), ...resources({ ...mailflow, ...withSecret })]
    for (const { id, DeletionPolicy } of all) assert.notEqual(DeletionPolicy, 'Retain', id)
    const keeps = ({ DeletionPolicy }: Resource) => DeletionPolicy === 'RetainExceptOnCreate'
    const types = new Set(all.filter(keeps).map(({ Type }) => Type))
    for (const type of [
      'AWS::DynamoDB::Table',
      'AWS::S3::Bucket',
      'AWS::SQS::Queue',
      'AWS::SecretsManager::Secret',
    ])
      assert.ok(types.has(type), type)
    for (const { id, UpdateReplacePolicy } of all.filter(keeps))
      assert.equal(UpdateReplacePolicy, 'Retain', id)
  })
}

const queueNames = [
  'Authentication',
  'Bounce',
  'Delivery',
  'Evaluation',
  'Events',
  'LowPriorityDelivery',
  'UnprovenDelivery',
]
const data = [
  'ConnectorsSnapshotsBucket',
  'ConnectorsTable',
  'ContentBucket',
  'EventsBucket',
  'MessagesTable',
  ...queueNames.flatMap((name) => [`Queues${name}DeadLetters`, `Queues${name}Queue`]),
  'TransportTable',
]
const acm = { tlsSecretArn: undefined, certificate: { acm: {} } }

const retained: [how: string, mailflow: Record<string, unknown>, ids: string[]][] = [
  ['by default', {}, data],
  ['with a KMS key of the customer', ownKey, data],
  ['with certificates of ACM', acm, [...data, 'CertificateSecret']],
  ['with hashed addresses', { hashEventAddresses: true }, ['AddressHashKeySecret', ...data]],
]

for (const [how, mailflow, ids] of retained) {
  const left = resources(mailflow).filter(({ DeletionPolicy = 'Delete' }) => DeletionPolicy !== 'Delete')

  test(`exactly the tables, the buckets, the queues and their keys and secrets are left after cdk destroy ${how}`, () => {
    assert.deepEqual(left.map(({ id }) => id.replace(/[0-9A-F]{8}$/, '')).sort(), ids.toSorted())
  })

  test(`what is left after cdk destroy ${how} can be imported into a stack that has nothing else`, () => {
    const importedIds = new Set(left.map(({ id }) => id))
    for (const { id, Properties, DependsOn = [] } of left)
      for (const name of [...namesIn(Properties), ...DependsOn])
        assert.ok(importedIds.has(name) || name.startsWith('AWS::'), `${id} needs ${name}`)
  })
}

/** Returns the logical ids to which a value of the template refers. */
function namesIn(value: Json): string[] {
  if (typeof value !== 'object' || value === null) return []
  if ('Ref' in value) return [value.Ref]
  if ('Fn::GetAtt' in value) return [value['Fn::GetAtt'][0]]
  return Object.values<Json>(value).flatMap(namesIn)
}

for (const [deletionProtection, title] of [
  [undefined, 'nothing is protected against deletion by default, so a failed first deployment can roll back'],
  [true, 'the setting deletionProtection protects the tables and the load balancer'],
] as const)
  test(title, () => {
    const mailflow = { deletionProtection }
    const tables = resourcesOfType('AWS::DynamoDB::Table', mailflow)
    assert.equal(tables.length, 3)
    for (const { id, Properties } of tables)
      assert.equal(Properties.DeletionProtectionEnabled ?? false, deletionProtection ?? false, id)
    const balancer = onlyResource('AWS::ElasticLoadBalancingV2::LoadBalancer', mailflow)
    const { Value } = balancer.Properties.LoadBalancerAttributes.find(
      ({ Key }: Json) => Key === 'deletion_protection.enabled',
    )
    assert.equal(Value, String(deletionProtection ?? false))
  })

test('items of the transport table expire', () => {
  const transport = resourcesOfType('AWS::DynamoDB::Table').find(({ id }) => id.startsWith('Transport'))
  assert.deepEqual(transport?.Properties.TimeToLiveSpecification, {
    AttributeName: 'expiresAt',
    Enabled: true,
  })
})

test('items of the trace expire, and are listed by time and while they wait', () => {
  const messages = resourcesOfType('AWS::DynamoDB::Table').find(({ id }) => id.startsWith('Messages'))
  assert.deepEqual(messages?.Properties.TimeToLiveSpecification, {
    AttributeName: 'expiresAt',
    Enabled: true,
  })
  const indexes: Json[] = messages?.Properties.GlobalSecondaryIndexes ?? []
  assert.deepEqual(
    indexes.map(({ IndexName, KeySchema }) => [
      IndexName,
      ...KeySchema.map(({ AttributeName }: Json) => AttributeName),
    ]),
    [
      ['byTime', 'bucket', 'order'],
      ['byWaiting', 'waiting', 'order'],
    ],
  )
})

test('SES has one configuration set that requires TLS and one that does not', () => {
  const policies = resourcesOfType('AWS::SES::ConfigurationSet').map(
    ({ Properties }) => Properties.DeliveryOptions.TlsPolicy,
  )
  assert.deepEqual(policies.sort(), ['OPTIONAL', 'REQUIRE'])
})

test('every log group has the configured retention', () => {
  const groups = resourcesOfType('AWS::Logs::LogGroup', { logRetentionDays: 30 })
  assert.equal(groups.length, 20)
  for (const { id, Properties } of groups) assert.equal(Properties.RetentionInDays, 30, id)
})

const mailed = { alarmEmail: 'operator@example.net' }

test('the topics of alarms and notices are encrypted and refuse plain HTTP', () => {
  const topics = resourcesOfType('AWS::SNS::Topic', mailed)
  const policies = resourcesOfType('AWS::SNS::TopicPolicy', mailed)
  assert.deepEqual([topics.length, policies.length], [3, 3])
  for (const { id, Properties } of topics) assert.ok(Properties.KmsMasterKeyId, id)
  for (const [denial] of policies.map(denied))
    assert.deepEqual(denial?.Condition, { Bool: { 'aws:SecureTransport': 'false' } })
})

test('alarms and notices are mailed to alarmEmail; without this setting their topics still exist', () => {
  const subscribed = resourcesOfType('AWS::SNS::Subscription', mailed).map(({ Properties }) => Properties)
  assert.deepEqual(
    subscribed.map(({ Protocol, Endpoint, TopicArn }) => [Protocol, Endpoint, text(TopicArn).slice(1, 8)]),
    [
      ['email', mailed.alarmEmail, 'Notices'],
      ['email', mailed.alarmEmail, 'Monitor'],
    ],
  )
  assert.deepEqual(
    [resourcesOfType('AWS::SNS::Topic').length, resourcesOfType('AWS::SNS::Subscription').length],
    [3, 0],
  )
})

const alarmsTopicArn = 'arn:aws:sns:eu-west-1:210987654321:operations'

test('with alarmsTopicArn, alarms go to that topic only, and alarmEmail receives notices', () => {
  const mailflow = { ...mailed, alarmsTopicArn }
  for (const { id, Properties } of resourcesOfType('AWS::CloudWatch::Alarm', mailflow))
    assert.deepEqual(
      [Properties.AlarmActions, Properties.OKActions],
      [[alarmsTopicArn], [alarmsTopicArn]],
      id,
    )
  const subscribed = resourcesOfType('AWS::SNS::Subscription', mailflow)
  assert.deepEqual(
    subscribed.map(({ Properties }) => text(Properties.TopicArn).slice(1, 8)),
    ['Notices'],
  )
})

for (const [name, mailflow] of Object.entries({ ...deployments, 'with a topic': { alarmsTopicArn } }))
  test(`each alarm has an action in a deployment ${name}`, () => {
    for (const { id, Properties } of resourcesOfType('AWS::CloudWatch::Alarm', mailflow))
      assert.equal(Properties.AlarmActions?.length, 1, id)
  })

function denied({ Properties }: Resource): Json[] {
  return Properties.PolicyDocument.Statement.filter(({ Effect }: Json) => Effect === 'Deny')
}
