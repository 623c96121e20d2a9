import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentReference } from '../../functions/bounce-message/bounce-job.ts'
import { contentKey } from '../../shared/content/content-key.ts'
import { SegmentWriter } from '../../shared/content/segment-writer.ts'
import {
  deployments,
  deploymentsWithKey,
  encryptionKeyArn,
  type Json,
  resourcesOfType,
  text,
  toList,
} from '../support/synthesis.ts'

/** Grants with a wildcard as resource, each with the reason why it cannot be narrower. */
const unscoped: readonly { role: RegExp; actions: RegExp; resource: RegExp; reason: string }[] = [
  {
    role: /^IngressTaskExecutionRole/,
    actions: /^ecr:GetAuthorizationToken$/,
    resource: /^\*$/,
    reason: 'the call names no resource',
  },
  {
    role: /^(Authentication|Delivery|Validation|RecipientCheck|Reports|Bounce)FunctionRole/,
    actions:
      /^ec2:(Describe(NetworkInterfaces|Subnets)|(Create|Delete)NetworkInterface|(Una|A)ssignPrivateIpAddresses)$/,
    resource: /^\*$/,
    reason: 'Lambda makes the interface, so there is no name to grant before it exists',
  },
  {
    role: /^ApiFunctionRole/,
    actions: /^cloudwatch:DescribeAlarms$/,
    resource: /:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:\*$/,
    reason: 'CloudWatch lists alarms only for a principal that may read all',
  },
  {
    role: /^(Delivery|Validation)FunctionRole/,
    actions: /^ses:Send(Raw)?Email$/,
    resource: /:<AWS::AccountId>:identity\/\*$/,
    reason: 'identities are verified outside the stack; sesIdentityArns narrows it',
  },
  {
    role: /^DeliveryFunctionRole/,
    actions: /^ses:GetSendQuota$/,
    resource: /^\*$/,
    reason: 'the quota belongs to the account, and the call names no resource',
  },
  {
    role: /^(Delivery|Validation|RecipientCheck)FunctionRole/,
    actions: /^secretsmanager:GetSecretValue$/,
    resource: /:secret:mailflow\/client-certificates\/\*$/,
    reason: 'administrators make these secrets when connectors name them',
  },
  {
    role: /^(IngressTaskTaskRole|AuthenticationFunctionRole|DeliveryFunctionRole|BounceFunctionRole|ReportsFunctionRole|SummaryFunctionRole)/,
    actions: /^s3:(PutObject|GetObject|AbortMultipartUpload)$/,
    resource: /^<ContentBucket\w+\.Arn>\/\*$/,
    reason: 'keys are made when messages arrive',
  },
  {
    role: /^ErasureFunctionRole/,
    actions: /^s3:(PutObject|GetObject|DeleteObject)$/,
    resource: /^<ContentBucket\w+\.Arn>\/\*$/,
    reason: 'keys are made when messages arrive',
  },
  {
    role: /^ErasureFunctionRole/,
    actions: /^s3:(PutObject|PutObjectTagging|GetObject)$/,
    resource: /^<EventsBucket\w+\.Arn>\/(raw|parquet|rollups|seals|erasures)\/\*$/,
    reason: 'keys hold the hour of their events, or the id of an erasure',
  },
  {
    role: /^ErasureFunctionRole/,
    actions: /^s3:(GetObject|DeleteObject)$/,
    resource: /^<EventsBucket\w+\.Arn>\/(rollups|searches)\/\*$/,
    reason: 'keys hold the day of their events, or an id of Athena',
  },
  {
    role: /^EventApiFunctionRole/,
    actions: /^s3:(PutObject|GetObject)$/,
    resource: /^<EventsBucket\w+\.Arn>\/erasures\/\*$/,
    reason: 'keys hold the id of an erasure',
  },
  {
    role: /^RecordingFunctionRole/,
    actions: /^s3:PutObject$/,
    resource: /^<EventsBucket\w+\.Arn>\/raw\/\*$/,
    reason: 'keys hold the hour of their events',
  },
  {
    role: /^EventApiFunctionRole/,
    actions: /^s3:GetObject$/,
    resource: /^<EventsBucket\w+\.Arn>\/(raw|ids|parquet|rollups)\/\*$/,
    reason: 'keys hold the hour of their events',
  },
  {
    role: /^EventApiFunctionRole/,
    actions: /^s3:(GetObject|PutObject|AbortMultipartUpload)$/,
    resource: /^<EventsBucket\w+\.Arn>\/searches\/\*$/,
    reason: 'Athena names the results of searches',
  },
  {
    role: /^SummaryFunctionRole/,
    actions: /^s3:GetObject$/,
    resource: /^<EventsBucket\w+\.Arn>\/(raw|ids|parquet|rollups|seals)\/\*$/,
    reason: 'keys hold the hour of their events',
  },
  {
    role: /^SealingFunctionRole/,
    actions: /^s3:(PutObject|GetObject)$/,
    resource: /^<EventsBucket\w+\.Arn>\/(raw|ids|parquet|rollups|seals)\/\*$/,
    reason: 'keys hold the hour of their events',
  },
]

