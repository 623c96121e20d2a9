/** The limit of an address over the processes of a task, as they are deployed. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { startDynamoDb } from '../../support/dynamodb.ts'
import { selfSigned } from '../../support/pki.ts'
import { firstLine, freePort } from '../../support/process.ts'

const limit = 40
const workers = 2

const dynamodb = await startDynamoDb()
await dynamodb.documents.send(
  new PutCommand({
    TableName: dynamodb.connectorsTable,
    Item: { pk: 'accepted-domain', sk: 'ours.example', domain: 'ours.example', comment: '', version: 1 },
  }),
)
const { cert, key } = await selfSigned({ names: ['mx.ours.example'] })
const port = await freePort()
const task = spawn(process.execPath, ['functions/smtp-ingress/main.ts'], {
  env: {
    PATH: process.env.PATH ?? '',
    WORKERS: String(workers),
    MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: String(limit),
    MAIL_HOSTNAME: 'mx.ours.example',
    CONNECTORS_TABLE: dynamodb.connectorsTable,
    TRANSPORT_TABLE: dynamodb.transportTable,
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: 'http://127.0.0.1/queue',
    TLS_CERTIFICATE: cert,
    TLS_PRIVATE_KEY: key,
    LISTEN_ADDRESS: '127.0.0.1',
    SMTP_PORT: String(port),
    HEALTH_PORT: String(await freePort()),
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: dynamodb.endpoint,
  },
  stdio: ['ignore', 'pipe', 'inherit'],
})
after(async () => {
  task.kill('SIGKILL')
  await dynamodb.stop()
})

/** A session from an address of the loopback network; each command is answered in one line but EHLO. */
async function session(localAddress: string) {
  const socket: Socket = connect({ port, host: '127.0.0.1', localAddress })
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const reply = async (): Promise<string> => String((await lines.next()).value)
  const command = (line: string): Promise<string> => {
    socket.write(`${line}\r\n`)
    return reply()
  }
  await reply()
  await command('HELO client.example')
  /** Begins a message. @returns the reply to its recipient */
  const begin = async (): Promise<string> => {
    await command('MAIL FROM:<a@elsewhere.example>')
    const answer = await command('RCPT TO:<b@ours.example>')
    await command('RSET')
    return answer
  }
  return { begin, close: () => socket.destroy() }
}

const minute = () => Math.floor(Date.now() / 60_000)

/** How many messages of twice the limit are taken of one address, by sessions in turn; null when a minute has turned. */
async function takenFrom(address: string): Promise<number | null> {
  const began = minute()
  const sessions = await Promise.all(Array.from({ length: 2 * workers }, () => session(address)))
  const replies: string[] = []
  for (let message = 0; message < 2 * limit; message++) {
    const one = sessions[message % sessions.length]
    if (one) replies.push(await one.begin())
  }
  for (const { close } of sessions) close()
  if (minute() !== began) return null
  const refused = replies.filter((reply) => reply.startsWith('451 4.7.0 Too many messages from your address'))
  const accepted = replies.filter((reply) => reply.startsWith('250 '))
  assert.equal(refused.length + accepted.length, replies.length)
  return accepted.length
}

test('an address has one limit over all workers, and an eighth of it each besides', {
  timeout: 60_000,
}, async () => {
  await firstLine(task)
  const taken = (await takenFrom('127.0.0.2')) ?? (await takenFrom('127.0.0.3'))
  assert.ok(taken !== null)
  assert.ok(taken >= limit && taken < limit + workers * (limit / 8 + 2), `${taken} taken`)
  task.kill('SIGTERM')
  assert.deepEqual(await once(task, 'exit'), [0, null])
})
