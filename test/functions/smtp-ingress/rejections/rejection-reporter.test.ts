import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { Rejection } from '../../../../functions/smtp-ingress/rejections/rejection.ts'
import { RejectionReporter } from '../../../../functions/smtp-ingress/rejections/rejection-reporter.ts'
import type { MailEvent } from '../../../../shared/contract/events.ts'
import { MemoryEvents } from '../../../support/memory-storage.ts'

const start = Date.parse('2026-04-02T10:00:00.000Z')

function setUp(context: TestContext) {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: start })
  const events = new MemoryEvents()
  const logged: [message: string, fields: unknown][] = []
  const reporter = new RejectionReporter(events, (_level, message, fields) => logged.push([message, fields]))
  const report = (count = 1, ip?: string) => {
    for (let number = 0; number < count; number++)
      reporter.report(rejection(ip ?? `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`))
  }
  const pass = async (ms: number) => {
    context.mock.timers.tick(ms)
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { events, logged, reporter, report, pass }
}

const rejection = (ip: string): Rejection => ({
  at: Date.now(),
  ip,
  stage: 'Connect',
  reason: 'ConnectionRate',
  reply: '421 4.7.0 Too many',
  details: () => ({}),
})

const sumOf = (events: readonly MailEvent[]) => events.reduce((sum, { count = 1 }) => sum + count, 0)

test('rejections leave together, a second after the first', async (context) => {
  const { events, report, pass } = setUp(context)
  report(2)
  await pass(999)
  assert.equal(events.taken.length, 0)
  report()
  await pass(1)
  assert.equal(events.taken.length, 3)
  assert.equal(new Set(events.taken.map(({ id }) => id)).size, 3)
  const { kind, id, clientIp } = events.taken[0] ?? assert.fail()
  assert.deepEqual([kind, clientIp], ['Rejected', '10.0.0.0'])
  assert.match(id, /^[0-9A-HJKMNP-TV-Z]{26}$/)
  await pass(60_000)
  assert.equal(events.taken.length, 3)
})

test('a batch that may not have arrived is sent again with the same ids, and later rejections follow it', async (context) => {
  const { events, logged, report, pass } = setUp(context)
  const attempts: string[][] = []
  const send = events.send.bind(events)
  events.send = async (batch) => {
    attempts.push(batch.map(({ id }) => id))
    if (attempts.length < 4) throw new Error('throttled')
    await send(batch)
  }
  report(3)
  await pass(1000)
  report(2)
  for (const delayMs of [2000, 4000, 8000]) await pass(delayMs)
  assert.equal(attempts.length, 4)
  assert.equal(new Set(attempts.map(String)).size, 1)
  await pass(1000)
  assert.equal(events.taken.length, 5)
  assert.equal(logged.length, 3)
})

test('a queue that fails for an hour delays rejections, keeps a bounded number of events, and loses no count', async (context) => {
  const { events, report, pass } = setUp(context)
  let [fails, maxBatch] = [true, 0]
  const send = events.send.bind(events)
  events.send = async (batch) => {
    maxBatch = Math.max(maxBatch, batch.length)
    if (fails) throw new Error('away')
    await send(batch)
  }
  for (let second = 0; second < 3600; second++) {
    report(100)
    await pass(1000)
  }
  fails = false
  await pass(30_000)
  await pass(1000)
  assert.equal(sumOf(events.taken), 360_000)
  assert.ok(maxBatch <= 2024, String(maxBatch))
})

test('a queue that hangs is not asked again meanwhile, and a hundred thousand rejections are counted', async (context) => {
  const { events, report, pass } = setUp(context)
  let [calls, release] = [0, () => {}]
  events.before = () => {
    calls++
    return new Promise((resolve) => {
      release = resolve
    })
  }
  report()
  await pass(1000)
  report(100_000)
  await pass(600_000)
  assert.equal(calls, 1)
  release()
  await pass(0)
  await pass(1000)
  release()
  await pass(0)
  assert.equal(calls, 2)
  assert.equal(sumOf(events.taken), 100_001)
  assert.ok(events.taken.length <= 222)
})

test('a task that stops sends what is left', async (context) => {
  const { events, reporter, report, logged } = setUp(context)
  report(500, '192.0.2.1')
  await reporter.stop()
  assert.equal(sumOf(events.taken), 500)
  assert.deepEqual(logged, [])
})

for (const [name, before] of [
  ['fails', async () => assert.fail('away')],
  ['hangs', () => new Promise<void>(() => {})],
] as const)
  test(`a task that stops while the queue ${name} ends in a limited time and logs the number of rejections`, async (context) => {
    const { events, reporter, report, logged, pass } = setUp(context)
    events.before = before
    report(7)
    await pass(1000)
    report(300, '192.0.2.1')
    const stopped = reporter.stop()
    await pass(3000)
    await stopped
    assert.deepEqual(logged.at(-1), ['rejections could not be recorded', { lost: 307 }])
  })
