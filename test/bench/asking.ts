/**
 * Measures what an administrator asks of the events of 90 days, and what it costs on AWS: `npm run bench:asking [--
 * --events 10000000 --folder FOLDER]`. The bucket is a folder, which is used again if it exists. DuckDB runs the SQL of
 * searches with two threads. Prints a Markdown table.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { type FileMetaData, parquetMetadata } from 'hyparquet'
import { TrailReader } from '../../functions/event-api/trail.ts'
import { dayMs, hourMs } from '../../shared/contract/durations.ts'
import type { MailEvent } from '../../shared/contract/events.ts'
import { messageSearchSql } from '../../shared/event-queries/message-search-sql.ts'
import { countReport } from '../../shared/event-queries/reports/count-report.ts'
import { countedReports } from '../../shared/event-queries/reports/counted-reports.ts'
import { DayRollups } from '../../shared/events/day-rollups.ts'
import { eventColumns } from '../../shared/events/event-columns.ts'
import { EventCounts } from '../../shared/events/event-counts.ts'
import { parquetKey, rollupKey, sealKey } from '../../shared/events/event-keys.ts'
import { addHours, hourOf, hoursBetween, startOf } from '../../shared/events/hours.ts'
import { parquetFile } from '../../shared/events/parquet-file.ts'
import { RollupBuilder } from '../../shared/events/rollup-builder.ts'
import { UnsealedEvents } from '../../shared/events/unsealed-events.ts'
import { folderStore } from '../support/folder-store.ts'
import { Random } from '../support/random.ts'
import { sampleEvents } from '../support/sample-events.ts'
import { prices } from './cost/prices.ts'
import { load, machine } from './machine.ts'
import { median } from './median.ts'
import { answersOfTrace } from './trace-questions.ts'

const { values } = parseArgs({
  options: { events: { type: 'string', default: '10000000' }, folder: { type: 'string' } },
})
const count = Number(values.events)
const days = 90
/** The end of the data, and the time at which the questions are asked. */
const until = startOf('2026-12-01T00')
const from = until - days * dayMs
const rounds = 5

/** us-east-1: https://aws.amazon.com/athena/pricing/. */
const dollarsPerTerabyte = 5
const minScannedOctets = 10_000_000
/** S3 bills a list as it bills a PUT. */
const { s3Get, s3Put: s3List } = prices

const bucket = values.folder ?? mkdtempSync(join(tmpdir(), 'mailflow-asking-'))
const store = folderStore(bucket)
const shard = { shard: 0, shards: 1 }

/** Writes what seals write, hour by hour. */
async function generate(): Promise<void> {
  const random = new Random(1)
  const startedAt = Date.now()
  const hours = hoursBetween(hourOf(from), hourOf(until - 1))
  const days = new DayRollups(store)
  for (const [index, hour] of hours.entries()) {
    const ofHour =
      Math.floor(((index + 1) * count) / hours.length) - Math.floor((index * count) / hours.length)
    const span = { from: startOf(hour), to: startOf(hour) + hourMs - 5000 }
    const events = [...sampleEvents(ofHour, random, span)].sort(byPartnerAndTime)
    const rollup = new RollupBuilder()
    for (const event of events) rollup.add(event)
    await store.put(parquetKey(hour, shard, hour), parquetFile(events))
    await store.put(rollupKey(hour, shard, hour), gzipSync(JSON.stringify(rollup.build(hour, hour))))
    await store.put(sealKey(hour, shard), Buffer.from('{}'))
    if (hour.endsWith('T23')) {
      await days.store(hour.slice(0, 10))
      process.stderr.write(`\r${hour.slice(0, 10)}, ${Math.round((Date.now() - startedAt) / 1000)} s `)
    }
  }
  process.stderr.write('\n')
  writeFileSync(join(bucket, 'complete'), '')
}

function byPartnerAndTime(a: MailEvent, b: MailEvent): number {
  const [first, second] = [`${a.partner} ${a.at}`, `${b.partner} ${b.at}`]
  return first < second ? -1 : first > second ? 1 : 0
}

