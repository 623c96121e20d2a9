/**
 * The process of the ingress, from source and once from the deployed bundle, with emulators of SQS, S3 and DynamoDB.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { CreateQueueCommand, PurgeQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { ContentReader } from '../../../shared/content/content-reader.ts'
import { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { Wire } from '../../support/ingress/ingress.ts'
import {
  client,
  createEnvironment,
  dynamodb,
  endpoint,
  queueUrl as QueueUrl,
  s3,
  secrets,
  sqs,
  startProcess,
  TaskLog,
} from '../../support/ingress/task.ts'
import { createPki } from '../../support/pki.ts'
import { firstLine } from '../../support/process.ts'
import { within } from '../../support/within.ts'

/** @returns exit code and signal */
const untilExit = (child: ChildProcess): Promise<unknown[]> =>
  within(60_000, once(child, 'close'), 'the end of the process')

const services: ServiceRelay[] = []

after(() => {
  for (const service of services) service.close()
})

test('the ingress process stores a small and a large message in bucket and queue, and exits with 0 on SIGTERM', async () => {
  const child = startProcess(await createEnvironment())
  const { smtpPort } = JSON.parse(await firstLine(child))
  const wire = await Wire.greet(smtpPort)
  await wire.startTls()
  // The second message is a multipart upload.
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
  const exited = untilExit(child)
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
})

test('the ingress process stores a job whose addresses have characters above U+FFFF, and the job is unchanged', async () => {
  const child = startProcess(await createEnvironment())
  const { smtpPort } = JSON.parse(await firstLine(child))
  const wire = await Wire.greet(smtpPort)
  assert.match(await wire.command('MAIL FROM:<😀@elsewhere.example> SMTPUTF8'), /^250 /)
  assert.match(await wire.command('RCPT TO:<𠮷野@ours.example>'), /^250 /)
  assert.match(await wire.command('DATA'), /^354 /)
  assert.match(await wire.command('Subject: x\r\n.'), /^250 2\.0\.0 Ok: queued as /)
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }))
  const { message, recipients } = EvaluationJob.parse(JSON.parse(Messages[0]?.Body ?? ''))
  assert.deepEqual(
    [message.envelope.mailFrom, recipients[0]?.address],
    ['😀@elsewhere.example', '𠮷野@ours.example'],
  )
  await sqs.send(new PurgeQueueCommand({ QueueUrl }))
})

test('on SIGTERM an idle session gets 421, the message in flight is accepted, and metrics are written before the exit', async () => {
  const child = startProcess(await createEnvironment())
  const log = new TaskLog(child)
  const { smtpPort, healthPort } = await log.next('listening')
  const port = Number(smtpPort)
  const idle = await Wire.greet(port)
  const amidMessage = await Wire.greet(port)
  await amidMessage.startTls()
  await amidMessage.command('MAIL FROM:<a@elsewhere.example>')
  await amidMessage.command('RCPT TO:<b@ours.example>')
  assert.match(await amidMessage.command('DATA'), /^354 /)
  amidMessage.write('Subject: slow\r\n\r\nfirst line\r\n')
  const handshaking = await Wire.greet(port)
  assert.match(await handshaking.command('STARTTLS'), /^220 /)
  const closed = untilExit(child)
  child.kill('SIGTERM')
  assert.match(await idle.reply(), /^421 4\.3\.2 Service shutting down/)
  assert.equal(await idle.line(), null)
  assert.equal(await (await fetch(`http://127.0.0.1:${healthPort}/health`)).text(), 'draining\n')
  const [refusal] = await once(connect(port, '127.0.0.1'), 'error')
  assert.equal(refusal.code, 'ECONNREFUSED')
  assert.equal(await handshaking.line(), null)
  assert.match(await amidMessage.command('.'), /^250 2\.0\.0 Ok: queued as /)
  assert.match(await amidMessage.reply(), /^421 4\.3\.2 /)
  assert.deepEqual(await closed, [0, null])
  const accepted = log.lines.map(({ MessagesAccepted = 0 }) => Number(MessagesAccepted))
  assert.equal(
    accepted.reduce((sum, count) => sum + count, 0),
    1,
  )
  await sqs.send(new PurgeQueueCommand({ QueueUrl }))
})

