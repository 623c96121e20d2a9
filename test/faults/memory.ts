/**
 * Tests that the ingress's memory stays below the task's memory:
 * `npm run test:memory [-- --memory MIB --sessions N --megabytes N]`. The ingress runs with the flags of its image,
 * with nearly as many TLS sessions as it accepts and a large message in each. Some clients send at full speed, some
 * slowly, some stop in the middle and stay connected. During and after this, a small message must be accepted. Exits
 * with 1 when the process reached the task's memory, stored content differs from the sent content, or a message was
 * refused. Only a refusal after four minutes in the upload queue is permitted. The spool needs sessions × megabytes of
 * disk in the temporary folder.
 */
import { spawn } from 'node:child_process'
import { createHash, hash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { selfSigned } from '../support/pki.ts'
import { firstLine, freePort } from '../support/process.ts'
import { DigestingStorage } from './digesting-storage.ts'
import { LargeSender } from './large-sender.ts'
import { PeakMemory } from './peak-memory.ts'

const { values } = parseArgs({
  options: {
    memory: { type: 'string', default: '1024' },
    sessions: { type: 'string', default: '1000' },
    megabytes: { type: 'string', default: '10' },
  },
})
const [memory, sessions, megabytes] = (['memory', 'sessions', 'megabytes'] as const).map(wholeNumber) as [
  number,
  number,
  number,
]

function wholeNumber(name: keyof typeof values): number {
  if (/^[1-9]\d{0,5}$/.test(values[name])) return Number(values[name])
  process.stderr.write(`--${name}: ${values[name]} is not a positive integer\n`)
  process.exit(2)
}

const mebibyte = 1024 * 1024
const failures: string[] = []
function expect(holds: boolean, failure: string): void {
  if (!holds) failures.push(failure)
}

/** Every line is unique, so that misplaced octets are found: 128 digits and CRLF. */
function randomMail(name: string): Buffer {
  const head = `Subject: ${name}\r\n\r\n`
  const lines = [head]
  for (let line = 0, length = head.length; length < megabytes * 1_000_000; line++, length += 130)
    lines.push(`${hash('sha512', `${name} ${line}`, 'hex')}\r\n`)
  return Buffer.from(lines.join(''))
}

const mails = ['a', 'b', 'c', 'd'].map((name) => {
  const octets = randomMail(name)
  return { octets, digest: createHash('sha256').update(octets).digest('hex') }
})

const directory = await mkdtemp(join(tmpdir(), 'mailflow-memory-'))
const storage = await DigestingStorage.start()
const { cert, key } = await selfSigned({ names: ['mx.ours.example'] })
const [port, healthPort] = [await freePort(), await freePort()]
/** The ingress keeps a twentieth of its sessions for senders whose mail it has accepted. */
const maxSessions = String(Math.ceil((sessions + 10) / 0.95))
const ingress = spawn(process.execPath, [...deployedFlags(), 'functions/smtp-ingress/main.ts'], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: {
    PATH: process.env.PATH ?? '',
    TLS_CERTIFICATE: cert,
    TLS_PRIVATE_KEY: key,
    AWS_ENDPOINT_URL: storage.endpoint,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'memory',
    AWS_SECRET_ACCESS_KEY: 'memory',
    MAIL_HOSTNAME: 'mx.ours.example',
    CONNECTORS_TABLE: 'connectors',
    TRANSPORT_TABLE: 'transport',
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: `${storage.endpoint}/000000000000/evaluation`,
    EVENTS_QUEUE_URL: `${storage.endpoint}/000000000000/events`,
    LISTEN_ADDRESS: '127.0.0.1',
    SMTP_PORT: String(port),
    HEALTH_PORT: String(healthPort),
    MAX_CONNECTIONS: maxSessions,
    MAX_CONNECTIONS_PER_ADDRESS: maxSessions,
    MAX_CONNECTION_RATE_PER_ADDRESS: '0',
    MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: '0',
    MEMORY_MIB: String(memory),
    SPOOL_DIRECTORY: directory,
    SPOOL_MIB: String(Math.ceil((sessions * megabytes * 1_100_000) / mebibyte) + 64),
    DRAIN_SECONDS: '5',
  },
})

try {
  await firstLine(ingress)
  await run(ingress.pid as number)
} finally {
  const ended = once(ingress, 'exit')
  if (ingress.exitCode === null && ingress.signalCode === null) {
    ingress.kill('SIGTERM')
    await ended
  }
  await storage.stop()
  await rm(directory, { recursive: true })
}
for (const failure of failures) console.log(`FAILED: ${failure}`)
process.exit(failures.length > 0 ? 1 : 0)

