/** The targets that the SDK chooses for each kind of configuration. No request is sent. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { PutObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { SendMessageBatchCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs'
import { resolveTarget, type Target } from '../../../shared/aws/target.ts'

type Environment = Record<string, string>

const names = [
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL_SQS',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
]
afterEach(() => {
  for (const name of names) delete process.env[name]
})

const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' }
const region = 'eu-central-1'

interface Case<C> {
  name: string
  config?: C
  environment?: Environment
  url?: string
  target: Partial<Target>
}

const ofS3: Case<S3ClientConfig>[] = [
  {
    name: 'AWS by default',
    target: {
      isSecure: true,
      hostname: 'content.s3.eu-central-1.amazonaws.com',
      port: null,
      path: '/key',
      region,
      service: 's3',
    },
  },
  {
    name: 'AWS in the partition of AWS_REGION',
    environment: { AWS_REGION: 'cn-north-1' },
    target: { hostname: 'content.s3.cn-north-1.amazonaws.com.cn', region: 'cn-north-1' },
  },
  {
    name: 'the dual-stack host of AWS with useDualstackEndpoint',
    config: { useDualstackEndpoint: true },
    target: { hostname: 'content.s3.dualstack.eu-central-1.amazonaws.com' },
  },
  {
    name: 'a path with the bucket with forcePathStyle',
    config: { forcePathStyle: true },
    target: { hostname: 's3.eu-central-1.amazonaws.com', path: '/content/key' },
  },
  {
    name: 'the IP address in AWS_ENDPOINT_URL, with the bucket in the path',
    environment: { AWS_ENDPOINT_URL: 'http://127.0.0.1:4566' },
    target: { isSecure: false, hostname: '127.0.0.1', port: 4566, path: '/content/key' },
  },
  {
    name: 'the host in AWS_ENDPOINT_URL_S3, which takes precedence over AWS_ENDPOINT_URL',
    environment: {
      AWS_ENDPOINT_URL: 'http://127.0.0.1:4566',
      AWS_ENDPOINT_URL_S3: 'https://s3.example:9000/base',
    },
    target: { isSecure: true, hostname: 'content.s3.example', port: 9000, path: '/base/key' },
  },
]

for (const { name, config = {}, environment = {}, target } of ofS3)
  test(`PutObject goes to ${name}`, async () => {
    Object.assign(process.env, environment)
    const s3 = new S3Client({ credentials, ...(environment.AWS_REGION ? {} : { region }), ...config })
    const command = new PutObjectCommand({ Bucket: 'content', Key: 'key', Body: Buffer.alloc(0) })
    const resolved = await resolveTarget((command: PutObjectCommand) => s3.send(command), command)
    assert.partialDeepStrictEqual({ ...resolved, path: resolved.path.replace(/\?.*/, '') }, target)
  })

const url = 'https://sqs.eu-central-1.amazonaws.com/123456789012/evaluation'

const ofSqs: Case<SQSClientConfig>[] = [
  {
    name: 'AWS by default',
    target: {
      isSecure: true,
      hostname: 'sqs.eu-central-1.amazonaws.com',
      port: null,
      path: '/',
      region,
      service: 'sqs',
    },
  },
  {
    name: "a configured endpoint instead of the queue URL's host, which is a host of AWS",
    config: { endpoint: 'http://127.0.0.1:4566' },
    target: { isSecure: false, hostname: '127.0.0.1', port: 4566 },
  },
  {
    name: "the queue URL's host, also when it is a VPC endpoint",
    url: 'https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com/123456789012/evaluation',
    target: { hostname: 'vpce-1.sqs.eu-central-1.vpce.amazonaws.com' },
  },
]

for (const { name, config = {}, url: QueueUrl = url, target } of ofSqs)
  test(`SendMessageBatch goes to ${name}`, async (t) => {
    t.mock.method(console, 'warn', () => {})
    const sqs = new SQSClient({ credentials, region, ...config })
    const command = new SendMessageBatchCommand({ QueueUrl, Entries: [{ Id: '0', MessageBody: 'x' }] })
    assert.partialDeepStrictEqual(
      await resolveTarget((command: SendMessageBatchCommand) => sqs.send(command), command),
      target,
    )
  })

test("resolveTarget throws the SDK's error when there are no credentials", async () => {
  const s3 = new S3Client({ region, credentials: async () => Promise.reject(new Error('no credentials')) })
  const command = new PutObjectCommand({ Bucket: 'content', Key: 'key' })
  await assert.rejects(
    resolveTarget((command: PutObjectCommand) => s3.send(command), command),
    /no credentials/,
  )
})