test('the bundle of build:ingress accepts mail', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mailflow-bundle-'))
  try {
    const bundle = join(directory, 'smtp-ingress.mjs')
    execFileSync('npm', ['run', 'build:ingress', '--', `--outfile=${bundle}`], { stdio: 'ignore' })
    const child = startProcess(await createEnvironment(), bundle)
    const { smtpPort } = JSON.parse(await firstLine(child))
    assert.match(await (await Wire.greet(smtpPort)).send('Subject: x\r\n'), /^250 /)
    const closed = untilExit(child)
    child.kill('SIGTERM')
    assert.deepEqual(await closed, [0, null])
  } finally {
    rmSync(directory, { recursive: true })
  }
  await sqs.send(new PurgeQueueCommand({ QueueUrl }))
})

test('MAX_MESSAGES_PER_MINUTE_PER_ADDRESS limits the messages of an address over all its sessions', async () => {
  const minute = () => Math.floor(Date.now() / 60_000)
  const startTransaction = async (wire: Wire): Promise<string> => {
    await wire.command('MAIL FROM:<a@elsewhere.example>')
    const reply = await wire.command('RCPT TO:<b@ours.example>')
    await wire.command('RSET')
    return reply
  }
  /** Sends ten messages to a new process. @returns null when a new minute began meanwhile */
  const replies = async (): Promise<string[] | null> => {
    const child = startProcess({ ...(await createEnvironment()), MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: '5' })
    const { smtpPort } = JSON.parse(await firstLine(child))
    const wires = await Promise.all(Array.from({ length: 2 }, () => Wire.greet(smtpPort)))
    const startMinute = minute()
    const received: string[] = []
    for (let message = 0; message < 5; message++)
      for (const wire of wires) received.push(await startTransaction(wire))
    child.kill('SIGTERM')
    return minute() === startMinute ? received : null
  }
  // Ten messages take less than a minute, so a new minute begins at most once.
  const received = (await replies()) ?? (await replies())
  assert.deepEqual(received, [
    ...Array(5).fill('250 2.1.5 Accepted'),
    ...Array(5).fill('451 4.7.0 Too many messages per minute from your address, try again later'),
  ])
})

const pki = await createPki()
const [old, renewed] = await Promise.all(
  ['old', 'renewed'].map((commonName) => pki.issue({ names: ['mx.ours.example'], commonName })),
)
const arnOf = (name: string) => `arn:aws:secretsmanager:eu-central-1:000000000000:secret:${name}-AbCdEf`

/** The environment of a process that reads its certificates from a secret. */
async function withSecret(name: string): Promise<Record<string, string>> {
  const { TLS_CERTIFICATE: _certificate, TLS_PRIVATE_KEY: _key, ...others } = await createEnvironment()
  return { ...others, TLS_SECRET_ARN: arnOf(name), TLS_SECRET_SECONDS: '1' }
}

async function presentedSubject(port: number): Promise<string> {
  const wire = await Wire.greet(port)
  const socket = await wire.startTls({ ca: pki.ca, rejectUnauthorized: true, servername: 'mx.ours.example' })
  const { subject = '' } = socket.getPeerX509Certificate() ?? {}
  wire.destroy()
  return subject
}

test('the ingress process reads its secret again, and serves the next certificate from its date', async () => {
  assert.ok(old && renewed)
  const current = { certificate: old.cert, privateKey: old.key }
  secrets.create(arnOf('tls'), JSON.stringify(current))
  const child = startProcess(await withSecret('tls'))
  const smtpPort = Number((await new TaskLog(child).next('listening')).smtpPort)
  assert.equal(await presentedSubject(smtpPort), 'CN=old')
  const servedFrom = new Date(Date.now() + 1000).toISOString()
  const next = { certificate: renewed.cert, privateKey: renewed.key, servedFrom }
  secrets.put('tls', JSON.stringify({ ...current, next }), 'second', undefined)
  const untilRenewed = async () => {
    while ((await presentedSubject(smtpPort)) !== 'CN=renewed');
  }
  await within(20_000, untilRenewed(), 'the next certificate')
  const closed = untilExit(child)
  child.kill('SIGTERM')
  assert.deepEqual(await closed, [0, null])
})

