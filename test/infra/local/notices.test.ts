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
  resources = await createResources(template, resolver, clients)
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
