/**
 * Measures how long the command line takes to start: `npm run bench:cli [-- --starts N --before DIR]`. Prints the
 * median wall times as a Markdown table. `first` starts with an empty compile cache, `next` with a filled one. A server
 * in this process answers the requests at once. `--before` also measures another checkout. All rows alternate. The
 * command exits with 1 if a median of `next` in this checkout is above its limit, so run it on a quiet machine.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { recipientKey } from '../../shared/messages/message-keys.ts'
import { traceEntry } from '../../shared/messages/trace-entry.ts'
import { startAnsweringServer } from '../support/cli/mailflow.ts'
import { inbound, message, outbound } from '../support/fixtures.ts'
import { load, machine } from './machine.ts'
import { median } from './median.ts'

const { values } = parseArgs({
  options: { starts: { type: 'string', default: '15' }, before: { type: 'string' } },
})
const starts = Number(values.starts)
const here = join(import.meta.dirname, '../..')
const checkouts = [here, ...(values.before === undefined ? [] : [values.before])]

interface Row {
  readonly name: string
  readonly command: (checkout: string) => readonly string[]
  /** Milliseconds. */
  readonly limit?: number
}

const mailflow =
  (...args: string[]): Row['command'] =>
  (checkout) => [process.execPath, join(checkout, 'cli/mailflow.js'), ...args]

const rows: Row[] = [
  { name: '`node -e 0`', command: () => [process.execPath, '-e', '0'] },
  { name: '`--version`', command: mailflow('--version'), limit: 300 },
  { name: '`--help`', command: mailflow('--help'), limit: 300 },
  { name: '`connectors list`', command: mailflow('connectors', 'list'), limit: 500 },
  { name: '`messages`', command: mailflow('messages'), limit: 500 },
  { name: '`npx mailflow --version`', command: () => ['npx', 'mailflow', '--version'] },
]

const entries = Array.from({ length: 50 }, () => {
  const sent = message()
  return traceEntry(sent, [recipientKey(sent.id, 'a@ours.example')], new Map())
})
const lists: Record<string, unknown[]> = {
  '/inbound-connectors': [inbound()],
  '/outbound-connectors': [outbound()],
  '/messages': entries,
}
const server = await startAnsweringServer(({ url = '' }) => ({
  body: JSON.stringify({ items: lists[url.split('?')[0] ?? ''] ?? [], nextCursor: null }),
}))
const caches = mkdtempSync(join(tmpdir(), 'mailflow-bench-'))

/** @returns milliseconds */
async function timeOf(command: readonly string[], checkout: string, cache: string): Promise<number> {
  const [file = '', ...args] = command
  const env = { ...process.env, MAILFLOW_API: server.url, NODE_COMPILE_CACHE: cache }
  const startedAt = performance.now()
  const child: ChildProcess = spawn(file, args, {
    cwd: checkout,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [status] = await once(child, 'exit')
  if (status !== 0) throw new Error(`${command.join(' ')} exits with ${status}`)
  return performance.now() - startedAt
}

const times = new Map<string, number[]>()
const keyOf = (...parts: string[]): string => parts.join(' ')

async function measure(row: Row, checkout: string): Promise<void> {
  const cache = join(caches, String(checkouts.indexOf(checkout)), String(rows.indexOf(row)))
  for (const start of ['first', 'next']) {
    if (start === 'first') rmSync(cache, { recursive: true, force: true })
    const key = keyOf(row.name, checkout, start)
    const time = await timeOf(row.command(checkout), checkout, cache)
    times.set(key, [...(times.get(key) ?? []), time])
  }
}

try {
  for (let round = 0; round < starts; round++)
    for (const row of rows) for (const checkout of checkouts) await measure(row, checkout)
} finally {
  server.stop()
  rmSync(caches, { recursive: true })
}

const medianOf = (row: Row, checkout: string, start: string): number =>
  median(times.get(keyOf(row.name, checkout, start)) ?? [])

const cell = (row: Row, checkout: string): string =>
  ['first', 'next'].map((start) => medianOf(row, checkout, start).toFixed(0)).join(' | ')

console.log(`${machine()}, load ${load()}, medians of ${starts} starts in ms\n`)
console.log(
  `| Command | ${checkouts.map((_, index) => (index === 0 ? 'first | next' : 'before: first | next')).join(' | ')} | limit |`,
)
console.log(`|---|${checkouts.map(() => '---:|---:|').join('')}---:|`)
for (const row of rows)
  console.log(
    `| ${row.name} | ${checkouts.map((checkout) => cell(row, checkout)).join(' | ')} | ${row.limit ?? ''} |`,
  )

const slow = rows.filter((row) => medianOf(row, here, 'next') > (row.limit ?? Number.POSITIVE_INFINITY))
for (const { name } of slow) console.error(`${name} is above its limit`)
process.exitCode = slow.length > 0 ? 1 : 0
