import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordingMinutes, sealMinute } from '../../../shared/contract/seal-schedule.ts'
import { addHours, hoursBetween } from '../../../shared/events/hours.ts'
import {
  lastClosedHour,
  overdueHours,
  pendingHours,
  shardsFor,
  windowHours,
  workersFor,
} from '../../../shared/events/seal-plan.ts'

const closed: [time: string, hour: string][] = [
  ['2026-11-30T21:04:59.999Z', '2026-11-30T19'],
  ['2026-11-30T21:05:00.000Z', '2026-11-30T20'],
  ['2026-11-30T21:59:59.999Z', '2026-11-30T20'],
  ['2026-12-01T00:04:00.000Z', '2026-11-30T22'],
  ['2026-12-01T00:07:00.000Z', '2026-11-30T23'],
]
for (const [time, hour] of closed)
  test(`at ${time} the last closed hour is ${hour}`, () =>
    assert.equal(lastClosedHour(Date.parse(time)), hour))

test('the schedule runs after the hour is closed', () => assert.ok(sealMinute > recordingMinutes))

const sizes: [octets: number, shards: number][] = [
  [0, 1],
  [400_000_000, 1],
  [400_000_001, 2],
  // 1,000 messages a second with three events of 650 octets each.
  [3600 * 3000 * 650, 32],
  [3600 * 30_000 * 650, 256],
  [1e15, 256],
]
for (const [octets, shards] of sizes)
  test(`an hour with ${octets} octets has ${shards} shards`, () => assert.equal(shardsFor(octets), shards))

const now = Date.parse('2026-11-30T21:07:00Z')
const last = '2026-11-30T20'
const first = addHours(last, 1 - windowHours)
const all = hoursBetween(first, last)
const seal = (hour: string, shard = 0, shards = 1) => ({ hour, shard, shards })

const rows: [
  what: string,
  markers: ReturnType<typeof seal>[],
  pending: [hour: string, shards: number | null, sealed: number[]][],
  overdue: number,
][] = [
  ['all hours sealed', all.map((hour) => seal(hour)), [], 0],
  ['the last hour not sealed', all.slice(0, -1).map((hour) => seal(hour)), [[last, null, []]], 0],
  [
    'the last two hours not sealed',
    all.slice(0, -2).map((hour) => seal(hour)),
    [
      ['2026-11-30T19', null, []],
      [last, null, []],
    ],
    1,
  ],
  [
    'a shard missing in an earlier hour',
    [
      ...all.filter((hour) => hour !== '2026-11-30T10').map((hour) => seal(hour)),
      seal('2026-11-30T10', 0, 4),
      seal('2026-11-30T10', 2, 4),
    ],
    [['2026-11-30T10', 4, [0, 2]]],
    1,
  ],
  [
    'an hour of the future sealed on request',
    [...all.map((hour) => seal(hour)), seal('2026-11-30T22')],
    [],
    0,
  ],
]
for (const [what, markers, expected, overdue] of rows)
  test(`with ${what}, ${expected.length} hours are pending and ${overdue} overdue`, () => {
    const pending = pendingHours(markers, now)
    assert.deepEqual(
      pending.map(({ hour, shards, sealed }) => [hour, shards, [...sealed]]),
      expected,
    )
    assert.equal(overdueHours(pending, now), overdue)
  })

test('in a new deployment only the last hour is pending, and later the hours since the first seal', () => {
  const hoursOf = (markers: ReturnType<typeof seal>[], at: number) =>
    pendingHours(markers, at).map(({ hour }) => hour)
  assert.deepEqual(hoursOf([], now), [last])
  assert.deepEqual(hoursOf([seal(last)], now), [])
  assert.deepEqual(hoursOf([seal(last)], now + 2 * 3_600_000), ['2026-11-30T21', '2026-11-30T22'])
})

test('the shards that are not sealed are divided among at most sixteen invocations', () => {
  assert.deepEqual(workersFor(4, new Set([0, 2])), [[1], [3]])
  const workers = workersFor(64, new Set([17]))
  assert.equal(workers.length, 16)
  assert.deepEqual(workers[0], [0, 16, 32, 48])
  assert.deepEqual(workers[1], [1, 33, 49])
})