/** Returns the command-line flags of Node in the ingress's image. */
function deployedFlags(): string[] {
  const [, command] = /^CMD (.*)$/m.exec(readFileSync('functions/smtp-ingress/Dockerfile', 'utf8')) ?? []
  return JSON.parse(command ?? '').filter((argument: string) => argument.startsWith('--'))
}

async function run(pid: number): Promise<void> {
  const peak = new PeakMemory(pid)
  const atStart = peak.mebibytes
  const began = performance.now()
  const senders = await inBatches(sessions, async (number) => {
    const sender = await LargeSender.greet(port)
    return { sender, number, mail: mails[number % mails.length] as (typeof mails)[number] }
  })
  const whenOpen = peak.mebibytes
  console.log(`${sessions} TLS sessions open after ${seconds(began)} s`)
  // Of ten senders, seven send at full speed, two slowly, and one stops halfway.
  const stopping = senders.filter(({ number }) => number % 10 === 9)
  const ending = senders.filter(({ number }) => number % 10 !== 9)
  const sendAll = ({ sender, number, mail }: (typeof senders)[number], pace: number) =>
    sender.send(`m${number}@elsewhere.example`, mail.octets, { blockDelayMs: pace, share: 1 })
  const stopped = stopping.map(({ sender, mail }) =>
    sender.send('stops@elsewhere.example', mail.octets, { blockDelayMs: 0, share: 0.5 }),
  )
  const replies = Promise.all(ending.map((each) => sendAll(each, each.number % 10 <= 6 ? 0 : 50)))
  await Promise.all(stopped)
  await sendSmallMessage('while large messages arrive')
  const receivedReplies = await replies
  console.log(`${ending.length} messages of ${megabytes} MB got replies after ${seconds(began)} s`)
  const accepted = ending.filter((_, index) => receivedReplies[index]?.startsWith('250 '))
  const otherReplies = receivedReplies.filter((reply) => !reply.startsWith('250 '))
  const timedOut = otherReplies.filter((reply) => reply.startsWith('452 4.3.1 Too many large messages'))
  console.log(
    `${accepted.length} accepted, ${timedOut.length} deferred after four minutes in the upload queue`,
  )
  expect(
    otherReplies.length === timedOut.length,
    `messages were refused: ${otherReplies.find((reply) => !timedOut.includes(reply))}`,
  )
  checkStored(accepted)
  for (const { sender } of stopping) sender.destroy()
  await sendSmallMessage('after them')
  const lastSender = await LargeSender.greet(port)
  const reply = await lastSender.send('last@elsewhere.example', mails[0]?.octets ?? Buffer.alloc(0), {
    blockDelayMs: 0,
    share: 1,
  })
  expect(reply.startsWith('250 '), `a large message after them got the reply ${reply}`)
  const health = await fetch(`http://127.0.0.1:${healthPort}/health`)
  expect(health.status === 200, `health is ${health.status} ${await health.text()}`)
  console.log(
    `memory: ${atStart} MiB at the start, ${whenOpen} with all sessions open, ${peak.mebibytes} at most, of ${memory}`,
  )
  expect(peak.mebibytes < memory, `the process used ${peak.mebibytes} MiB, and the task has ${memory}`)
}

/** Sends a small message, which must be accepted. */
async function sendSmallMessage(when: string): Promise<void> {
  const began = performance.now()
  const sender = await LargeSender.greet(port)
  const reply = await sender.send('small@elsewhere.example', Buffer.from('Subject: small\r\n\r\nText\r\n'), {
    blockDelayMs: 0,
    share: 1,
  })
  sender.destroy()
  expect(reply.startsWith('250 '), `a small message ${when} got the reply ${reply}`)
  console.log(`a small message ${when} got its reply after ${seconds(began)} s`)
}

/** Checks that every message accepted with 250 has one job, and that its octets are the sent octets. */
function checkStored(sent: readonly { number: number; mail: (typeof mails)[number] }[]): void {
  const jobs = new Map(storage.jobs.map((job) => [job.message.envelope.mailFrom, job.message.content]))
  for (const { number, mail } of sent) {
    const content = jobs.get(`m${number}@elsewhere.example`)
    const stored = storage.objects.get(content?.key ?? '')
    expect(stored?.digests?.whole === content?.sha256, `message ${number}: its job has another digest`)
    expect(
      stored?.digests?.afterMarker === mail.digest,
      `message ${number} is stored with other octets than were sent`,
    )
  }
  expect(!jobs.has('stops@elsewhere.example'), 'an incomplete message was stored')
}

async function inBatches<T>(count: number, work: (number: number) => Promise<T>): Promise<T[]> {
  const done: T[] = []
  while (done.length < count) {
    const batch = Array.from({ length: Math.min(50, count - done.length) }, (_, index) => done.length + index)
    done.push(...(await Promise.all(batch.map(work))))
    await delay(1)
  }
  return done
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1)
}
