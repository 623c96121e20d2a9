/**
 * Kills processes at work. No message accepted with 250 is lost. A message is delivered twice only if its worker died
 * in the SMTP transaction, which a metric counts, or if its client got no reply and sent the message again.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type HoldingPartner, startHoldingPartner } from '../support/local/holding-partner.ts'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import { QueueWaits } from '../support/local/queue-waits.ts'
import {
  Api,
  messageIdIn,
  type RunnerProcess,
  SmtpClient,
  sendMessage,
  startRunner,
  waitForResult,
} from '../support/local/runner.ts'

let runner: RunnerProcess
let api: Api
let mailbox: HoldingPartner
let waits: QueueWaits

before(
  async () => {
    mailbox = await startHoldingPartner()
    runner = await startRunner({ names: {} })
    api = new Api(runner.endpoints)
    waits = new QueueWaits(runner.endpoints)
    await setUpMailboxServer(api, mailbox)
  },
  { timeout: 120_000 },
)

after(async () => {
  await runner?.stop()
  await mailbox.stop()
})

const subject = (name: string) => `Subject: ${name}.\r\n\r\nbody of ${name}\r\n`
const send = (name: string) =>
  sendMessage(runner.endpoints, 'bob@plain.example', 'ann@ours.example', subject(name))
const timesIn = (messages: readonly string[], name: string) =>
  messages.filter((content) => content.includes(`Subject: ${name}.`)).length

test('an ingress that is killed during a message does not accept that message, restarts and accepts the next one', async () => {
  const client = await SmtpClient.open(runner.endpoints)
  await client.command('MAIL FROM:<bob@plain.example>')
  await client.command('RCPT TO:<ann@ours.example>')
  assert.match(await client.command('DATA'), /^354 /)
  client.write('Subject: half.\r\n\r\nhalf of')
  process.kill(runner.endpoints.pids.ingress ?? 0, 'SIGKILL')
  assert.equal(await client.reply(), '', 'the connection ends without a reply')
  const line = await runner.stderrLine(/the ingress \(pid \d+\) ended by SIGKILL; restarted as pid \d+/)
  assert.ok(line.includes(`pid ${runner.endpoints.pids.ingress})`))

  await api.settled(messageIdIn(await send('whole')), ['Delivered'])
  assert.equal(timesIn(mailbox.answered, 'whole'), 1)
  assert.equal(timesIn(mailbox.received, 'half'), 0)
})

test('an ingress that is killed under load loses no message accepted with 250', {
  timeout: 60_000,
}, async (t) => {
  const clients = Array.from({ length: 8 }, (_, client) => client)
  const names = clients.flatMap((client) =>
    ['a', 'b', 'c', 'd', 'e'].map((letter) => `load-${client}${letter}`),
  )
  const replies = new Map<string, string>()
  await Promise.all(
    clients.map(async (client) => {
      for (const name of names.filter((candidate) => candidate.startsWith(`load-${client}`))) {
        replies.set(name, await send(name).catch(() => ''))
        if (replies.size === 15) process.kill(ingressPid(), 'SIGKILL')
      }
    }),
  )
  const unanswered = names.filter((name) => !replies.get(name)?.startsWith('250'))
  await waitForResult(() =>
    runner.stderrLines.filter((line) => /ended by SIGKILL; restarted/.test(line)).length >= 2 ? true : null,
  )
  assert.ok(unanswered.length > 0, 'the ingress died under load')
  // As clients do, the test repeats each message that got no reply.
  for (const name of unanswered) replies.set(name, await send(name))
  for (const reply of replies.values()) await api.settled(messageIdIn(reply), ['Delivered'])
  const missing = names.filter((name) => timesIn(mailbox.answered, name) === 0)
  assert.deepEqual(missing, [])
  const duplicated = names.filter((name) => timesIn(mailbox.answered, name) > 1)
  t.diagnostic(
    `${unanswered.length} of ${names.length} were unanswered when the ingress died, ${duplicated.length} of them had been stored`,
  )
  assert.deepEqual(
    duplicated.filter((name) => !unanswered.includes(name)),
    [],
    'only messages without a reply may be delivered twice',
  )
})

/** The current pid of the ingress, from the ready line or the last restart. */
function ingressPid(): number {
  const restarts = runner.stderrLines.map((line) => /restarted as pid (\d+)/.exec(line)?.[1]).filter(Boolean)
  return Number(restarts.at(-1) ?? runner.endpoints.pids.ingress)
}

