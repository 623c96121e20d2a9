/** Message rate limits as observed by clients, over tasks with a shared table. */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { createMessageRateLimiter } from '../../../functions/smtp-ingress/limits/message-rate-limiter.ts'
import type { SharedCounts } from '../../../functions/smtp-ingress/limits/shared-rate-counter.ts'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import { RateTable } from '../../../shared/transport/rate-table.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { inbound } from '../../support/fixtures.ts'
import {
  startTestIngress,
  type TestIngress,
  type TestIngressOptions,
  Wire,
} from '../../support/ingress/ingress.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const running = new Set<TestIngress>()
afterEach(async () => {
  await Promise.all([...running].map((ingress) => ingress.drain()))
  running.clear()
})

const noon = new Date('2026-01-15T12:00:00.000Z')
const tooMany = '451 4.7.0 Too many messages per minute for this connector, try again later'
const tooManyFromAddress = '451 4.7.0 Too many messages per minute from your address, try again later'

interface Task extends TestIngress {
  /** Resolves when all counts so far are in the table. */
  waitForReports(): Promise<unknown>
}

let tasks = 0
async function startTask(options: TestIngressOptions & { perAddress?: number }): Promise<Task> {
  const table = new RateTable(database.documents, database.transportTable, {
    counter: `task-${tasks++}`,
    timeoutMs: 5000,
  })
  let last: Promise<unknown> = Promise.resolve()
  const connectorCounts: SharedCounts = {
    report(...count) {
      const report = table.report(...count)
      last = report
      return report
    },
  }
  const rates = createMessageRateLimiter({
    connectorCounts,
    addressLimit: options.perAddress ?? 0,
    log: (_level, message) => assert.fail(message),
    now: () => noon.getTime(),
  })
  const ingress = await startTestIngress({ at: noon, rates, ...options })
  running.add(ingress)
  const waitForReports = async () => {
    for (let lastAwaited: unknown; lastAwaited !== last; ) {
      lastAwaited = last
      await last
    }
  }
  return { ...ingress, waitForReports }
}

/** A connector with its own id, so that no two tests share a count. */
const limitedTo = (messageRateLimit: number, fields: Partial<InboundConnector> = {}) =>
  inbound({ id: `connector-${tasks}`, requireTls: false, messageRateLimit, ...fields })

/** @returns the reply to RCPT if it is a refusal, otherwise the reply to the data */
async function send(wire: Wire, mailFrom = 'a@contoso.example', rcptTo = 'b@ours.example'): Promise<string> {
  await wire.command(`MAIL FROM:<${mailFrom}>`)
  const accepted = await wire.command(`RCPT TO:<${rcptTo}>`)
  if (!accepted.startsWith('250')) {
    await wire.command('RSET')
    return accepted
  }
  await wire.command('DATA')
  wire.write('Subject: x\r\n\r\nx\r\n.\r\n')
  return (await wire.reply()).replace(/ as .*/, '')
}

const queued = '250 2.0.0 Ok: queued'

test('a message beyond messageRateLimit gets 451 at RCPT TO in every session; mail from other domains is accepted', async () => {
  const connector = limitedTo(2)
  const task = await startTask({ inbound: [connector] })
  const wire = await Wire.greet(task.smtpPort)
  assert.deepEqual([await send(wire), await send(wire), await send(wire)], [queued, queued, tooMany])
  assert.equal(await send(await Wire.greet(task.smtpPort)), tooMany)
  assert.equal(await send(wire, 'a@elsewhere.example'), queued)
  const refusalLine = await task.logged('refused')
  assert.deepEqual([refusalLine.reason, refusalLine.connector], ['MessageRate', connector.id])
  await task.drain()
  running.clear()
  const counts = task.lines.filter((line) => 'Refused' in line && line.reason === 'MessageRate')
  assert.equal(
    counts.reduce((sum, line) => sum + Number(line.Refused), 0),
    2,
  )
  assert.equal(task.queue.jobs.length, 3)
})

test('a message beyond messageRateLimit gets 451 for each of its recipients', async () => {
  const task = await startTask({ inbound: [limitedTo(1)] })
  const wire = await Wire.greet(task.smtpPort)
  assert.equal(await send(wire), queued)
  await wire.command('MAIL FROM:<a@contoso.example>')
  for (const recipient of ['b', 'c', 'b'])
    assert.equal(await wire.command(`RCPT TO:<${recipient}@ours.example>`), tooMany)
  assert.match(await wire.command('DATA'), /^503 /)
})

test('messageRateLimit counts a message with three recipients once', async () => {
  const task = await startTask({ inbound: [limitedTo(2)] })
  const wire = await Wire.greet(task.smtpPort)
  await wire.command('MAIL FROM:<a@contoso.example>')
  for (const recipient of ['b', 'c', 'd'])
    assert.match(await wire.command(`RCPT TO:<${recipient}@ours.example>`), /^250 /)
  await wire.command('RSET')
  assert.deepEqual([await send(wire), await send(wire)], [queued, tooMany])
})

test('messageRateLimit does not count messages that are refused for another reason', async () => {
  const connector = limitedTo(1, {
    senderIpAddresses: ['127.0.0.1'],
    restrictDomainsToIpAddresses: true,
  })
  const elsewhere = { ...connector, senderIpAddresses: ['192.0.2.1'] }
  const restrictedTask = await startTask({ inbound: [elsewhere] })
  const wire = await Wire.greet(restrictedTask.smtpPort)
  for (let times = 0; times < 3; times++) assert.match(await send(wire), /^550 5\.7\.51 /)
  const task = await startTask({ inbound: [connector] })
  const partner = await Wire.greet(task.smtpPort)
  await partner.command('MAIL FROM:<a@contoso.example>')
  assert.match(await partner.command('RCPT TO:<b@foreign.example>'), /^550 5\.7\.64 /)
  await partner.command('RSET')
  assert.equal(await send(partner), queued)
  assert.equal(await send(partner), tooMany)
})

test('two tasks share the messageRateLimit of a connector', async () => {
  const connector = limitedTo(5)
  const [firstTask, secondTask] = [
    await startTask({ inbound: [connector] }),
    await startTask({ inbound: [connector] }),
  ]
  const [first, second] = [await Wire.greet(firstTask.smtpPort), await Wire.greet(secondTask.smtpPort)]
  for (let times = 0; times < 3; times++) assert.equal(await send(first), queued)
  await firstTask.waitForReports()
  assert.equal(await send(second), queued)
  await secondTask.waitForReports()
  assert.deepEqual([await send(second), await send(second)], [queued, tooMany])
  await secondTask.waitForReports()
  assert.equal(await send(first), queued, 'the task does not know the last messages yet')
  await firstTask.waitForReports()
  assert.equal(await send(first), tooMany)
})

test("the message rate limit of an address applies to mail to the gateway's postmaster", async () => {
  const task = await startTask({ perAddress: 2 })
  const wire = await Wire.greet(task.smtpPort)
  const replies: string[] = []
  for (const address of ['postmaster@mx.ours.example', 'postmaster', 'PostMaster@mx.ours.example'])
    replies.push(await send(wire, `${replies.length}@elsewhere.example`, address))
  assert.deepEqual(replies, [queued, queued, tooManyFromAddress])
})

test('the message rate limit of an address applies to all its senders together', async () => {
  const task = await startTask({ perAddress: 2 })
  const wire = await Wire.greet(task.smtpPort)
  const replies = [
    await send(wire, 'a@elsewhere.example'),
    await send(wire, ''),
    await send(wire, 'a@contoso.example'),
  ]
  assert.deepEqual(replies, [queued, queued, tooManyFromAddress])
})