for (const [name, mailflow] of Object.entries(deployments)) {
  test(`no role of a deployment ${name} has a wildcard action`, () => {
    const wild = grants(mailflow).filter(({ action }) => action.includes('*'))
    assert.deepEqual(wild, [])
  })

  test(`no role of a deployment ${name} has a grant with a wildcard resource and without a stated reason`, () => {
    const withoutReason = grants(mailflow)
      .filter(({ resource }) => resource.includes('*'))
      .filter((grant) => !unscoped.some((allowed) => covers(allowed, grant)))
    assert.deepEqual(withoutReason, [])
  })

  test(`no role of a deployment ${name} has a managed policy`, () => {
    const managed = resourcesOfType('AWS::IAM::Role', mailflow).filter(
      ({ Properties }) => Properties.ManagedPolicyArns,
    )
    assert.deepEqual(managed, [])
  })
}

test('every stated reason for a wildcard resource still belongs to a grant', () => {
  const all = Object.values(deployments).flatMap(grants)
  const idle = unscoped.filter((allowed) => !all.some((grant) => covers(allowed, grant)))
  assert.deepEqual(idle, [])
})

test('only delivery and validation may send through SES, and only with the two configuration sets', () => {
  const ses = grants({}).filter(({ action }) => action.startsWith('ses:'))
  assert.ok(ses.every(({ role }) => /^(Delivery|Validation)FunctionRole/.test(role)))
  const sets = ses.filter(({ resource }) => resource.includes(':configuration-set/'))
  const setsOf = (unit: string) =>
    sets
      .filter(({ role }) => role.startsWith(unit))
      .map(({ action, resource }) =>
        [action, resource.replace(/^.*configuration-set\/<OutboundMailSes(\w+?Tls).*$/, '$1')].join(' '),
      )
  for (const unit of ['Delivery', 'Validation'])
    assert.deepEqual(
      setsOf(unit).sort(),
      [
        'ses:SendEmail OptionalTls',
        'ses:SendEmail RequireTls',
        'ses:SendRawEmail OptionalTls',
        'ses:SendRawEmail RequireTls',
      ],
      unit,
    )
})