/** A relay to a service that can accept requests without responding. */
class ServiceRelay {
  isUnresponsive = false
  readonly #server = createServer((socket) => this.#take(socket))
  readonly #sockets = new Set<Socket>()
  readonly #targetPort: number

  private constructor(endpoint: string) {
    this.#targetPort = Number(new URL(endpoint).port)
  }

  static async start(endpoint: string): Promise<ServiceRelay> {
    const service = new ServiceRelay(endpoint)
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
    if (this.isUnresponsive) return void socket.resume()
    const target = connect(this.#targetPort, '127.0.0.1')
    target.on('error', () => socket.destroy())
    socket.pipe(target).pipe(socket)
  }
}

interface UnresponsiveCase {
  service: string
  target: string
  /** The environment that points the process to the relay. */
  environmentFor(endpoint: string): Record<string, string> | Promise<Record<string, string>>
  /** Sends a command that needs the service. @returns the reply */
  use(client: Wire): Promise<string>
  /** The text of the failing health check. */
  reason: string
  /** The line in the log when the service responds again. */
  recoveryMessage: string
}

const sendMessage = (client: Wire) => client.send('Subject: x\r\n')
const storage = {
  reason: 'storage is failing',
  recoveryMessage: 'storage works: new connections are accepted again',
  use: sendMessage,
}

const unresponsiveCases: UnresponsiveCase[] = [
  { service: 'S3', target: endpoint, environmentFor: (url) => ({ AWS_ENDPOINT_URL_S3: url }), ...storage },
  {
    service: 'SQS',
    target: endpoint,
    // The SDK uses the host in the queue's URL, so the queue is created through the relay.
    async environmentFor(url) {
      const relayClient = new SQSClient({ ...client, endpoint: url })
      const { QueueUrl = '' } = await relayClient.send(
        new CreateQueueCommand({ QueueName: 'behind-the-relay' }),
      )
      relayClient.destroy()
      return { EVALUATION_QUEUE_URL: QueueUrl, AWS_ENDPOINT_URL_SQS: url }
    },
    ...storage,
  },
  {
    service: 'DynamoDB',
    target: dynamodb.endpoint,
    environmentFor: (url) => ({ AWS_ENDPOINT_URL_DYNAMODB: url }),
    async use(client) {
      await client.command('MAIL FROM:<a@elsewhere.example>')
      return client.command('RCPT TO:<b@ours.example>')
    },
    reason: 'connectors cannot be read',
    recoveryMessage: 'connectors can be read: new connections are accepted again',
  },
]

// Concurrent: each waits for timeouts of the process.
describe('while a service accepts requests and does not respond', { concurrency: true }, () => {
  for (const { service, target, environmentFor, use, reason, recoveryMessage } of unresponsiveCases)
    test(`(${service}) open sessions get 451, new clients get 421, and /health fails; mail is accepted when the service responds`, async () => {
      const relay = await ServiceRelay.start(target)
      const child = startProcess({
        ...(await createEnvironment()),
        ...(await environmentFor(relay.endpoint)),
      })
      relay.isUnresponsive = true
      const log = createInterface({ input: child.stdout as NodeJS.ReadableStream })
      const { smtpPort, healthPort } = JSON.parse((await once(log, 'line'))[0])
      const health = async () => (await fetch(`http://127.0.0.1:${healthPort}/health`)).text()
      const clients = await Promise.all(Array.from({ length: 12 }, () => Wire.greet(smtpPort)))
      const untilUnhealthy = async () => {
        do for (const reply of await Promise.all(clients.map(use))) assert.match(reply, /^451 4\.3\.0 /)
        while ((await health()) === 'ok\n')
      }
      await within(60_000, untilUnhealthy(), '/health with a reason')
      assert.equal(await health(), `${reason}\n`)
      assert.match(await (await Wire.open(smtpPort)).reply(), /^421 4\.3\.2 /)
      relay.isUnresponsive = false
      const untilRecovered = async () => {
        for await (const line of log) if (JSON.parse(line).message === recoveryMessage) break
      }
      await within(60_000, untilRecovered(), `the line "${recoveryMessage}"`)
      assert.equal(await health(), 'ok\n')
      assert.match(await sendMessage(await Wire.greet(smtpPort)), /^250 /)
    })
})

test('the ingress process accepts mail after an uncaught exception, and when its log has no reader', async () => {
  const fail = "process.on('SIGUSR2', () => { throw new Error('internal') })"
  const child = startProcess({
    ...(await createEnvironment()),
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(fail)}`,
  })
  const log = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const { smtpPort } = JSON.parse((await once(log, 'line'))[0])
  const wire = await Wire.greet(smtpPort)
  const fault = Promise.race([once(log, 'line'), once(log, 'close').then(() => ['{}'])])
  child.kill('SIGUSR2')
  const { level, message, cause } = JSON.parse((await fault)[0])
  assert.deepEqual([level, message, cause], ['error', 'uncaughtException', 'Error: internal'])
  child.stdout?.destroy()
  for (let time = 0; time < 3; time++) assert.match(await sendMessage(wire), /^250 /)
  const exited = untilExit(child)
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
  await sqs.send(new PurgeQueueCommand({ QueueUrl }))
})

async function occupiedPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  return String((server.address() as AddressInfo).port)
}

type Environment = Record<string, string>
const startFailures: [name: string, environment: () => Environment | Promise<Environment>, line: RegExp][] = [
  ['an empty environment', () => ({}), /^smtp-ingress cannot start: environment: CONNECTORS_TABLE: .*\n$/],
  [
    'an invalid private key',
    async () => ({ ...(await createEnvironment()), TLS_PRIVATE_KEY: 'PRIVATE KEY' }),
    /^smtp-ingress cannot start: [^\n]*PEM[^\n]*\n$/,
  ],
  [
    'an SMTP port in use',
    async () => ({ ...(await createEnvironment()), SMTP_PORT: await occupiedPort() }),
    /^smtp-ingress cannot start: [^\n]*EADDRINUSE[^\n]*\n$/,
  ],
  [
    'a health port in use',
    async () => ({ ...(await createEnvironment()), HEALTH_PORT: await occupiedPort() }),
    /^smtp-ingress cannot start: [^\n]*EADDRINUSE[^\n]*\n$/,
  ],
  [
    'too little memory',
    async () => ({ ...(await createEnvironment()), MEMORY_MIB: '256', MAX_CONNECTIONS: '1000' }),
    /^smtp-ingress cannot start: 256 MiB of memory are not enough for 1000 sessions\n$/,
  ],
  [
    'a missing secret',
    () => withSecret('elsewhere'),
    /^smtp-ingress cannot start: [^\n]*can't find the specified secret[^\n]*\n$/,
  ],
  [
    'an invalid value of the secret',
    () => {
      secrets.create(
        arnOf('useless'),
        '{"certificate": "none", "privateKey": "PRIVATE KEY-----not to be logged"}',
      )
      return withSecret('useless')
    },
    /^smtp-ingress cannot start: the secret has invalid fields: certificate \((?!.*not to be logged)[^\n]*\n$/,
  ],
  [
    'neither TLS_SECRET_ARN nor TLS_CERTIFICATE',
    async () => {
      const { TLS_SECRET_ARN: _arn, ...others } = await withSecret('none')
      return others
    },
    /^smtp-ingress cannot start: environment: TLS_SECRET_ARN: is required unless TLS_CERTIFICATE and TLS_PRIVATE_KEY are set\n$/,
  ],
]

// Concurrent: each starts a process.
describe('an ingress process that cannot start', { concurrency: true }, () => {
  for (const [name, environment, line] of startFailures)
    test(`prints the reason in one line and exits with 1: ${name}`, async () => {
      const child = startProcess(await environment())
      let errors = ''
      child.stderr?.on('data', (text) => {
        errors += text
      })
      assert.deepEqual(await untilExit(child), [1, null])
      assert.match(errors, line)
    })
})
