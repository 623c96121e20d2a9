/** PutObject and SendMessageBatch: requests and responses, also against an emulator. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { after, type TestContext, test } from 'node:test'
import { setDefaultCACertificates } from 'node:tls'
import { crc32 } from 'node:zlib'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  CreateQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import fc from 'fast-check'
import { startEmulators } from '../../../infra/local/aws/emulators.ts'
import { BatchSender } from '../../../shared/aws/batch-sender.ts'
import { ObjectPutter } from '../../../shared/aws/object-putter.ts'
import { JobQueue } from '../../../shared/queues/job-queue.ts'
import { answer, type Behaviour, type ReceivedRequest, ScriptedServer } from '../../support/aws-server.ts'
import { listen } from '../../support/listen.ts'
import { selfSigned } from '../../support/pki.ts'
import { within } from '../../support/within.ts'

const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' }
const region = 'eu-central-1'
const timeout = { connectMs: 10_000, totalMs: 10_000 }
const random = { random: () => 0, now: Date.now, sleep: async () => {} }

const emulators = await startEmulators(null)
after(() => emulators.close())

const s3 = new S3Client({ region, credentials, endpoint: emulators.endpoints.s3 })
const sqs = new SQSClient({ region, credentials, endpoint: emulators.endpoints.sqs })

test('ObjectPutter stores any list of parts as one object of exactly their octets', async () => {
  await s3.send(new CreateBucketCommand({ Bucket: 'content' }))
  const objects = new ObjectPutter(s3, 'content', timeout)
  const contents = fc.array(fc.uint8Array({ maxLength: 3000 }).map((octets) => Buffer.from(octets)))
  let serial = 0
  await fc.assert(
    fc.asyncProperty(contents, async (parts) => {
      const Key = `segments/${serial++}`
      await objects.put(Key, parts)
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'content', Key }))
      assert.ok((await buffer(Body as never)).equals(Buffer.concat(parts)))
    }),
    { numRuns: 20 },
  )
  objects.close()
})

test('JobQueue with BatchSender delivers any jobs unchanged', async () => {
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'jobs' }))
  const sender = new BatchSender(sqs, QueueUrl, timeout)
  const queue = new JobQueue<unknown>(sender)
  // Unlike SQS, the emulator refuses characters beyond U+FFFF.
  const character = fc.nat(0xd7ff).map((code) => String.fromCharCode(code))
  const words = fc.sample(fc.string({ unit: character, maxLength: 200 }), 25)
  const jobs = words.map((text, serial) => ({ text, serial }))
  assert.deepEqual(
    await queue.trySend(jobs.map((job) => ({ job }))),
    jobs.map(() => null),
  )
  const received = await within(30_000, receive(QueueUrl, jobs.length), 'the receipt of every job')
  assert.deepEqual(
    received.sort((first, second) => first.serial - second.serial),
    jobs,
  )
  sender.close()
})

async function receive(QueueUrl: string, count: number): Promise<{ serial: number }[]> {
  const received: { serial: number }[] = []
  while (received.length < count) {
    const command = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 })
    const { Messages = [] } = await sqs.send(command)
    received.push(...Messages.map(({ Body = '' }) => JSON.parse(Body)))
  }
  return received
}

test('the error of BatchSender for a missing queue has the same name as the error of the SDK', async () => {
  const url = `${emulators.endpoints.sqs}/000000000000/nowhere`
  const sender = new BatchSender(sqs, url, timeout)
  const entries = [{ Id: '0', MessageBody: 'x' }]
  await assert.rejects(sender.send(entries), { name: 'QueueDoesNotExist' })
  const [failure] = await new JobQueue(sqs, url).trySend([{ job: 1 }])
  assert.equal(failure?.name, 'QueueDoesNotExist')
  sender.close()
})

async function scripted(context: TestContext, behaviour: Behaviour) {
  const server = await ScriptedServer.start(behaviour)
  const client = { region, credentials, endpoint: server.endpoint }
  const [s3, sqs] = [new S3Client(client), new SQSClient(client)]
  const objects = new ObjectPutter(s3, 'content', timeout, random)
  const sender = new BatchSender(sqs, `${server.endpoint}/0/q`, timeout, random)
  context.after(() => {
    objects.close()
    sender.close()
    server.stop()
  })
  return { server, objects, sender, s3, sqs }
}

test('ObjectPutter sends the same path, checksum and length as the SDK', async (t) => {
  const { server, objects, s3 } = await scripted(t, answer(200))
  await objects.put('segments/key', [Buffer.from('one'), Buffer.from('two')])
  await s3.send(new PutObjectCommand({ Bucket: 'content', Key: 'segments/key', Body: 'onetwo' }))
  const [own, sdks] = server.requests as [ReceivedRequest, ReceivedRequest]
  assert.equal(own.method, sdks.method)
  assert.equal(own.path, sdks.path.replace(/\?.*/, ''))
  for (const header of [
    'host',
    'x-amz-checksum-crc32',
    'x-amz-content-sha256',
    'content-type',
    'content-length',
  ])
    assert.equal(own.headers[header], sdks.headers[header], header)
  assert.equal(
    Buffer.from(own.headers['x-amz-checksum-crc32'] ?? '', 'base64').readUInt32BE(),
    crc32('onetwo'),
  )
})

