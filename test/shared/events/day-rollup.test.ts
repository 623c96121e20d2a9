/** The rollups of a day: added together, stored, and never used when they are out of date. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { addRollups, hoursOf } from '../../../shared/events/day-rollup.ts'
import { DayRollups } from '../../../shared/events/day-rollups.ts'
import { dayRollupKey, rollupKey } from '../../../shared/events/event-keys.ts'
import { RollupBuilder } from '../../../shared/events/rollup-builder.ts'
import type { Rollup } from '../../../shared/events/rollup-row.ts'
import { memoryEventStore } from '../../support/event-store.ts'

const date = '2026-11-30'
const later = '2026-12-02T00'
let ids = 0

function rollupOf(hour: string, seal: string, ...events: object[]): Rollup {
  const builder = new RollupBuilder()
  for (const event of events)
    builder.add({ id: `id${ids++}`, at: `${hour}:10:00.000Z`, kind: 'Delivered', size: 100, ...event })
  return builder.build(hour, seal)
}

async function put(store: ReturnType<typeof memoryEventStore>, rollup: Rollup, shard = 0): Promise<void> {
  const key = rollupKey(rollup.hour, { shard, shards: 1 }, rollup.seal)
  await store.put(key, gzipSync(JSON.stringify(rollup)))
}

test('rows with the same dimensions are added, and keep their counts by hour', () => {
  const [row, ...others] = addRollups([
    rollupOf(`${date}T03`, `${date}T03`, { partner: 'a.example' }, { partner: 'a.example' }),
    rollupOf(`${date}T20`, `${date}T20`, { partner: 'a.example' }),
    rollupOf(`${date}T03`, `${date}T05`, { partner: 'a.example', size: 50 }),
  ])
  assert.deepEqual(others, [])
  assert.deepEqual([row?.events, row?.octets, row?.samples.length], [4, 350, 3])
  assert.deepEqual([row?.first, row?.last], [`${date}T03:10:00.000Z`, `${date}T20:10:00.000Z`])
  assert.deepEqual(
    [...hoursOf(row as NonNullable<typeof row>, date)],
    [
      { hour: `${date}T03`, events: 3, count: 3, octets: 250, recipients: 0 },
      { hour: `${date}T20`, events: 1, count: 1, octets: 100, recipients: 0 },
    ],
  )
})

test('a day with 20,000 refused clients has at most 5,000 rows of them by client, and all counts', () => {
  const hours = ['01', '02', '03', '04'].map((hour, index) =>
    rollupOf(
      `${date}T${hour}`,
      `${date}T${hour}`,
      ...Array.from({ length: 5000 }, (_, number) => ({
        kind: 'Rejected',
        stage: 'Connect',
        clientIp: `10.${index}.${number >> 8}.${number & 255}`,
      })),
    ),
  )
  const rows = addRollups(hours)
  assert.equal(rows.length, 5001)
  assert.equal(
    rows.reduce((sum, { count }) => sum + count, 0),
    20_000,
  )
  const merged = rows.filter(({ clientNetwork }) => clientNetwork === undefined)
  assert.equal(
    [...merged].flatMap((row) => [...hoursOf(row, date)]).reduce((sum, { events }) => sum + events, 0),
    15_000,
  )
})

test('a stored day is read with one object', async () => {
  const store = memoryEventStore()
  for (const hour of ['01', '02', '03']) await put(store, rollupOf(`${date}T${hour}`, `${date}T${hour}`, {}))
  const days = new DayRollups(store)
  await days.store(date)
  const reads: string[] = []
  const counting = {
    ...store,
    get: async (key: string) => {
      reads.push(key)
      return store.get(key)
    },
  }
  const [row] = await new DayRollups(counting).read(date, later)
  assert.equal(row?.events, 3)
  assert.deepEqual(reads, [dayRollupKey(date)])
})

test('a late rollup is counted at once, also before the day is stored again', async () => {
  const store = memoryEventStore()
  await put(store, rollupOf(`${date}T01`, `${date}T01`, {}))
  const days = new DayRollups(store)
  await days.store(date)
  assert.equal((await days.read(date, later))[0]?.events, 1)
  await put(store, rollupOf(`${date}T01`, `${date}T09`, {}))
  assert.equal((await days.read(date, later))[0]?.events, 2)
  assert.equal((await new DayRollups(store).read(date, later))[0]?.events, 2)
})

test('a rollup that is written again with other events replaces the earlier one', async () => {
  const store = memoryEventStore()
  await put(store, rollupOf(`${date}T01`, `${date}T01`, {}))
  const days = new DayRollups(store)
  await days.store(date)
  await put(store, rollupOf(`${date}T01`, `${date}T01`, {}, {}))
  assert.equal((await days.read(date, later))[0]?.events, 2)
})

test('rollups of hours that are not sealed are left out', async () => {
  const store = memoryEventStore()
  await put(store, rollupOf(`${date}T01`, `${date}T01`, {}))
  await put(store, rollupOf(`${date}T01`, `${date}T02`, {}))
  await new DayRollups(store).store(date)
  assert.equal((await new DayRollups(store).read(date, `${date}T02`))[0]?.events, 1)
})

test('a day without events has no rows', async () => {
  assert.deepEqual(await new DayRollups(memoryEventStore()).read(date, later), [])
})

test('a failure of the store is not an empty day', async () => {
  const store = memoryEventStore()
  await put(store, rollupOf(`${date}T01`, `${date}T01`, {}))
  const failing = {
    ...store,
    get: () => Promise.reject(Object.assign(new Error('denied'), { name: 'AccessDenied' })),
  }
  await assert.rejects(new DayRollups(failing).read(date, later), /denied/)
})
