/**
 * Measures how a process reads many connectors: at its start, after one change, and while 1,000 changes are applied.
 * `npm run bench:connectors [-- --size 100000]` limits the heap to that of a function with 512 MB. Prints a Markdown table
 * of processor time, requests and octets. The table and the bucket are another process.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createSnapshotObject } from '../../shared/connectors-table/snapshot-object.ts'
import { SnapshotReader } from '../../shared/connectors-table/snapshot-reader.ts'

const { values } = parseArgs({ options: { size: { type: 'string', default: '100000' } } })
const size = Number(values.size)
if (!globalThis.gc) throw new Error('Run with --expose-gc, as npm run bench:connectors does.')
const collect = globalThis.gc

const server = spawn(
  process.execPath,
  [new URL('connectors-server.ts', import.meta.url).pathname, values.size],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
)
const [line] = (await once(server.stdout, 'data')) as [Buffer]
const [endpoint = '', objectOctets] = line.toString().trim().split(' ')
const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' }
const documents = DynamoDBDocumentClient.from(
  new DynamoDBClient({ endpoint, region: 'eu-west-1', credentials }),
)
const object = createSnapshotObject(
  { bucket: 'snapshots', region: async () => 'eu-west-1', credentials: async () => credentials, endpoint },
  (error) => {
    throw error
  },
)
const row = (...cells: (string | number)[]) => console.log(`| ${cells.join(' | ')} |`)

async function measure(name: string, work: () => Promise<unknown>): Promise<void> {
  await (await fetch(`${endpoint}/counts`)).json()
  collect()
  const [before, startedAt] = [process.cpuUsage(), performance.now()]
  await work()
  const { user, system } = process.cpuUsage(before)
  const wallMs = performance.now() - startedAt
  const { pages, octets } = (await (await fetch(`${endpoint}/counts`)).json()) as Record<string, number>
  collect()
  const { rss, heapUsed } = process.memoryUsage()
  row(
    name,
    ((user + system) / 1000).toFixed(0),
    wallMs.toFixed(0),
    pages ?? 0,
    megabytes(octets ?? 0),
    megabytes(heapUsed),
    megabytes(rss),
    megabytes(process.resourceUsage().maxRSS * 1024),
  )
}

const megabytes = (octets: number): string => (octets / 1e6).toFixed(octets < 1e6 ? 3 : 1)
const setVersion = (version: number) =>
  fetch(`${endpoint}/version`, { method: 'POST', body: String(version) })

console.log(`${size} connectors; the object has ${megabytes(Number(objectOctets))} MB\n`)
row('', 'processor ms', 'ms', 'requests', 'MB read', 'heap MB', 'RSS MB', 'largest RSS MB')
row('---', ...Array(7).fill('---:'))
let reader = new SnapshotReader(documents, 'connectors', { object })
await measure('start from the object', () => reader.current())
for (const number of [1, 2, 3]) {
  await setVersion(size + number)
  await measure('one change', () => reader.current())
}
await setVersion(size + 1003)
await measure('1,000 changes at once', () => reader.current())
await measure('1,000 changes, 50 in each of 20 seconds', async () => {
  for (let second = 1; second <= 20; second++) {
    await setVersion(size + 1003 + second * 50)
    await reader.current()
  }
})
await measure('no change', () => reader.current())
reader = new SnapshotReader(documents, 'connectors')
await measure('start from the table', () => reader.current())
documents.destroy()
server.kill()