test('BatchSender sends the same path, body and headers as the SDK', async (t) => {
  const { server, sender, sqs } = await scripted(t, answer(200, '{}'))
  const Entries = [{ Id: '0', MessageBody: '{"a":"ü"}', DelaySeconds: 3, MessageGroupId: 'g' }]
  await sender.send(Entries)
  await sqs.send(new SendMessageBatchCommand({ QueueUrl: `${server.endpoint}/0/q`, Entries }))
  const [own, sdks] = server.requests as [ReceivedRequest, ReceivedRequest]
  assert.deepEqual([own.method, own.path], [sdks.method, sdks.path])
  assert.deepEqual(JSON.parse(own.body.toString()), JSON.parse(sdks.body.toString()))
  for (const header of ['host', 'x-amz-target', 'content-type'])
    assert.equal(own.headers[header], sdks.headers[header], header)
})

const taken = (Id: string, body: string) => ({
  Id,
  MD5OfMessageBody: createHash('md5').update(body).digest('hex'),
})

test('JobQueue reports as failed exactly the jobs that the response refuses, does not mention, or confirms with a wrong checksum', async (t) => {
  const { sender } = await scripted(
    t,
    answer(200, () =>
      JSON.stringify({
        Successful: [taken('0', '0'), taken('2', 'damaged'), taken('7', 'never sent'), { Id: '4' }],
        Failed: [{ Id: '1', Code: 'InternalError', SenderFault: false }],
      }),
    ),
  )
  const failures = await new JobQueue<number>(sender).trySend([0, 1, 2, 3, 4].map((job) => ({ job })))
  assert.deepEqual(
    failures.map((failure) => failure?.message ?? null),
    [
      null,
      'queue refused a job: InternalError',
      'queue refused a job: InvalidChecksum the body that the queue stored differs from the body sent',
      'the queue did not confirm a job',
      'queue refused a job: InvalidChecksum the body that the queue stored differs from the body sent',
    ],
  )
})

for (const [name, body] of [
  ['is not JSON', '<html>'],
  ['is JSON but no object', 'null'],
  ['has invalid lists', '{"Successful":[null],"Failed":{}}'],
  ['is empty', ''],
])
  test(`JobQueue reports a job as failed after a response 200 whose body ${name}`, async (t) => {
    const { sender } = await scripted(t, answer(200, body))
    const [failure] = await new JobQueue<number>(sender).trySend([{ job: 1 }])
    assert.ok(failure instanceof Error)
  })

test('ObjectPutter rejects a response 200 without an ETag', async (t) => {
  const { objects } = await scripted(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  })
  await assert.rejects(objects.put('key', []), /has no ETag/)
})

test('ObjectPutter sends an object over TLS with an unsigned payload', async (t) => {
  const { cert, key } = await selfSigned({ names: ['localhost'] })
  setDefaultCACertificates([cert])
  let payload: unknown
  const server = createServer({ cert, key }, async (request, response) => {
    payload = request.headers['x-amz-content-sha256']
    const body = await buffer(request)
    response.writeHead(200, { etag: `"${body.toString()}"` }).end()
  })
  const { port, stop } = await listen(server)
  const endpoint = `https://localhost:${port}`
  const client = new S3Client({ region, credentials, endpoint, forcePathStyle: true })
  const objects = new ObjectPutter(client, 'content', timeout, random)
  t.after(async () => {
    objects.close()
    await stop()
  })
  await objects.put('key', [Buffer.from('octets'), Buffer.from('more')])
  assert.equal(payload, 'UNSIGNED-PAYLOAD')
})