async function measure(): Promise<void> {
  const files = (await store.list('parquet/')).map(({ key, size }) => ({ key, size }))
  const octets = files.reduce((sum, { size }) => sum + size, 0)
  console.log(
    `${count} events of ${days} days: ${files.length} files, ${(octets / 1e6).toFixed(0)} MB, ${(octets / count).toFixed(0)} octets an event\n`,
  )
  console.log('| Question | median of 5 | first time | rows | USD on AWS |')
  console.log('|---|---|---|---|---|')
  await measureSearches(files)
  await measureReports()
  await measureTrails()
  await measureTrace()
}

const anything = {
  sender: null,
  recipient: null,
  domain: null,
  connector: null,
  direction: null,
  messageId: null,
  clientIp: null,
  minSize: null,
  tlsVersion: null,
  state: null,
  hash: null,
}

async function measureSearches(files: readonly { key: string }[]): Promise<void> {
  const connection = await openDuckDb(files)
  const known = await messageOf48DaysAgo()
  const period = { from: new Date(from), to: new Date(until) }
  const searches: [name: string, sql: string][] = [
    [
      'all mail to one recipient, 90 days',
      messageSearchSql('events', {
        ...anything,
        ...period,
        recipient: { kind: 'address', address: known.recipient },
      }),
    ],
    [
      'all mail with one partner, 90 days',
      messageSearchSql('events', { ...anything, ...period, domain: 'partner7.example' }),
    ],
    [
      'one Message-ID, 90 days',
      messageSearchSql('events', { ...anything, ...period, messageId: known.headerMessageId }),
    ],
    [
      'all mail with one partner, 7 days',
      messageSearchSql('events', {
        ...anything,
        from: new Date(until - 7 * dayMs),
        to: period.to,
        domain: 'partner7.example',
      }),
    ],
  ]
  for (const [name, sql] of searches) {
    const { times, result } = await timesOf(async () => (await connection.runAndReadAll(sql)).currentRowCount)
    const scanned = await scannedOctets(sql, files)
    const dollars = (Math.max(scanned, minScannedOctets) / 1e12) * dollarsPerTerabyte
    printRow(`search: ${name} (${(scanned / 1e6).toFixed(0)} MB)`, times, result, dollars)
  }
}

async function openDuckDb(files: readonly { key: string }[]): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  const connection = await instance.connect()
  const list = files.map(({ key }) => `'${join(bucket, key)}'`).join(', ')
  await connection.run(
    `CREATE VIEW events AS SELECT * REPLACE (make_timestamp_ms(epoch_ms("at")) AS "at"), CAST(date AS VARCHAR) AS day
     FROM read_parquet([${list}], hive_partitioning = true)`,
  )
  return connection
}

/** Octets of the columns in the SQL, in the files of its days: what Athena reads and bills. */
async function scannedOctets(sql: string, files: readonly { key: string }[]): Promise<number> {
  const columns = new Set<string>(
    eventColumns.map(({ name }) => name).filter((name) => new RegExp(`\\b${name}\\b`).test(sql)),
  )
  const ranges = [...sql.matchAll(/day BETWEEN '([\d-]+)' AND '([\d-]+)'/g)]
  const dayOf = (key: string) => /date=([\d-]+)/.exec(key)?.[1] ?? ''
  const read = files.filter(({ key }) =>
    ranges.some(([, first = '', last = '']) => first <= dayOf(key) && dayOf(key) <= last),
  )
  const every = Math.max(1, Math.floor(read.length / 40))
  const sample = read.filter((_, index) => index % every === 0)
  const sizes = await Promise.all(
    sample.map(async ({ key }) => {
      const octets = await store.get(key)
      const metadata: FileMetaData = parquetMetadata(
        octets.buffer.slice(octets.byteOffset, octets.byteOffset + octets.length) as ArrayBuffer,
      )
      return metadata.row_groups
        .flatMap((group) => group.columns)
        .filter(({ meta_data }) => columns.has(meta_data?.path_in_schema[0] ?? ''))
        .reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size ?? 0), 0)
    }),
  )
  return (sizes.reduce((sum, size) => sum + size, 0) / sample.length) * read.length
}

