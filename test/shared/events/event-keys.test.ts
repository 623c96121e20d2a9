import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  daysUntil,
  idsKey,
  overlaps,
  parquetKey,
  parseRawKey,
  parseShardKey,
  rawKey,
  rollupKey,
  sealInKey,
  sealKey,
  shardInKey,
} from '../../../shared/events/event-keys.ts'
import { addHours, hourOf, hoursBetween } from '../../../shared/events/hours.ts'

const hour = '2026-11-30T23'
const ulid = '01KB0000000000000000000001'

test('keys have the documented form', () => {
  const shard = { shard: 3, shards: 16 }
  assert.deepEqual(
    [
      rawKey(hour, { shard: 3, octets: 4711 }, ulid),
      rawKey(hour, { shard: null, octets: 12 }, ulid),
      idsKey(hour, shard),
      sealKey(hour, shard),
      parquetKey('2026-11-30T20', shard, hour),
      rollupKey('2026-11-30T20', { shard: 0, shards: 1 }, hour),
    ],
    [
      `raw/recorded=2026-11-30T23/shard=03/${ulid}-4711.jsonl.gz`,
      `raw/recorded=2026-11-30T23/shard=mixed/${ulid}-12.jsonl.gz`,
      'ids/recorded=2026-11-30T23/shard=03of16.bin',
      'seals/recorded=2026-11-30T23/shard=03of16.json',
      'parquet/date=2026-11-30/hour=20/shard=03/seal=2026113023.parquet',
      'rollups/date=2026-11-30/hour=20/shard=00/seal=2026113023.json.gz',
    ],
  )
})

test('keys are read as they were written', () => {
  for (const object of [
    { shard: 15, octets: 0 },
    { shard: null, octets: 5_000_000 },
  ])
    assert.deepEqual(parseRawKey(rawKey(hour, object, ulid)), object)
  for (const shard of [
    { shard: 0, shards: 1 },
    { shard: 255, shards: 256 },
  ])
    assert.deepEqual(parseShardKey(sealKey(hour, shard)), { hour, ...shard })
  const key = parquetKey('2026-11-30T20', { shard: 200, shards: 256 }, hour)
  assert.deepEqual([sealInKey(key), shardInKey(key)], [hour, 200])
  for (const other of ['raw/x', 'seals/recorded=2026-11-30T23/shard=1.json', ''])
    assert.deepEqual([parseRawKey(other), parseShardKey(other)], [null, null])
})

const pairs: [a: [number, number], b: [number, number], boolean][] = [
  [[0, 1], [9, 16], true],
  [[9, 16], [0, 1], true],
  [[1, 2], [9, 16], true],
  [[0, 2], [9, 16], false],
  [[3, 16], [3, 16], true],
  [[3, 16], [4, 16], false],
  [[3, 16], [19, 32], true],
]
for (const [a, b, expected] of pairs)
  test(`shard ${a.join(' of ')} ${expected ? 'overlaps' : 'does not overlap'} shard ${b.join(' of ')}`, () => {
    assert.equal(overlaps({ shard: a[0], shards: a[1] }, { shard: b[0], shards: b[1] }), expected)
  })

test('hours are counted over the ends of days and years', () => {
  assert.equal(hourOf(Date.UTC(2026, 11, 31, 23, 59, 59, 999)), '2026-12-31T23')
  assert.equal(addHours('2026-12-31T23', 1), '2027-01-01T00')
  assert.deepEqual(hoursBetween('2026-12-31T23', '2027-01-01T01'), [
    '2026-12-31T23',
    '2027-01-01T00',
    '2027-01-01T01',
  ])
  assert.deepEqual(hoursBetween('2027-01-01T01', '2026-12-31T23'), [])
  assert.deepEqual(daysUntil('2026-12-02T00', 48), ['2026-11-30', '2026-12-01', '2026-12-02'])
})
