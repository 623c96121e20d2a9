/** Maximum age of connectors at RCPT TO, and detection of failing reads. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { WatchedConnectors } from '../../../../functions/smtp-ingress/session-policy/watched-connectors.ts'
import type { Snapshot } from '../../../../shared/policy/snapshot.ts'
import { snapshot } from '../../../support/fixtures.ts'

/** Reads that the test completes one by one, and a clock. */
function controlledConnectors(context: TestContext) {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const clock = { now: 0 }
  const readings: PromiseWithResolvers<Snapshot>[] = []
  const ages: number[] = []
  const logLines: string[] = []
  const snapshots = {
    current({ maxAgeMs }: { maxAgeMs: number }) {
      const reading = Promise.withResolvers<Snapshot>()
      readings.push(reading)
      ages.push(maxAgeMs)
      return reading.promise
    },
  }
  const connectors = new WatchedConnectors(
    snapshots,
    (level, message) => logLines.push(`${level}: ${message}`),
    () => clock.now,
  )
  context.after(() => connectors.stop())
  /** Completes the last read. @returns the snapshot */
  const read = async (): Promise<Snapshot> => {
    const compiled = snapshot({})
    readings.at(-1)?.resolve(compiled)
    await nextTurn()
    return compiled
  }
  const fail = async (error = new Error('away')) => {
    const request = Promise.resolve(connectors.current())
    readings.at(-1)?.reject(error)
    await assert.rejects(request, error)
    await nextTurn()
  }
  return { connectors, clock, readings, ages, logLines, read, fail }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('WatchedConnectors returns a snapshot for one second from the start of its read, and then reads again', async (t) => {
  const { connectors, clock, readings, ages, read } = controlledConnectors(t)
  const request = connectors.current()
  clock.now = 900
  const first = await read()
  assert.equal(await request, first)
  clock.now = 999
  assert.equal(connectors.current(), first)
  clock.now = 1000
  const nextRequest = connectors.current()
  assert.ok(nextRequest instanceof Promise)
  const second = await read()
  assert.equal(await nextRequest, second)
  assert.notEqual(second, first)
  assert.equal(readings.length, 2)
  assert.deepEqual(ages, [0, 0], 'the reader may not use its cache')
})

test('concurrent callers of WatchedConnectors share one read, whose failure is counted once', async (t) => {
  const { connectors, readings, logLines } = controlledConnectors(t)
  const request = [connectors.current(), connectors.current(), connectors.current(), connectors.current()]
  assert.equal(readings.length, 1)
  readings[0]?.reject(new Error('away'))
  for (const call of request) await assert.rejects(Promise.resolve(call), { message: 'away' })
  assert.equal(connectors.areFailing, false, 'one failure is counted')
  assert.deepEqual(logLines, [])
})

test('three consecutive failed reads of the connectors are an outage, which a successful probe ends', async (t) => {
  const { connectors, readings, logLines, read, fail } = controlledConnectors(t)
  for (let times = 0; times < 3; times++) {
    assert.equal(connectors.areFailing, false)
    await fail()
  }
  assert.equal(connectors.areFailing, true)
  t.mock.timers.tick(1000)
  assert.equal(readings.length, 4)
  await read()
  assert.equal(connectors.areFailing, false)
  assert.deepEqual(logLines, [
    'error: connectors cannot be read: new connections are refused',
    'info: connectors can be read: new connections are accepted again',
  ])
})

test('a successful read of the connectors resets the count of failures and ends an outage', async (t) => {
  const { connectors, clock, read, fail } = controlledConnectors(t)
  const succeed = async () => {
    const request = connectors.current()
    await read()
    await request
    clock.now += 1000
  }
  for (let times = 0; times < 3; times++) {
    await fail()
    await fail()
    await succeed()
  }
  assert.equal(connectors.areFailing, false)
  for (let times = 0; times < 3; times++) await fail()
  assert.equal(connectors.areFailing, true)
  await succeed()
  assert.equal(connectors.areFailing, false)
})

test('one read of the connectors that times out is an outage', async (t) => {
  const { connectors, fail } = controlledConnectors(t)
  await fail(Object.assign(new Error('timed out'), { name: 'TimeoutError' }))
  assert.equal(connectors.areFailing, true)
})

test('WatchedConnectors does not return a snapshot older than one second when the next read fails', async (t) => {
  const { connectors, clock, read, fail } = controlledConnectors(t)
  const request = connectors.current()
  await read()
  await request
  clock.now = 1000
  await fail()
  assert.ok(connectors.current() instanceof Promise)
})

test('WatchedConnectors.latest returns a read that begins after the call, although a snapshot is fresh', async (t) => {
  const { connectors, clock, readings, read } = controlledConnectors(t)
  const request = connectors.current()
  const earlier = await read()
  assert.equal(await request, earlier)
  clock.now = 100
  const latest = connectors.latest()
  await nextTurn()
  assert.equal(readings.length, 2)
  const later = await read()
  assert.equal(await latest, later)
  assert.equal(connectors.current(), later)
})

test('WatchedConnectors.latest begins a read at the earliest 100 ms after the last, shared by all callers until then', async (t) => {
  const { connectors, clock, readings, read } = controlledConnectors(t)
  const request = connectors.current()
  await read()
  await request
  const callers = [connectors.latest(), connectors.latest()]
  await nextTurn()
  t.mock.timers.tick(99)
  callers.push(connectors.latest())
  await nextTurn()
  assert.equal(readings.length, 1)
  clock.now = 100
  t.mock.timers.tick(1)
  await nextTurn()
  assert.equal(readings.length, 2)
  const shared = await read()
  assert.deepEqual(new Set(await Promise.all(callers)), new Set([shared]))
})

test('WatchedConnectors.latest has one read at a time, however slow, and a failed read does not stop the next', async (t) => {
  const { connectors, clock, readings, read } = controlledConnectors(t)
  clock.now = 100
  const failing = connectors.latest()
  await nextTurn()
  assert.equal(readings.length, 1)
  const callers: Promise<Snapshot>[] = []
  for (let second = 1; second <= 3; second++) {
    clock.now += 1000
    callers.push(connectors.latest())
    await nextTurn()
  }
  assert.equal(readings.length, 1)
  readings[0]?.reject(new Error('away'))
  await assert.rejects(failing, { message: 'away' })
  await nextTurn()
  assert.equal(readings.length, 2)
  const next = await read()
  assert.deepEqual(new Set(await Promise.all(callers)), new Set([next]))
})