async function measureReports(): Promise<void> {
  const now = () => until + hourMs / 5
  const context = { acceptedDomains: new Set<string>(), connectorName: (id: string) => id }
  for (const [name, span] of [
    ['7 days', 7],
    ['90 days', 90],
  ] as const) {
    const requests = countRequests()
    const read = async (counts: EventCounts, first = until - span * dayMs) => {
      const counted = await counts.read(first, until)
      const report = { from: first, to: until, timeZone: 'UTC' }
      const filter = { partner: null, connectors: null }
      return countReport(countedReports['connector-tls'], counted.days, report, filter, context).rows.length
    }
    const { times, result } = await timesOf(() => {
      requests.reset()
      return read(new EventCounts(requests.store, new UnsealedEvents(requests.store, now)))
    })
    printRow(
      `report: connectors, ${name}, in a new process of the function`,
      times,
      result,
      requests.dollars(),
    )
    const warm = new EventCounts(requests.store, new UnsealedEvents(requests.store, now))
    await read(warm)
    const again = await timesOf(() => {
      requests.reset()
      return read(warm)
    })
    printRow(`report: connectors, ${name}, again`, again.times, again.result, requests.dollars())
  }
}

async function messageOf48DaysAgo(): Promise<{ id: string; headerMessageId: string; recipient: string }> {
  const hour = addHours(hourOf(from), 1000)
  const connection = await openDuckDb([{ key: parquetKey(hour, shard, hour) }])
  const found = await connection.runAndReadAll(
    "SELECT messageId, headerMessageId, recipient FROM events WHERE kind = 'Delivered' LIMIT 1",
  )
  const [id, headerMessageId, recipient] = (found.getRows()[0] ?? []).map(String)
  return { id: id ?? '', headerMessageId: headerMessageId ?? '', recipient: recipient ?? '' }
}

async function measureTrails(): Promise<void> {
  const now = () => until + hourMs / 5
  const { id } = await messageOf48DaysAgo()
  const requests = countRequests()
  const trails = new TrailReader(requests.store, new UnsealedEvents(requests.store, now))
  const { times, result } = await timesOf(async () => {
    requests.reset()
    return (await trails.read(id)).events.length
  })
  printRow('trail: one message of 48 days ago', times, result, requests.dollars())
}

/** The trace keeps two weeks, of the same rate of mail. */
async function measureTrace(): Promise<void> {
  const eventsOfRecipient = 3
  const perDay = Math.round(count / eventsOfRecipient / days)
  for (const { question, times, rows, dollars } of await answersOfTrace({ perDay, until, days: 14, rounds }))
    printRow(`trace in DynamoDB: ${question}`, times, rows, dollars)
}

function countRequests() {
  let gets = 0
  let lists = 0
  return {
    store: {
      ...store,
      get: (...args: Parameters<typeof store.get>) => {
        gets++
        return store.get(...args)
      },
      list: (prefix: string) => {
        lists++
        return store.list(prefix)
      },
    },
    reset() {
      gets = 0
      lists = 0
    },
    dollars: () => gets * s3Get.usd + lists * s3List.usd,
  }
}

async function timesOf<T>(work: () => Promise<T>): Promise<{ times: number[]; result: T }> {
  const times: number[] = []
  let result: T | undefined
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now()
    result = await work()
    times.push(performance.now() - startedAt)
  }
  return { times, result: result as T }
}

function printRow(name: string, times: readonly number[], rows: number, dollars: number): void {
  const ms = (time: number | undefined) => `${(time ?? 0).toFixed(0)} ms`
  console.log(`| ${name} | ${ms(median(times))} | ${ms(times[0])} | ${rows} | ${dollars.toFixed(6)} |`)
}

console.log(`${machine()}, load ${load()}\n`)
if (!existsSync(join(bucket, 'complete'))) await generate()
await measure()
if (values.folder === undefined) rmSync(bucket, { recursive: true })
