/** Runs of seal-hour: catching up, dividing an hour, and the completion of runs that were killed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Dependencies, SealRequest, sealHours } from '../../../functions/seal-hour/seal-hours.ts'
import { eventId, type MailEvent } from '../../../shared/contract/events.ts'
import { mixedShard, rawPrefix, sealKey } from '../../../shared/events/event-keys.ts'
import { EventAddresses } from '../../../shared/events/hash-addresses.ts'
import { addHours, hourOf, hoursBetween, startOf } from '../../../shared/events/hours.ts'
import { lastClosedHour, windowHours } from '../../../shared/events/seal-plan.ts'
import { createAddressHash, hashedAddress } from '../../../shared/mail/address-hash.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const now = Date.parse('2026-11-30T21:07:00Z')
const last = '2026-11-30T20'

const event = (number: number, hour: string): Partial<MailEvent> => ({
  id: eventId('Delivered', number),
  at: `${hour}:10:00.000Z`,
  kind: 'Delivered',
  messageId: `m${number}`,
  softwareVersion: '1',
})

interface Run extends SealedEvents {
  invoked: SealRequest[]
  overdue: number[]
  run(request?: SealRequest, overrides?: Partial<Dependencies>): ReturnType<typeof sealHours>
}

function setUp(): Run {
  const invoked: SealRequest[] = []
  const overdue: number[] = []
  const events = new SealedEvents()
  return Object.assign(events, {
    invoked,
    overdue,
    run: (request: SealRequest = { source: 'aws.events' }, overrides: Partial<Dependencies> = {}) =>
      sealHours(request, {
        ...events.dependencies,
        invoke: async (next) => void invoked.push(next),
        onSealed: () => {},
        onOverdue: (hours) => void overdue.push(hours),
        remainingMs: () => 900_000,
        now: () => now,
        ...overrides,
      }),
  })
}

test('a run seals the last hour, and a second run nothing', async () => {
  const run = setUp()
  await run.record(last, [event(1, last), event(2, last)])
  const [marker, ...others] = await run.run()
  assert.deepEqual(others, [])
  assert.deepEqual([marker?.hour, marker?.events, marker?.byKind], [last, 2, { Delivered: 2 }])
  assert.ok(run.store.objects.has(sealKey(last, { shard: 0, shards: 1 })))
  assert.deepEqual(await run.run(), [])
})

test('after an outage a run seals every hour of the last 48, also those without events', async () => {
  const run = setUp()
  const hours = hoursBetween(addHours(last, -windowHours), last)
  await run.run(undefined, { now: () => startOf(addHours(hours[0] as string, 1)) + 7 * 60_000 })
  for (const [index, hour] of hours.entries())
    if (index % 3 === 0) await run.record(hour, [event(index, hour)])
  const markers = await run.run()
  assert.deepEqual(
    markers.map(({ hour }) => hour),
    hours.slice(1),
  )
  assert.equal(run.countsByKind().Delivered, markers.filter(({ events }) => events > 0).length)
  assert.deepEqual(run.overdue, [0, windowHours - 1])
})

test('an outage of four days is no new deployment: the hours that a run can seal are overdue', async () => {
  const run = setUp()
  await run.run(undefined, { now: () => now - 96 * 3_600_000 })
  await run.record(addHours(last, -20), [event(1, addHours(last, -20))])
  assert.equal((await run.run()).length, windowHours)
  assert.deepEqual(run.overdue, [0, windowHours - 1])
  assert.equal(run.countsByKind().Delivered, 1)
})

test('a run that has no time left continues in another invocation', async () => {
  const run = setUp()
  let remaining = 900_000
  await run.run(undefined, { now: () => now - 3 * 3_600_000 })
  const markers = await run.run({ continued: true }, { remainingMs: () => (remaining -= 400_000) })
  assert.deepEqual([markers.length, run.invoked], [1, [{ continued: true }]])
})

/** Makes the hour as large as the names of its raw objects say. */
function enlarge({ store }: SealedEvents, hour: string, octets: number): void {
  for (const key of [...store.objects.keys()].filter((name) => name.startsWith(rawPrefix(hour)))) {
    store.objects.set(key.replace(/-\d+\.jsonl/, `-${octets}.jsonl`), store.objects.get(key) as Buffer)
    store.objects.delete(key)
  }
}

test('a large hour is divided among invocations, of which the last continues with the next hour', async () => {
  const run = setUp()
  const before = addHours(last, -1)
  await run.run(undefined, { now: () => now - 2 * 3_600_000 })
  await run.record(
    before,
    Array.from({ length: 100 }, (_, number) => event(number, before)),
  )
  await run.record(last, [event(200, last), event(7, before)])
  enlarge(run, before, 3_000_000_000)
  assert.deepEqual(await run.run(), [])
  assert.deepEqual(
    run.invoked,
    Array.from({ length: 8 }, (_, shard) => ({ hour: before, shards: 8, only: [shard] })),
  )
  const requests = run.invoked.splice(0)
  for (const [index, request] of requests.entries()) {
    const markers = await run.run(SealRequest.parse(JSON.parse(JSON.stringify(request))))
    assert.deepEqual(
      markers.map(({ hour, shard }) => [hour, shard]),
      index < 7
        ? [[before, index]]
        : [
            [before, 7],
            [last, 0],
          ],
    )
  }
  assert.deepEqual(run.countsByKind(), { Delivered: 101 })
  assert.equal((await run.rows()).length, 101)
})

