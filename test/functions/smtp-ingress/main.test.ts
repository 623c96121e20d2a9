/** The process as it is deployed, against SQS and S3 as an emulator speaks them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { CreateQueueCommand, PurgeQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { ContentReader } from '../../../shared/content/reader.ts'
import { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { Wire } from '../../support/ingress/ingress.ts'
import {
  client,
  dynamodb,
  endpoint,
  queueUrl as QueueUrl,
  s3,
  settings,
  sqs,
  start,
} from '../../support/ingress/task.ts'
import { firstLine } from '../../support/process.ts'

const services: SilentService[] = []

after(() => {
  for (const service of services) service.close()
})

test('messages go in by SMTP and come out of bucket and queue; SIGTERM ends the process with 0', async () => {
  const child = start(await settings())
  const { smtpPort } = JSON.parse(await firstLine(child))
  const wire = await Wire.greet(smtpPort)
  await wire.startTls()
  // The second is a multipart upload.
  for (const text of ['text\r\n', `${'0123456789'.repeat(7)}\r\n`.repeat(130_000)]) {
    const reply = await wire.send(`Subject: hello\r\n\r\n${text}`)
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }))
    const jobs = Messages.map(({ Body = '' }) => EvaluationJob.parse(JSON.parse(Body)))
    assert.deepEqual(
      jobs.map(({ message }) => `250 2.0.0 Ok: queued as ${message.id}`),
      [reply],
    )
    const [job] = jobs
    assert.ok(job)
    const content = (await new ContentReader(s3).read(job.message.content)).toString()
    assert.ok(content.startsWith('Received: from client.example '))
    assert.ok(content.endsWith(`+0000\r\nSubject: hello\r\n\r\n${text}`))
    await sqs.send(new PurgeQueueCommand({ QueueUrl }))
  }
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
})

/** What stands before a service and, while it is silent, takes everything and answers nothing. */
class SilentService {
  isSilent = false
  readonly #server = createServer((socket) => this.#take(socket))
  readonly #sockets = new Set<Socket>()
  readonly #behind: number

  private constructor(endpoint: string) {
    this.#behind = Number(new URL(endpoint).port)
  }

  static async before(endpoint: string): Promise<SilentService> {
    const service = new SilentService(endpoint)
    service.#server.listen(0, '127.0.0.1')
    await once(service.#server, 'listening')
    services.push(service)
    return service
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    if (this.isSilent) return void socket.resume()
    const behind = connect(this.#behind, '127.0.0.1')
    behind.on('error', () => socket.destroy())
    socket.pipe(behind).pipe(socket)
  }
}

interface Hanging {
  service: string
  behind: string
  /** The environment that leads to it. */
  leadTo(endpoint: string): Record<string, string> | Promise<Record<string, string>>
  /** What a client does that needs it. @returns the reply */
  use(client: Wire): Promise<string>
  reason: string
  recovered: string
}

const sendMessage = (client: Wire) => client.send('Subject: x\r\n')
const storage = {
  reason: 'storage is failing',
  recovered: 'storage answers: connections are taken again',
  use: sendMessage,
}

const hanging: Hanging[] = [
  { service: 'S3', behind: endpoint, leadTo: (url) => ({ AWS_ENDPOINT_URL_S3: url }), ...storage },
  {
    service: 'SQS',
    behind: endpoint,
    // The SDK asks the host that the queue's URL names, so the queue is created through the door.
    async leadTo(url) {
      const own = new SQSClient({ ...client, endpoint: url })
      const { QueueUrl = '' } = await own.send(new CreateQueueCommand({ QueueName: 'behind-the-door' }))
      own.destroy()
      return { EVALUATION_QUEUE_URL: QueueUrl, AWS_ENDPOINT_URL_SQS: url }
    },
    ...storage,
  },
  {
    service: 'DynamoDB',
    behind: dynamodb.endpoint,
    leadTo: (url) => ({ AWS_ENDPOINT_URL_DYNAMODB: url }),
    async use(client) {
      await client.command('MAIL FROM:<a@elsewhere.example>')
      return client.command('RCPT TO:<b@ours.example>')
    },
    reason: 'connectors cannot be read',
    recovered: 'connectors can be read: connections are taken again',
  },
]

// Side by side: each waits until the process has given up.
describe('a service that takes requests and never answers', { concurrency: true }, () => {
  for (const { service, behind, leadTo, use, reason, recovered } of hanging)
    test(`when it is ${service}, every client hears 451, health fails, and it recovers by itself`, async () => {
      const door = await SilentService.before(behind)
      const child = start({ ...(await settings()), ...(await leadTo(door.endpoint)) })
      door.isSilent = true
      const log = createInterface({ input: child.stdout as NodeJS.ReadableStream })
      const { smtpPort, healthPort } = JSON.parse((await once(log, 'line'))[0])
      const health = async () => (await fetch(`http://127.0.0.1:${healthPort}/health`)).text()
      const clients = await Promise.all(Array.from({ length: 12 }, () => Wire.greet(smtpPort)))
      do for (const reply of await Promise.all(clients.map(use))) assert.match(reply, /^451 4\.3\.0 /)
      while ((await health()) === 'ok\n')
      assert.equal(await health(), `${reason}\n`)
      assert.match(await (await Wire.open(smtpPort)).reply(), /^421 4\.3\.2 /)
      door.isSilent = false
      for await (const line of log) if (JSON.parse(line).message === recovered) break
      assert.equal(await health(), 'ok\n')
      assert.match(await sendMessage(await Wire.greet(smtpPort)), /^250 /)
    })
})

test('mail goes on when nobody reads the log any more, and when something fails that nobody foresaw', async () => {
  const fail = "process.on('SIGUSR2', () => { throw new Error('of ours') })"
  const child = start({
    ...(await settings()),
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(fail)}`,
  })
  const log = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const { smtpPort } = JSON.parse((await once(log, 'line'))[0])
  const wire = await Wire.greet(smtpPort)
  const fault = Promise.race([once(log, 'line'), once(log, 'close').then(() => ['{}'])])
  child.kill('SIGUSR2')
  const { level, message, cause } = JSON.parse((await fault)[0])
  assert.deepEqual([level, message, cause], ['error', 'uncaughtException', 'Error: of ours'])
  child.stdout?.destroy()
  for (let time = 0; time < 3; time++) assert.match(await sendMessage(wire), /^250 /)
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
  await sqs.send(new PurgeQueueCommand({ QueueUrl }))
})

const faults: [name: string, environment: Record<string, string>, line: RegExp][] = [
  ['nothing set', {}, /^smtp-ingress cannot start: environment: CONNECTORS_TABLE: .*\n$/],
  [
    'a key that is none',
    {
      MAIL_HOSTNAME: 'mx.ours.example',
      CONNECTORS_TABLE: 'connectors',
      TRANSPORT_TABLE: 'transport',
      CONTENT_BUCKET: 'content',
      EVALUATION_QUEUE_URL: 'http://127.0.0.1/queue',
      TLS_CERTIFICATE: 'BEGIN CERTIFICATE',
      TLS_PRIVATE_KEY: 'PRIVATE KEY',
    },
    /^smtp-ingress cannot start: [^\n]*PEM[^\n]*\n$/,
  ],
]

for (const [name, environment, line] of faults)
  test(`with ${name} the process says why in one line and exits with 1`, async () => {
    const child = start(environment)
    let errors = ''
    child.stderr?.on('data', (text) => {
      errors += text
    })
    assert.deepEqual(await once(child, 'close'), [1, null])
    assert.match(errors, line)
  })
