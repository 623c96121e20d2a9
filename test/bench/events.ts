/**
 * Measures record-events and seal-hour, and whether DuckDB and hyparquet read the same: `npm run bench:events [-- --sizes
 * 100000,1000000]`. Prints a Markdown table. Each measurement is a process of its own, and the bucket is a folder. The
 * measure is the processor time of that process.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { recordEvents } from '../../functions/record-events/record-events.ts'
import { sealShard } from '../../functions/seal-hour/seal-shard.ts'
import { jobBody } from '../../shared/contract/jobs.ts'
import { splitIntoParts } from '../../shared/contract/parts.ts'
import { parquetPrefix, rawPrefix, rollupPrefix } from '../../shared/events/event-keys.ts'
import { addHours, startOf } from '../../shared/events/hours.ts'
import { readIds } from '../../shared/events/read-parquet.ts'
import { folderStore } from '../support/folder-store.ts'
import { eventOfQueue } from '../support/lambda.ts'
import { Random } from '../support/random.ts'
import { sampleEvents } from '../support/sample-events.ts'
import { noRecipients } from '../support/sealed-events.ts'
import { load, machine } from './machine.ts'

const hour = '2026-11-30T20'
/** Octets of the events of one invocation: Lambda takes 6 MB, in which JSON escapes the quotation marks. */
const batchOctets = 4_800_000
const bodyOctets = 60_000

interface Result {
  events: number
  processorSeconds: number
  seconds: number
  /** The largest resident memory, in MiB. */
  memory: number
}

const { values, positionals } = parseArgs({
  options: { sizes: { type: 'string', default: '100000,1000000' } },
  allowPositionals: true,
})
const [part, folder, count] = positionals

if (part === undefined) await main()
else {
  const work = part === 'record' ? record : seal
  console.log(JSON.stringify(await work(folder as string, Number(count))))
}

async function main(): Promise<void> {
  console.log(`${machine()}, load ${load()}\n`)
  console.log(
    '| events | record: events/s and core | memory | raw, octets an event | seal: events/s and core | time | memory | Parquet, octets an event | rollups, octets | DuckDB: one report |',
  )
  console.log('|---|---|---|---|---|---|---|---|---|---|')
  for (const size of values.sizes.split(',')) {
    const bucket = mkdtempSync(join(tmpdir(), 'mailflow-events-'))
    try {
      const recorded = run('record', bucket, size)
      const sealed = run('seal', bucket, size)
      const files = await folderStore(bucket).list(parquetPrefix(hour))
      const duckdb = await readWithDuckDb(bucket)
      const ids = (await Promise.all(files.map((file) => readIds(folderStore(bucket), file)))).flat()
      if (duckdb.rows !== Number(size) || new Set(ids).size !== Number(size))
        throw new Error(`DuckDB read ${duckdb.rows} rows, hyparquet ${new Set(ids).size} of ${size}`)
      const octetsOf = async (prefix: string) =>
        (await folderStore(bucket).list(prefix)).reduce((sum, object) => sum + object.size, 0)
      const row = [
        size,
        rate(recorded),
        `${recorded.memory} MiB`,
        ((await octetsOf(rawPrefix(hour))) / Number(size)).toFixed(0),
        rate(sealed),
        `${sealed.seconds.toFixed(1)} s`,
        `${sealed.memory} MiB`,
        ((await octetsOf(parquetPrefix(hour))) / Number(size)).toFixed(0),
        String(await octetsOf(rollupPrefix(hour))),
        `${duckdb.ms.toFixed(0)} ms`,
      ]
      console.log(`| ${row.join(' | ')} |`)
    } finally {
      rmSync(bucket, { recursive: true })
    }
  }
  console.log(`\nload ${load()} at the end`)
}

function rate({ events, processorSeconds }: Result): string {
  return Math.round(events / processorSeconds).toString()
}

function run(name: string, bucket: string, size: string): Result {
  const { stdout, stderr, status } = spawnSync(process.execPath, [import.meta.filename, name, bucket, size], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

/** Measures the processor time of the work only, without that of the sample events. */
async function record(bucket: string, events: number): Promise<Result> {
  const result = { events: 0, processorSeconds: 0, seconds: 0, memory: 0 }
  let bodies: string[] = []
  let octets = 0
  const invoke = async () => {
    const before = process.cpuUsage()
    const startedAt = performance.now()
    const { batchItemFailures } = await recordEvents(eventOfQueue('events', ...bodies), {
      store: folderStore(bucket),
      addresses: async () => null,
      rejected: { store: async () => {} },
      source: { delay: async () => [], sendToDeadLetters: async () => {} },
      logger: { info: () => {}, error: (...texts) => console.error(...texts) },
      countFailing: () => {},
      now: () => startOf(hour),
    })
    if (batchItemFailures.length > 0) throw new Error('a batch failed')
    const { user, system } = process.cpuUsage(before)
    result.processorSeconds += (user + system) / 1e6
    result.seconds += (performance.now() - startedAt) / 1000
    bodies = []
    octets = 0
  }
  const lines: string[] = []
  const pack = () => {
    for (const body of splitIntoParts(
      { items: Infinity, octets: bodyOctets },
      lines.splice(0),
      Buffer.byteLength,
    ))
      bodies.push(body.join(''))
  }
  for (const event of sampleEvents(events, new Random(events), {
    from: startOf(hour),
    to: startOf(addHours(hour, 1)) - 4000,
  })) {
    const line = `${jobBody(event)}\n`
    lines.push(line)
    octets += line.length
    result.events += 1
    if (octets < batchOctets) continue
    pack()
    await invoke()
  }
  pack()
  await invoke()
  return { ...result, memory: maxMemory() }
}

async function seal(bucket: string, events: number): Promise<Result> {
  const startedAt = performance.now()
  const marker = await sealShard(
    hour,
    { shard: 0, shards: 1 },
    {
      store: folderStore(bucket),
      addresses: async () => null,
      recipients: noRecipients,
      changeEvents: async () => [],
    },
  )
  if (marker.events !== events) throw new Error(`sealed ${marker.events} of ${events} events`)
  const { user, system } = process.cpuUsage()
  const seconds = (performance.now() - startedAt) / 1000
  return { events, processorSeconds: (user + system) / 1e6, seconds, memory: maxMemory() }
}

function maxMemory(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024)
}

async function readWithDuckDb(bucket: string): Promise<{ rows: number; ms: number }> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const files = `read_parquet('${bucket}/parquet/**/*.parquet', hive_partitioning = true)`
  const startedAt = performance.now()
  const report = await connection.runAndReadAll(
    `SELECT partner, tlsVersion, "group", count(*)::INTEGER AS n, sum(size) AS octets FROM ${files} WHERE date = '2026-11-30' GROUP BY ALL`,
  )
  const ms = performance.now() - startedAt
  return { rows: report.getRowObjects().reduce((sum, row) => sum + Number(row.n), 0), ms }
}
