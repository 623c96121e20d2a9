import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { parquetMetadata } from 'hyparquet'
import { eventSchemaVersion, type MailEvent } from '../../../shared/contract/events.ts'
import { eventColumns } from '../../../shared/events/event-columns.ts'
import { parquetKey } from '../../../shared/events/event-keys.ts'
import { parquetFile } from '../../../shared/events/parquet-file.ts'
import { readIds } from '../../../shared/events/read-parquet.ts'
import { duckDbQuery } from '../../docs/events.ts'
import { memoryEventStore } from '../../support/event-store.ts'
import { Random } from '../../support/random.ts'
import { sampleEvents } from '../../support/sample-events.ts'
import { readParquet } from '../../support/sealed-events.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-parquet-'))
after(() => rmSync(folder, { recursive: true }))

const time = { from: Date.UTC(2026, 10, 30, 20), to: Date.UTC(2026, 10, 30, 21) }
const events: MailEvent[] = [
  ...sampleEvents(300, new Random(1), time),
  {
    id: '01KB0000000000000000000001',
    at: '2026-11-30T20:59:59.999Z',
    kind: 'Rejected',
    count: 70_000,
    sender: '',
    helo: 'ünïcode "quoted"',
    verified: false,
    softwareVersion: '0.2.0',
  },
]
const octets = Buffer.from(parquetFile(events))

/** The row of an event: absent columns are null. */
const rowOf = (event: MailEvent) =>
  Object.fromEntries(
    eventColumns.map(({ name, type }) => [
      name,
      type === 'timestamp' ? new Date(event.at) : (event[name] ?? null),
    ]),
  )

test('hyparquet reads the events that were written, with all columns of the contract', async () => {
  assert.deepEqual(await readParquet(octets), events.map(rowOf))
})

test('DuckDB reads the same rows', async () => {
  const file = join(folder, 'events.parquet')
  writeFileSync(file, octets)
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  await connection.run("SET TimeZone = 'UTC'")
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM '${file}'`)
  const types = {
    timestamp: 'TIMESTAMP WITH TIME ZONE',
    integer: 'INTEGER',
    boolean: 'BOOLEAN',
    text: 'VARCHAR',
  }
  assert.deepEqual(
    described.getRowObjects().map(({ column_name, column_type }) => [column_name, column_type]),
    eventColumns.map(({ name, type }) => [name, types[type]]),
  )
  const rows = await connection.runAndReadAll(`SELECT * REPLACE (epoch_ms("at") AS "at") FROM '${file}'`)
  assert.deepEqual(
    rows.getRowObjects().map(({ at, ...row }) => ({ ...row, at: new Date(Number(at)) })),
    events.map((event) => {
      const { at, ...row } = rowOf(event)
      return { ...row, at }
    }),
  )
})

test('the query of the documentation counts deliveries by partner and TLS version', async () => {
  const path = join(folder, parquetKey('2026-11-30T20', { shard: 0, shards: 1 }, '2026-11-30T20'))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, octets)
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const report = await connection.runAndReadAll(duckDbQuery.replace('FOLDER', folder))
  const delivered = events.filter(({ kind }) => kind === 'Delivered')
  const counts = report.getRowObjects().map(({ messages, octets: sum }) => [Number(messages), Number(sum)])
  assert.deepEqual(
    [
      counts.reduce((sum, [messages = 0]) => sum + messages, 0),
      counts.reduce((sum, [, size = 0]) => sum + size, 0),
    ],
    [delivered.length, delivered.reduce((sum, { size = 0 }) => sum + size, 0)],
  )
})

test('the file states the version of the schema and of the software', () => {
  const { key_value_metadata: metadata = [], created_by } = parquetMetadata(
    octets.buffer.slice(octets.byteOffset, octets.byteOffset + octets.length) as ArrayBuffer,
  )
  assert.deepEqual(
    metadata.map(({ key, value }) => [key, value]),
    [
      ['eventSchemaVersion', String(eventSchemaVersion)],
      ['softwareVersion', '0.2.0'],
    ],
  )
  assert.equal(created_by, 'mailflow version 0.2.0')
})

test('the same events make the same octets', () => {
  assert.deepEqual(Buffer.from(parquetFile(events)), octets)
})

test('row groups have statistics of their partners, so that readers skip groups', () => {
  const many = Array.from({ length: 45_000 }, (_, index) => ({
    ...(events[0] as MailEvent),
    partner: index < 20_000 ? 'a.example' : 'b.example',
  }))
  const file = parquetFile(many)
  const { row_groups } = parquetMetadata(
    file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer,
  )
  const partner = eventColumns.findIndex(({ name }) => name === 'partner')
  assert.deepEqual(
    row_groups.map(({ num_rows, columns }) => [
      Number(num_rows),
      columns[partner]?.meta_data?.statistics?.min_value,
      columns[partner]?.meta_data?.statistics?.max_value,
    ]),
    [
      [20_000, 'a.example', 'a.example'],
      [20_000, 'b.example', 'b.example'],
      [5000, 'b.example', 'b.example'],
    ],
  )
})

test('values of wrong types become null, so that no event prevents a seal', async () => {
  const wrong = { ...events[0], size: 'large', count: 2 ** 40, verified: 'yes', partner: 7, kind: 12 }
  const [row] = await readParquet(Buffer.from(parquetFile([wrong])))
  assert.deepEqual(
    [row?.size, row?.count, row?.verified, row?.partner, row?.kind],
    [null, null, null, null, ''],
  )
})

test('the ids are read with range requests', async () => {
  const store = memoryEventStore()
  await store.put('file', octets)
  const ranges: unknown[] = []
  const get: typeof store.get = (key, range) => {
    ranges.push(range)
    return store.get(key, range)
  }
  assert.deepEqual(
    await readIds({ get }, { key: 'file', size: octets.length }),
    events.map(({ id }) => id),
  )
  assert.ok(!ranges.includes(undefined))
})
