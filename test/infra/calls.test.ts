import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { build } from 'esbuild'
import { resourcesOfType, toList } from '../support/synthesis.ts'

interface UnderTest {
  unit: string
  entry: string
  role: string
  /** Actions of calls in the bundled code that the role does not need in the synthesised deployment. */
  notGranted?: string[]
  /** Settings of the deployment. @default those of the shipped one */
  mailflow?: Record<string, unknown>
}

const units: UnderTest[] = [
  {
    unit: 'smtp-ingress',
    entry: 'main.ts',
    role: 'IngressTaskTaskRole',
    notGranted: ['dynamodb:DeleteItem'],
  },
  {
    unit: 'evaluate-policy',
    entry: 'handler.ts',
    role: 'PolicyFunctionRole',
    // connector-api writes the snapshot of the connectors.
    notGranted: ['dynamodb:DeleteItem', 's3:PutObject'],
  },
  {
    unit: 'deliver-message',
    entry: 'handler.ts',
    role: 'DeliveryFunctionRole',
    // Other functions read the counts of sessions and the received reports.
    notGranted: ['dynamodb:Query'],
  },
  {
    unit: 'report-tls',
    entry: 'handler.ts',
    role: 'ReportsFunctionRole',
    // Granted only with a configured key.
    notGranted: ['secretsmanager:GetSecretValue'],
  },
  {
    unit: 'send-summary',
    entry: 'handler.ts',
    role: 'SummaryFunctionRole',
    mailflow: { summaries: { daily: ['operator@example.net'] } },
    // Granted only with a configured key.
    notGranted: ['secretsmanager:GetSecretValue'],
  },
  {
    unit: 'watch-expiry',
    entry: 'handler.ts',
    role: 'ExpiryWatchFunctionRole',
    // The bundled repository of connectors can delete; this function only reads it.
    notGranted: ['dynamodb:DeleteItem'],
  },
  {
    unit: 'rotate-certificate',
    entry: 'handler.ts',
    role: 'RotationFunctionRole',
    // Granted only if the certificates come from ACM, which this deployment does not use.
    notGranted: ['acm:ExportCertificate', 'acm:GetCertificate'],
  },
  {
    unit: 'send-canary',
    entry: 'handler.ts',
    role: 'CanaryFunctionRole',
    // The ingress reads the id of the last canary.
    notGranted: ['dynamodb:GetItem'],
  },
  {
    unit: 'authenticate-message',
    entry: 'handler.ts',
    role: 'AuthenticationFunctionRole',
    // Granted only with a configured key.
    notGranted: ['secretsmanager:GetSecretValue'],
  },
  { unit: 'bounce-message', entry: 'handler.ts', role: 'BounceFunctionRole' },
  {
    unit: 'record-events',
    entry: 'handler.ts',
    role: 'RecordingFunctionRole',
    // The function shares a module with the function that reads the objects. The secret is granted only with its setting.
    notGranted: ['s3:GetObject', 's3:ListBucket', 'secretsmanager:GetSecretValue'],
  },
  {
    unit: 'seal-hour',
    entry: 'handler.ts',
    role: 'SealingFunctionRole',
    // Granted only with its setting.
    notGranted: ['secretsmanager:GetSecretValue'],
  },
  {
    unit: 'erase-address',
    entry: 'handler.ts',
    role: 'ErasureFunctionRole',
    // The function shares a module with the function that writes lists of recipients. The secret is granted only with its
    // setting.
    notGranted: ['dynamodb:DeleteItem', 'secretsmanager:GetSecretValue'],
  },
  { unit: 'connector-api', entry: 'handler.ts', role: 'ApiFunctionRole' },
  {
    unit: 'event-api',
    entry: 'handler.ts',
    role: 'EventApiFunctionRole',
    // The function shares modules with functions that write. The secret is granted only with its setting.
    notGranted: [
      'dynamodb:PutItem',
      'dynamodb:DeleteItem',
      'dynamodb:UpdateItem',
      'secretsmanager:GetSecretValue',
    ],
  },
  {
    unit: 'validate-connector',
    entry: 'handler.ts',
    role: 'ValidationFunctionRole',
    // A validation sends one message, which needs no quota.
    notGranted: ['dynamodb:PutItem', 'dynamodb:DeleteItem', 'ses:GetSendQuota'],
  },
  {
    unit: 'check-recipient',
    entry: 'handler.ts',
    role: 'RecipientCheckFunctionRole',
    // The function shares modules with functions that write.
    notGranted: ['s3:PutObject', 'dynamodb:PutItem', 'dynamodb:DeleteItem', 'dynamodb:UpdateItem'],
  },
  {
    unit: 'public-pages',
    entry: 'handler.ts',
    role: 'PagesFunctionRole',
    // The function shares modules with functions that write.
    notGranted: ['dynamodb:PutItem', 'dynamodb:DeleteItem', 'dynamodb:UpdateItem', 'dynamodb:Query'],
  },
]