test('connector-api may change only the dismissal of unknown certificates, and what administrators request for mail', () => {
  const statements = resourcesOfType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('ApiFunctionRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Resource }) => text(toList<Json>(Resource)[0]).includes('MessagesTable'))
    .filter(({ Action }) => /UpdateItem|PutItem|BatchWrite|Delete/.test(toList<string>(Action).join()))
  assert.deepEqual(
    statements.map(({ Action, Condition }) => [
      Action,
      Condition['ForAllValues:StringEquals'],
      Condition['ForAllValues:StringLike'],
    ]),
    [
      [
        'dynamodb:UpdateItem',
        { 'dynamodb:Attributes': ['pk', 'sk', 'state', 'waived', 'returned', 'dropped'] },
        undefined,
      ],
      [
        'dynamodb:UpdateItem',
        { 'dynamodb:Attributes': ['pk', 'sk', 'dismissal', 'expiresAt'] },
        { 'dynamodb:LeadingKeys': ['certificates#*'] },
      ],
    ],
  )
})

test('check-recipient may read connectors and cached policies, but no list of recipients, and only the ingress may invoke it', () => {
  const statements = resourcesOfType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('RecipientCheckFunctionRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Action }) => toList<string>(Action).some((action) => action.startsWith('dynamodb:')))
  assert.deepEqual(
    statements.map(({ Action, Condition }) => [Action, Object.values(Condition)]),
    [
      [
        ['dynamodb:GetItem', 'dynamodb:Query'],
        [
          {
            'dynamodb:LeadingKeys': [
              'version',
              ...[1, 2, 3, 4, 5, 6, 7].map((copy) => `version#${copy}`),
              'changes',
              'inbound-connector',
              'outbound-connector',
              'accepted-domain',
            ],
          },
        ],
      ],
      ['dynamodb:GetItem', [{ 'dynamodb:LeadingKeys': ['policy#*'] }]],
    ],
  )
  const invokers = grants({}).filter(({ action }) => action === 'lambda:InvokeFunction')
  assert.deepEqual(
    invokers.map(({ role, resource }) => [
      role.replace(/[0-9A-F]{8}$/, ''),
      resource.replace(/[0-9A-F]{8}\.Arn>$/, ''),
    ]),
    [
      ['IngressTaskTaskRole', '<RecipientCheckFunction'],
      ['ErasureFunctionRole', '<ErasureFunction'],
      ['EventApiFunctionRole', '<ErasureFunction'],
      ['SealingFunctionRole', '<SealingFunction'],
    ],
  )
})

test('validation may read only outbound connectors, accepted domains, published certificates and cached policies, and write only its results', () => {
  const statements = resourcesOfType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('ValidationFunctionRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Action }) => toList<string>(Action).some((action) => action.startsWith('dynamodb:')))
  assert.deepEqual(
    statements.map(({ Action, Condition }) => [
      Action,
      Condition['ForAllValues:StringEquals'] ?? Condition['ForAllValues:StringLike'],
      Condition.StringEqualsIfExists,
    ]),
    [
      [
        ['dynamodb:GetItem', 'dynamodb:Query'],
        { 'dynamodb:LeadingKeys': ['outbound-connector', 'accepted-domain'] },
        undefined,
      ],
      ['dynamodb:GetItem', { 'dynamodb:LeadingKeys': ['certificates'] }, undefined],
      [
        'dynamodb:UpdateItem',
        {
          'dynamodb:LeadingKeys': ['outbound-connector'],
          'dynamodb:Attributes': ['pk', 'sk', 'version', 'validation'],
        },
        { 'dynamodb:ReturnValues': ['NONE', 'UPDATED_OLD', 'UPDATED_NEW'] },
      ],
      ['dynamodb:GetItem', { 'dynamodb:LeadingKeys': ['policy#*'] }, undefined],
    ],
  )
})

test('each unit that publishes notices may publish only to its own topic', () => {
  const sns = Object.values(deployments)
    .flatMap(grants)
    .filter(({ action }) => action.startsWith('sns:'))
    .map(({ role, action, resource }) => `${role} ${action} ${resource}`.replace(/[0-9A-F]{8}\b/g, ''))
  assert.deepEqual([...new Set(sns)].sort(), [
    'ExpiryWatchFunctionRole sns:Publish <NoticesTopic>',
    'PolicyFunctionRole sns:Publish <NoticesTopic>',
    'RotationFunctionRole sns:Publish <RotationNotices>',
  ])
})

test('the setting sesIdentityArns replaces the wildcard in the grants of SES', () => {
  const identity = 'arn:aws:ses:eu-west-1:123456789012:identity/ours.example'
  const resources = grants({ sesIdentityArns: [identity] })
    .filter(({ action }) => /^ses:Send(Raw)?Email$/.test(action))
    .map(({ resource }) => resource)
  assert.ok(resources.includes(identity))
  assert.ok(!resources.some((resource) => resource.includes('*')))
})

test("each unit may use the customer's key only through the services that it uses, and only as they need it", () => {
  const uses = resourcesOfType('AWS::IAM::Policy', { encryptionKeyArn }).flatMap(({ Properties }) =>
    Properties.PolicyDocument.Statement.filter(({ Action }: Json) =>
      toList<string>(Action).some((action) => action.startsWith('kms:')),
    ).map(({ Action, Resource, Condition }: Json) => {
      assert.equal(Resource, encryptionKeyArn)
      const service = Condition.StringEquals['kms:ViaService'].replace('.eu-west-1.amazonaws.com', '')
      const calls = toList<string>(Action).map((action) => action.replace('kms:', ''))
      return [Properties.Roles[0].Ref.replace(/[0-9A-F]{8}$/, ''), service, ...calls].join(' ')
    }),
  )
  assert.deepEqual(uses.sort(), [
    'ApiFunctionRole dynamodb Decrypt DescribeKey',
    'ApiFunctionRole s3 Decrypt GenerateDataKey',
    'ApiFunctionRole sqs Decrypt GenerateDataKey',
    'AuthenticationFunctionRole dynamodb Decrypt DescribeKey',
    'AuthenticationFunctionRole s3 Decrypt',
    'AuthenticationFunctionRole sqs Decrypt GenerateDataKey',
    'BounceFunctionRole dynamodb Decrypt DescribeKey',
    'BounceFunctionRole s3 Decrypt GenerateDataKey',
    'BounceFunctionRole sqs Decrypt GenerateDataKey',
    'CanaryFunctionRole dynamodb Decrypt DescribeKey',
    'DeliveryFunctionRole dynamodb Decrypt DescribeKey',
    'DeliveryFunctionRole s3 Decrypt',
    'DeliveryFunctionRole sqs Decrypt GenerateDataKey',
    'ErasureFunctionRole dynamodb Decrypt DescribeKey',
    'ErasureFunctionRole s3 Decrypt GenerateDataKey',
    'ErasureFunctionRole sqs Decrypt GenerateDataKey',
    'EventApiFunctionRole dynamodb Decrypt DescribeKey',
    'EventApiFunctionRole s3 Decrypt GenerateDataKey',
    'EventApiFunctionRole sqs Decrypt GenerateDataKey',
    'ExpiryWatchFunctionRole dynamodb Decrypt DescribeKey',
    'ExpiryWatchFunctionRole sns Decrypt GenerateDataKey',
    'IngressTaskTaskRole dynamodb Decrypt DescribeKey',
    'IngressTaskTaskRole s3 Decrypt GenerateDataKey',
    'IngressTaskTaskRole sqs Decrypt GenerateDataKey',
    'PagesFunctionRole dynamodb Decrypt DescribeKey',
    'PolicyFunctionRole dynamodb Decrypt DescribeKey',
    'PolicyFunctionRole s3 Decrypt',
    'PolicyFunctionRole sns Decrypt GenerateDataKey',
    'PolicyFunctionRole sqs Decrypt GenerateDataKey',
    'RecipientCheckFunctionRole dynamodb Decrypt DescribeKey',
    'RecipientCheckFunctionRole s3 Decrypt',
    'RecordingFunctionRole dynamodb Decrypt DescribeKey',
    'RecordingFunctionRole s3 GenerateDataKey',
    'RecordingFunctionRole sqs Decrypt GenerateDataKey',
    'ReportsFunctionRole dynamodb Decrypt DescribeKey',
    'ReportsFunctionRole s3 GenerateDataKey',
    'ReportsFunctionRole sqs Decrypt GenerateDataKey',
    'RotationFunctionRole dynamodb Decrypt DescribeKey',
    'RotationFunctionRole sns Decrypt GenerateDataKey',
    'SealingFunctionRole dynamodb Decrypt DescribeKey',
    'SealingFunctionRole s3 Decrypt GenerateDataKey',
    'ValidationFunctionRole dynamodb Decrypt DescribeKey',
  ])
})

/** The calls of KMS that a service makes on behalf of a role, by the role's call of the service. */
const keyCalls: [action: RegExp, service: string, calls: string[]][] = [
  [/^dynamodb:/, 'dynamodb', ['Decrypt', 'DescribeKey']],
  [/^s3:PutObject$/, 's3', ['GenerateDataKey']],
  [/^s3:(GetObject|AbortMultipartUpload)$/, 's3', ['Decrypt']],
  [/^sqs:SendMessage$/, 'sqs', ['GenerateDataKey', 'Decrypt']],
  [/^sqs:ReceiveMessage$/, 'sqs', ['Decrypt']],
  [/^sns:Publish$/, 'sns', ['GenerateDataKey', 'Decrypt']],
]

for (const [name, mailflow] of Object.entries(deploymentsWithKey))
  test(`each role of a deployment ${name} may use the customer's key for each of its calls`, () => {
    const all = grants(mailflow)
    const conditions = new Set(
      resourcesOfType('AWS::IAM::Policy', mailflow).flatMap(({ Properties }) =>
        Properties.PolicyDocument.Statement.flatMap(({ Action, Resource, Condition }: Json) =>
          toList<string>(Action).map((action) =>
            [Properties.Roles[0].Ref, action, Resource, Condition?.StringEquals?.['kms:ViaService']].join(
              ' ',
            ),
          ),
        ),
      ),
    )
    const needed = all.flatMap(({ role, action }) =>
      keyCalls
        .filter(([pattern]) => pattern.test(action))
        .flatMap(([, service, calls]) =>
          calls.map((call) => `${role} kms:${call} ${encryptionKeyArn} ${service}.eu-west-1.amazonaws.com`),
        ),
    )
    assert.ok(needed.length > 40)
    assert.deepEqual(
      needed.filter((each) => !conditions.has(each)),
      [],
    )
  })

test('each unit that reads content may list only keys that it names as a whole', async () => {
  const lists = resourcesOfType('AWS::IAM::Policy').flatMap(({ Properties }) =>
    Properties.PolicyDocument.Statement.filter(
      ({ Action, Resource }: Json) => Action === 's3:ListBucket' && text(Resource).startsWith('<Content'),
    ).map((statement: Json) => ({ role: Properties.Roles[0].Ref.replace(/[0-9A-F]{8}$/, ''), ...statement })),
  )
  assert.deepEqual(lists.map(({ role }) => role).sort(), [
    'AuthenticationFunctionRole',
    'BounceFunctionRole',
    'DeliveryFunctionRole',
    'ErasureFunctionRole',
  ])
  const ulid = '01KF0CVZT0ABCDEFGHJKMNPQRS'
  const segments = new SegmentWriter({ put: async () => {} }, 'content')
  const [segment] = await segments.write([Buffer.from('x')])
  for (const { Resource, Condition } of lists) {
    assert.match(text(Resource), /^<ContentBucket\w+\.Arn>$/)
    const patterns = toList<string>(Condition.StringLike['s3:prefix'])
    const matches = (key: string) =>
      patterns.some((pattern) => new RegExp(`^${pattern.replaceAll('?', '.')}$`).test(key))
    assert.ok(patterns.every((pattern) => !pattern.includes('*')))
    const keys = [
      segment?.key ?? '',
      contentKey('messages', ulid),
      contentKey('reports', ulid),
      `segments/${ulid}`,
      contentReference('content', ulid, Buffer.from('x')).key,
    ]
    for (const key of keys) {
      assert.ok(matches(key), key)
      assert.ok(!matches(key.slice(0, -1)), `${key} without its last character`)
    }
    assert.ok(!matches(''))
  }
})

test('only the API and erasures may receive dead letters, and they may not receive the jobs of a queue', () => {
  const received = grants({})
    .filter(({ action }) => action === 'sqs:ReceiveMessage')
    .map(({ role, resource }) => `${role} ${resource}`.replace(/[0-9A-F]{8}\b/g, ''))
  const names = [
    'Authentication',
    'Bounce',
    'Delivery',
    'Evaluation',
    'LowPriorityDelivery',
    'UnprovenDelivery',
  ]
  const ofApi = received.filter((text) => text.startsWith('ApiFunctionRole'))
  assert.deepEqual(
    ofApi.sort(),
    names.map((name) => `ApiFunctionRole <Queues${name}DeadLetters.Arn>`),
  )
  const ofErasures = received.filter((text) => text.startsWith('ErasureFunctionRole'))
  assert.deepEqual(
    ofErasures.sort(),
    [...names, 'Events'].sort().map((name) => `ErasureFunctionRole <Queues${name}DeadLetters.Arn>`),
  )
  assert.deepEqual(
    received.filter((text) => text.includes('DeadLetters')).sort(),
    [...ofApi, ...ofErasures].sort(),
  )
})

test('only the ingress and rotation may use the KMS key of the TLS secret', () => {
  const tlsSecretKeyArn = 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000'
  const kms = grants({ tlsSecretKeyArn }).filter(({ action }) => action.startsWith('kms:'))
  assert.deepEqual(
    kms.map(({ role, action, resource }) => [role.replace(/[0-9A-F]{8}$/, ''), action, resource]),
    [
      ['IngressTaskTaskRole', 'kms:Decrypt', tlsSecretKeyArn],
      ['RotationFunctionRole', 'kms:Decrypt', tlsSecretKeyArn],
      ['RotationFunctionRole', 'kms:GenerateDataKey', tlsSecretKeyArn],
    ],
  )
})

test('the ingress has no permission to read stored content or queued jobs', () => {
  const ingress = grants({}).filter(({ role }) => role.startsWith('IngressTaskTaskRole'))
  assert.deepEqual([...new Set(ingress.map(({ action }) => action))].sort(), [
    'dynamodb:GetItem',
    'dynamodb:PutItem',
    'dynamodb:Query',
    'dynamodb:UpdateItem',
    'lambda:InvokeFunction',
    's3:AbortMultipartUpload',
    's3:GetObject',
    's3:ListBucket',
    's3:PutObject',
    'secretsmanager:GetSecretValue',
    'sqs:GetQueueAttributes',
    'sqs:GetQueueUrl',
    'sqs:SendMessage',
  ])
})

test('each unit that holds all connectors may read one object of their snapshots, and only connector-api may write it', () => {
  const ofSnapshots = resourcesOfType('AWS::IAM::Policy').flatMap(({ Properties }) =>
    Properties.PolicyDocument.Statement.filter(({ Resource }: Json) =>
      toList<Json>(Resource).some((arn) => text(arn).includes('ConnectorsSnapshots')),
    ).map(({ Action, Resource, Condition }: Json) => {
      const unit = Properties.Roles[0].Ref.replace(/FunctionRole.*|TaskTaskRole.*/, '')
      const [resource = ''] = toList<Json>(Resource)
        .map(text)
        .filter((arn) => arn.includes('ConnectorsSnapshots'))
        .map((arn) => arn.replace(/^<ConnectorsSnapshots\w+\.Arn>/, 'bucket'))
      const prefix = Condition?.StringLike['s3:prefix']
      return [unit, ...toList<string>(Action), resource, ...(prefix ? [prefix] : [])].join(' ')
    }),
  )
  const readers = ['EventApi', 'Ingress', 'Policy', 'RecipientCheck']
  assert.deepEqual(
    ofSnapshots.sort(),
    [
      'Api s3:GetObject s3:PutObject bucket/connectors',
      ...readers.map((unit) => `${unit} s3:GetObject bucket/connectors`),
      ...['Api', ...readers].map((unit) => `${unit} s3:ListBucket bucket connectors`),
    ].sort(),
  )
})

test('the ingress may read no object of the content bucket', () => {
  const reads = grants({}).filter(
    ({ role, action }) => role.startsWith('IngressTaskTaskRole') && /^s3:(Get|List)/.test(action),
  )
  assert.ok(reads.every(({ resource }) => resource.startsWith('<ConnectorsSnapshots')))
})

test('the ingress writes only message counts and revocation statuses to DynamoDB', () => {
  const writes = resourcesOfType('AWS::IAM::Policy')
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith('IngressTaskTaskRole'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Action }) =>
      toList<string>(Action).some((action) => /^dynamodb:(?!GetItem|Query)/.test(action)),
    )
  assert.deepEqual(
    writes.map(({ Action, Resource, Condition }) => [
      Action,
      text(Resource).replace(/[0-9A-F]{8}\b/, ''),
      Condition,
    ]),
    [
      [
        'dynamodb:UpdateItem',
        '<TransportTable.Arn>',
        { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['rate#*'] } },
      ],
      [
        ['dynamodb:GetItem', 'dynamodb:PutItem'],
        '<TransportTable.Arn>',
        { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['revocation#ingress#*'] } },
      ],
    ],
  )
})

