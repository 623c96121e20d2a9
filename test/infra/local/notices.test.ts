/** Tests the template's topics on this machine, and their subscribers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { after, before, test } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import type { Clients } from '../../../infra/local/aws/clients.ts'
import { type Emulators, startEmulators } from '../../../infra/local/aws/emulators.ts'
import { readPublishers } from '../../../infra/local/aws/publishers.ts'
import { createResources, type Resources } from '../../../infra/local/aws/resources.ts'
import { startNoticeReader } from '../../../infra/local/notices.ts'
import { Resolver, type Template } from '../../../infra/local/template.ts'
import { within } from '../../support/within.ts'

const template: Template = {
  Resources: {
    Notices: {
      Type: 'AWS::SNS::Topic',
      Properties: { KmsMasterKeyId: { 'Fn::Join': ['', ['alias/aws/sns']] } },
    },
  },
}

const policy = (role: string, ...Statement: object[]) => ({
  Type: 'AWS::IAM::Policy',
  Properties: { Roles: [{ Ref: role }], PolicyDocument: { Statement } },
})
const functionWith = (role: string) => ({
  Type: 'AWS::Lambda::Function',
  Properties: { Role: { 'Fn::GetAtt': [role, 'Arn'] } },
})
const publish = { Effect: 'Allow', Action: 'sns:Publish', Resource: { Ref: 'Notices' } }

const withFunctions: Template = {
  Resources: {
    ...template.Resources,
    Policy: functionWith('PolicyRole'),
    PolicyRolePermissions: policy('PolicyRole', publish),
    Deny: functionWith('DenyRole'),
    DenyRolePermissions: policy('DenyRole', { ...publish, Effect: 'Deny' }),
    Other: functionWith('OtherRole'),
    OtherRolePermissions: policy('OtherRole', {
      ...publish,
      Resource: 'arn:aws:sns:us-east-1:000000000000:x',
    }),
    Bounce: functionWith('BounceRole'),
    BounceRolePermissions: policy('BounceRole', { ...publish, Action: ['sqs:SendMessage'] }),
  },
}

let emulators: Emulators
let clients: Clients
let resolver: Resolver
let resources: Resources

before(async () => {
  emulators = await startEmulators(null)
  const { endpoints } = emulators
  const common = { region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }
  clients = {
    sqs: new SQSClient({ ...common, endpoint: endpoints.sqs }),
    sns: new SNSClient({ ...common, endpoint: endpoints.sns }),
    s3: new S3Client({ ...common, endpoint: endpoints.s3, forcePathStyle: true }),
    dynamodb: new DynamoDBClient({ ...common, endpoint: endpoints.dynamodb }),
  }
  resolver = new Resolver(template)
  resources = await createResources(template, resolver, clients, emulators.secrets)
})
after(() => emulators.close())

test('a topic of the template is created with the ARN to which Ref of the topic resolves', () => {
  assert.deepEqual(resources.topics, ['arn:aws:sns:us-east-1:000000000000:Notices'])
  assert.equal(resolver.string({ Ref: 'Notices' }), resources.topics[0])
})

test('the subject of a notice is printed in one line, and the whole notice is written to the file', async () => {
  const file = new PassThrough({ encoding: 'utf8' })
  const results: string[] = []
  const reader = await startNoticeReader(clients, resources.topics, file, (line) => results.push(line))
  await clients.sns.send(
    new PublishCommand({
      TopicArn: resources.topics[0],
      Subject: 'mailflow: unknown certificate at connector "Contoso"',
      Message: 'Connector "Contoso" was shown\n\na certificate.\n',
    }),
  )
  const [written] = await within(30_000, once(file, 'data'), 'the notice')
  await reader.stop()
  assert.match(
    written,
    /^\d{4}-[\d-]+T[\d:.]+Z mailflow: unknown .*\n\nConnector "Contoso" was shown\n\na certificate\.\n/,
  )
  assert.deepEqual(results, ['unknown certificate at connector "Contoso" (logs/notices.log)'])
})

test('a function whose role may not publish to a topic is refused, as on AWS', async () => {
  const { endpoints } = emulators
  emulators.limitPublishers(readPublishers(withFunctions, resolver))
  const publishAs = async (accessKeyId: string) => {
    const credentials = { accessKeyId, secretAccessKey: 'b' }
    const sns = new SNSClient({ region: 'us-east-1', credentials, endpoint: endpoints.sns })
    const command = new PublishCommand({ TopicArn: resources.topics[0], Message: 'A certificate.' })
    return await sns.send(command).then(
      () => 'published',
      ({ name, message }: Error) => `${name}: ${message}`,
    )
  }
  const refused = (caller: string) =>
    `AuthorizationErrorException: User: ${caller} is not authorized to perform: SNS:Publish on resource: ${resources.topics[0]}`
  assert.deepEqual(
    await Promise.all(['Policy', 'Deny', 'Other', 'Bounce', 'ingress', 'local'].map(publishAs)),
    ['published', refused('Deny'), refused('Other'), refused('Bounce'), refused('ingress'), 'published'],
  )
})