/** IAM actions of commands. */
const actions: Readonly<Record<string, string | string[]>> = {
  // A transaction needs the permission for each of its writes.
  TransactWrite: ['dynamodb:PutItem', 'dynamodb:DeleteItem'],
  Get: 'dynamodb:GetItem',
  BatchGet: 'dynamodb:BatchGetItem',
  BatchWrite: 'dynamodb:BatchWriteItem',
  Put: 'dynamodb:PutItem',
  Update: 'dynamodb:UpdateItem',
  Delete: 'dynamodb:DeleteItem',
  Query: 'dynamodb:Query',
  Scan: 'dynamodb:Scan',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  PutObject: 's3:PutObject',
  GetObject: 's3:GetObject',
  DeleteObject: 's3:DeleteObject',
  getObject: 's3:GetObject',
  putObject: 's3:PutObject',
  ListObjectsV2: 's3:ListBucket',
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  SendMessageBatch: 'sqs:SendMessage',
  SendMessage: 'sqs:SendMessage',
  ReceiveMessage: 'sqs:ReceiveMessage',
  DeleteMessageBatch: 'sqs:DeleteMessage',
  DeleteMessage: 'sqs:DeleteMessage',
  ChangeMessageVisibilityBatch: 'sqs:ChangeMessageVisibility',
  GetQueueAttributes: 'sqs:GetQueueAttributes',
  SendRawEmail: 'ses:SendRawEmail',
  SendEmail: 'ses:SendEmail',
  GetSendQuota: 'ses:GetSendQuota',
  Publish: 'sns:Publish',
  PutEvents: 'events:PutEvents',
  GetSecretValue: 'secretsmanager:GetSecretValue',
  PutSecretValue: 'secretsmanager:PutSecretValue',
  UpdateSecretVersionStage: 'secretsmanager:UpdateSecretVersionStage',
  GetCertificate: 'acm:GetCertificate',
  ExportCertificate: 'acm:ExportCertificate',
  Invoke: 'lambda:InvokeFunction',
  DescribeAlarms: 'cloudwatch:DescribeAlarms',
  StartQueryExecution: 'athena:StartQueryExecution',
  GetQueryExecution: 'athena:GetQueryExecution',
  GetQueryResults: 'athena:GetQueryResults',
  StopQueryExecution: 'athena:StopQueryExecution',
}

/**
 * Grants without a call in the code: logs, the event source, network interfaces, the client of a queue. S3 answers
 * `NoSuchKey` only to a role with `s3:ListBucket`. PutObject gives an object its tags.
 */
const notOfTheCode =
  /^(logs|ec2):|^s3:(ListBucket|PutObjectTagging)$|^sqs:(ReceiveMessage|DeleteMessage|ChangeMessageVisibility|GetQueueAttributes|GetQueueUrl)$/

/** Athena makes these calls with the permissions of the unit that starts a query. */
const ofAthena = /^(glue|s3):/

for (const { unit, entry, role, notGranted = [], mailflow = {} } of units)
  test(`${unit} is granted every AWS call that its code makes, and no other`, async () => {
    const called = await calls(`functions/${unit}/${entry}`)
    const all = grants(role, mailflow)
    const isOfAthena = (action: string) => all.includes('athena:StartQueryExecution') && ofAthena.test(action)
    const granted = all.filter(
      (action) => called.includes(action) || !(notOfTheCode.test(action) || isOfAthena(action)),
    )
    assert.notEqual(called.length, 0)
    assert.deepEqual(
      [...new Set(granted)].sort(),
      called.filter((action) => !notGranted.includes(action)),
    )
  })

/** A command of the SDK, an invoker, a function of an object store, or the value of the header X-Amz-Target. */
const callPattern =
  /new (?:(\w+)Command|Function(Invoke)r)\(|function ((?:get|put)Object)\(|'x-amz-target': '\w+\.(\w+)'/g

/** Returns the actions of the commands in the unit's own and shared modules. */
async function calls(entry: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    metafile: true,
    write: false,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  })
  const sources = Object.keys(metafile.inputs).map((path) => readFileSync(path, 'utf8'))
  const commands = sources.flatMap((source) =>
    [...source.matchAll(callPattern)].map((match) => match.slice(1).find(Boolean) ?? ''),
  )
  return [...new Set(commands.flatMap((name) => actions[name] ?? `unknown: ${name}`))].sort()
}

function grants(role: string, mailflow: Record<string, unknown>): string[] {
  return resourcesOfType('AWS::IAM::Policy', mailflow)
    .filter(({ Properties }) => Properties.Roles[0].Ref.startsWith(role))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .flatMap(({ Action }) => toList<string>(Action))
}