test('workers that are killed during SMTP transactions lose no message, and LeasesExpired counts each duplicate', {
  timeout: 240_000,
}, async (t) => {
  // Fewer messages than the delivery queue has workers, so that all transactions run at the same time.
  const names = Array.from({ length: 4 }, (_, index) => `crash-${index}`)
  mailbox.isHolding = true
  const ids: string[] = []
  // The next message is sent only when the mailbox withholds its reply to the previous one. Jobs that were sent together
  // could reach one worker as a batch, which makes one transaction after the other.
  for (const name of names) {
    ids.push(messageIdIn(await send(name)))
    await mailbox.waitForHeld(ids.length)
  }
  const inFlightMessages = await waits.inFlight()
  process.kill(runner.endpoints.pids.runner, 'SIGUSR2')
  await runner.stderrLine(/SIGUSR2: killed [1-9]\d* running Lambda workers/)
  await mailbox.waitForAbandoned(names.length)
  mailbox.isHolding = false
  await waits.skip(inFlightMessages)

  await untilAllDelivered(ids)
  for (const name of names) {
    assert.equal(timesIn(mailbox.answered, name), 1, `${name} is answered 250 once`)
  }
  const repeated = names.filter((name) => timesIn(mailbox.received, name) > 1)
  assert.deepEqual(repeated, names, 'every worker died inside its transactions')
  // A worker writes its metrics at the end of its batch.
  await assertQueuesEmpty()
  assert.equal(metric('LeasesExpired'), repeated.length)
  t.diagnostic(
    `${repeated.length} transactions were interrupted and repeated; LeasesExpired counts all of them`,
  )
})

test('workers that are killed at any moment lose no message, and LeasesExpired counts each duplicate', {
  timeout: 240_000,
}, async (t) => {
  const leasesBefore = metric('LeasesExpired')
  const linesBefore = runner.stderrLines.length
  const names = Array.from({ length: 30 }, (_, index) => `storm-${index}`)
  let answered = 0
  const ids = await Promise.all(
    names.map(async (name) => {
      const id = messageIdIn(await send(name))
      answered += 1
      if (answered % 6 === 0) process.kill(runner.endpoints.pids.runner, 'SIGUSR2')
      return id
    }),
  )
  await untilAllDelivered(ids)
  const copies = names.reduce((sum, name) => sum + timesIn(mailbox.answered, name) - 1, 0)
  const killed = runner.stderrLines
    .slice(linesBefore)
    .reduce((sum, line) => sum + Number(/SIGUSR2: killed (\d+)/.exec(line)?.[1] ?? 0), 0)
  await assertQueuesEmpty()
  const counted = metric('LeasesExpired') - leasesBefore
  t.diagnostic(`${killed} workers killed; ${copies} copies, ${counted} counted`)
  assert.ok(killed > 0, 'a worker was killed')
  assert.ok(copies <= counted, `${copies} copies but only ${counted} counted`)
  assert.deepEqual(
    names.filter((name) => timesIn(mailbox.answered, name) === 0),
    [],
  )
})

/** Waits until every message is delivered. */
async function untilAllDelivered(ids: readonly string[]): Promise<void> {
  const open = new Set(ids)
  const skipLongWait = waits.createSkipper(maxHoldPolls)
  await waitForResult(
    async () => {
      for (const id of open) {
        const trace = await api
          .call<{ recipients: { state: string }[] }>('GET', `/messages/${id}`)
          .catch(() => null)
        if (trace?.recipients.some(({ state }) => state === 'Delivered')) open.delete(id)
      }
      await skipLongWait()
      return open.size === 0 ? true : null
    },
    1000,
    slowMs,
  )
}

/** A killed worker's jobs are free again only after several polls. */
const slowMs = 120_000
/** Polls are one second apart. */
const maxHoldPolls = 6

const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
const sqs = () => new SQSClient({ region: 'us-east-1', credentials, endpoint: runner.endpoints.sqs })

/** Sums a metric over the logs of all units (CloudWatch's embedded metric format). */
function metric(name: string): number {
  const { logs } = runner.endpoints
  const lines = readdirSync(logs).flatMap((file) => readFileSync(join(logs, file), 'utf8').split('\n'))
  return lines
    .filter((line) => line.includes('"_aws"') && line.includes(`"${name}"`))
    .reduce((sum, line) => sum + [JSON.parse(line)[name] ?? 0].flat().reduce((a, b) => a + b, 0), 0)
}

async function assertQueuesEmpty(): Promise<void> {
  const skipLongWait = waits.createSkipper(maxHoldPolls)
  await waitForResult(
    async () => {
      await skipLongWait()
      const counts = await Promise.all(Object.entries(runner.endpoints.queues).map(countsOf))
      return counts.flat().every((count) => count === 0) ? true : null
    },
    1000,
    slowMs,
  )
}

async function countsOf([name, url]: [string, string]): Promise<number[]> {
  const { Attributes = {} } = await sqs().send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }),
  )
  const counts = ['', 'NotVisible', 'Delayed'].map((kind) =>
    Number((Attributes as Record<string, string>)[`ApproximateNumberOfMessages${kind}`]),
  )
  if (name.endsWith('DeadLetters')) assert.deepEqual(counts, [0, 0, 0], `${name} is empty`)
  return counts
}