test('only the load balancer reaches the ingress tasks, on ports 2525 and 8081 only', () => {
  const rules = resourcesOfType('AWS::EC2::SecurityGroupIngress').map(({ Properties }) => Properties)
  assert.deepEqual(rules.map(({ FromPort, ToPort }) => [FromPort, ToPort]).sort(), [
    [2525, 2525],
    [8081, 8081],
  ])
  for (const { SourceSecurityGroupId } of rules)
    assert.match(text(SourceSecurityGroupId), /FrontDoorSecurityGroup/)
})

interface Grant {
  readonly role: string
  readonly action: string
  readonly resource: string
}

/** Returns each allowed action on each resource. Other tests cover policies of queues, buckets and keys. */
function grants(mailflow: Record<string, unknown>): Grant[] {
  return resourcesOfType('AWS::IAM::Policy', mailflow).flatMap(({ Properties }) =>
    Properties.PolicyDocument.Statement.flatMap((statement: Json) =>
      toList<string>(statement.Action).flatMap((action) =>
        toList<Json>(statement.Resource).map((resource) => ({
          role: Properties.Roles[0].Ref,
          action,
          resource: text(resource),
        })),
      ),
    ),
  )
}

function covers(allowed: (typeof unscoped)[number], { role, action, resource }: Grant): boolean {
  return allowed.role.test(role) && allowed.actions.test(action) && allowed.resource.test(resource)
}