test('the next run starts only the shards of an hour that are not sealed', async () => {
  const run = setUp()
  await run.record(last, [event(1, last)])
  enlarge(run, last, 1_600_000_000)
  await run.run()
  assert.equal(run.invoked.length, 4)
  await run.run(run.invoked[2])
  run.invoked.splice(0)
  await run.run()
  assert.deepEqual(
    run.invoked,
    [0, 1, 3].map((shard) => ({ hour: last, shards: 4, only: [shard] })),
  )
})

test('a requested hour that has not ended gets no marker, and is sealed when it has', async () => {
  const run = setUp()
  const current = addHours(lastClosedHour(now), 1)
  await run.record(current, [event(1, current)])
  const [soFar] = await run.run({ hour: current })
  assert.equal(soFar?.events, 1)
  assert.ok(!run.store.objects.has(sealKey(current, { shard: 0, shards: 1 })))
  await run.record(current, [event(2, current)])
  const markers = await run.run(undefined, { now: () => now + 3_600_000 })
  assert.deepEqual(
    markers.map(({ hour, events }) => [hour, events]),
    [[current, 2]],
  )
  assert.deepEqual(run.countsByKind(), { Delivered: 2 })
})

test('whatever put a run dies at, the next run completes the hour with the same objects', async () => {
  const record = async (run: Run) => {
    const before = addHours(last, -1)
    await run.record(before, [event(1, before), event(2, before)])
    await run.record(last, [
      event(3, last),
      event(4, before),
      event(2, before),
      event(5, addHours(last, -30)),
    ])
  }
  const complete = setUp()
  await record(complete)
  const puts = complete.store.puts.length
  await complete.run()
  const number = complete.store.puts.length - puts
  assert.ok(number >= 8, `${number} puts`)
  for (let killed = 0; killed < number; killed++) {
    const run = setUp()
    await record(run)
    let count = 0
    run.store.before = async () => {
      if (count++ === killed) throw new Error('killed')
    }
    await assert.rejects(run.run(), /killed/)
    run.store.before = async () => {}
    await run.run()
    assert.deepEqual(contents(run), contents(complete), `put ${killed}`)
  }
})

test('two runs at the same time write the same objects as one', async () => {
  const [one, two] = [setUp(), setUp()]
  for (const run of [one, two]) {
    await run.run(undefined, { now: () => now - 4 * 3_600_000 })
    for (const [index, hour] of hoursBetween(addHours(last, -3), last).entries())
      await run.record(hour, [
        event(index, hour),
        event(index - 1, addHours(hour, -1)),
        event(0, addHours(last, -3)),
      ])
    run.store.before = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
  }
  await one.run()
  await Promise.all([two.run(), two.run()])
  assert.deepEqual(contents(two), contents(one))
  assert.equal(hourOf(now), addHours(last, 1))
})

/** The objects by key, without the names of raw objects. */
const contents = ({ store }: SealedEvents) =>
  [...store.objects]
    .map(([key, object]) => [
      key.replace(new RegExp(`${mixedShard}/.*`), mixedShard),
      object.toString('base64'),
    ])
    .sort()

test('events of the configuration are those of the change items of the hour', async () => {
  const run = setUp()
  const change: MailEvent = {
    id: eventId('ConfigurationChanged', 'change', 7),
    at: '2026-11-30T20:59:59.999Z',
    kind: 'ConfigurationChanged',
    softwareVersion: '1',
  }
  const spans: string[][] = []
  await run.run(undefined, {
    async changeEvents(since, until) {
      spans.push([since.toISOString(), until.toISOString()])
      return [change]
    },
  })
  assert.deepEqual(spans, [['2026-11-30T20:00:00.000Z', '2026-11-30T21:00:00.000Z']])
  assert.deepEqual(run.countsByKind(), { ConfigurationChanged: 1 })
})

for (const request of [{ hour: 'yesterday' }, { hour: '2026-11-30' }, []])
  test(`the request ${JSON.stringify(request)} is refused`, () =>
    assert.ok(!SealRequest.safeParse(request).success))

test('a run with hashed addresses hashes those of the configuration, and of missing events', async () => {
  const key = 'k'.repeat(64)
  const hash = createAddressHash(key)
  const run = setUp()
  const change: Partial<MailEvent> = {
    ...event(1, last),
    kind: 'ConfigurationChanged',
    actor: 'ann@ours.example',
    after: '{"comment":"for Ann@ours.example"}',
  }
  const received = addHours(last, -2)
  await run.seal(addHours(received, -1))
  const [marker] = await run.run(
    { hour: last },
    {
      addresses: async () => new EventAddresses(key, []),
      changeEvents: async () => [change as MailEvent],
      recipients: {
        async *receivedIn(hour) {
          if (hour === received) yield { messageId: 'm9', address: 'bob@ours.example' }
        },
        status: async (recipients) =>
          recipients.map(() => ({ state: 'Delivered', attempts: 1, failedAttempts: 0, changedAt: 0 })),
      },
    },
  )
  const hashed = (address: string) => hashedAddress(address, hash)
  assert.deepEqual(
    [...new Set(marker?.reconciliation.samples.map(({ recipient }) => recipient))],
    [hashed('bob@ours.example')],
  )
  const [row] = await run.rows()
  assert.equal(row?.after, `{"comment":"for ${hashed('ann@ours.example')}"}`)
  assert.equal(row?.actor, 'ann@ours.example')
})

test('a run that cannot read the key of hashed addresses seals nothing', async () => {
  const run = setUp()
  await run.record(last, [event(1, last)])
  await assert.rejects(run.run(undefined, { addresses: () => Promise.reject(new Error('no key')) }), /no key/)
  assert.deepEqual(
    [...run.store.objects.keys()].filter((key) => !key.startsWith('raw/')),
    [],
  )
})
