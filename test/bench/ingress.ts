/**
 * Messages a second through the real ingress process, beside bare smtp-server, in interleaved rounds: `npm run
 * bench:ingress [-- --rounds N --seconds N --profile DIR]`. Prints a Markdown table. Ingress, bare server,
 * storage stub and this load generator are processes of their own on one machine, so they share its cores.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { selfSigned } from '../support/pki.ts'
import { firstLine, freePort } from '../support/process.ts'
import { generateLoad, type LoadResult, sampleMessage } from './load.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    profile: { type: 'string' },
  },
})

const connections = 100
const storageMs = 10
const sizes = [4, 50]
const children: ChildProcess[] = []

try {
  const targets = await startTargets()
  for (const target of targets) await measure(target, 4, 2)
  const results = new Map<string, Measured[]>()
  for (let round = 0; round < Number(values.rounds); round++)
    for (const kilobytes of sizes)
      for (const target of targets) {
        const key = `${kilobytes} KB, ${target.name}`
        const result = await measure(target, kilobytes, Number(values.seconds))
        results.set(key, [...(results.get(key) ?? []), result])
      }
  console.log(report(results))
} finally {
  await Promise.all(children.map(stop))
}

interface Running {
  port: number
  pid: number
}

type Target = Running & { name: string }

/** A profile is of the ingress alone. */
async function startTargets(): Promise<Target[]> {
  const { cert, key } = await selfSigned({ names: ['mx.ours.example'] })
  const tls = { TLS_CERTIFICATE: cert, TLS_PRIVATE_KEY: key }
  const storage = await start('test/bench/storage-stub.ts', {}, [String(storageMs)])
  const endpoint = `http://127.0.0.1:${storage.port}`
  const bare = await start('test/bench/bare-server.ts', tls)
  const ingress = await start('functions/smtp-ingress/main.ts', {
    ...tls,
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    MAIL_HOSTNAME: 'mx.ours.example',
    CONNECTORS_TABLE: 'connectors',
    TRANSPORT_TABLE: 'transport',
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: `${endpoint}/000000000000/evaluation`,
    LISTEN_ADDRESS: '127.0.0.1',
    // The load comes from one address, and those of the round before may still be closing.
    MAX_CONNECTIONS_PER_ADDRESS: String(2 * connections),
    SMTP_PORT: String(await freePort()),
    HEALTH_PORT: String(await freePort()),
  })
  const mailflow: Target = { name: 'mailflow ingress', ...ingress }
  return values.profile ? [mailflow] : [mailflow, { name: 'bare smtp-server', ...bare }]
}

/** Each program names its port in its first line. */
async function start(
  program: string,
  environment: Record<string, string>,
  args: string[] = [],
): Promise<Running> {
  const profile =
    values.profile && program.includes('main.ts') ? ['--cpu-prof', `--cpu-prof-dir=${values.profile}`] : []
  const child = spawn(process.execPath, [...profile, program, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const line = await firstLine(child)
  const port = Number(/^\d+$/.test(line) ? line : JSON.parse(line).smtpPort)
  return { port, pid: child.pid ?? 0 }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

interface Measured extends LoadResult {
  /** Processor time of the server for each message, in microseconds: what load by others does not change much. */
  cpu: number
}

async function measure({ port, pid }: Running, kilobytes: number, seconds: number): Promise<Measured> {
  const before = processorTime(pid)
  const message = sampleMessage(kilobytes * 1024)
  const result = await generateLoad({ port, connections, duration: seconds * 1000, message })
  return { ...result, cpu: (processorTime(pid) - before) / result.count }
}

/** Microseconds, from Linux's /proc in units of 10 ms; other systems have none. */
function processorTime(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) * 10_000
  } catch {
    return Number.NaN
  }
}

function report(results: ReadonlyMap<string, readonly Measured[]>): string {
  const rows = [...results].map(([key, rounds]) => {
    const rates = rounds.map(({ perSecond }) => perSecond)
    const range = `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`
    const middle = (figure: keyof Measured) => median(rounds.map((round) => round[figure]))
    const times = `${middle('p50').toFixed(1)} ms | ${middle('p99').toFixed(1)} ms`
    return `| ${key} | ${Math.round(middle('perSecond'))} | ${range} | ${times} | ${Math.round(middle('cpu'))} µs |`
  })
  const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, load average at the end ${loadavg()[0]?.toFixed(1)}`
  const conditions = `${connections} connections, storage answers in ${storageMs} ms, ${values.rounds} rounds of ${values.seconds} s`
  return [
    `${machine}; ${conditions}; medians of rounds.`,
    '',
    '| | messages/s | range | p50 | p99 | server CPU a message |',
    '|---|---:|---:|---:|---:|---:|',
    ...rows,
  ].join('\n')
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
