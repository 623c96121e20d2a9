/**
 * How long a decision takes, and whether that depends on the number of connectors. All sizes take turns in one
 * process, so that what else the machine does falls on each of them; the medians' ratios are what counts.
 *
 *     npm run bench:policy -- --rounds 25 --milliseconds 100
 */
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { admit } from '../../shared/policy/admit.ts'
import { evaluate, sessionOf } from '../../shared/policy/evaluate.ts'
import { explainer } from '../../shared/policy/explain.ts'
import { judgeInbound } from '../../shared/policy/inbound.ts'
import { compileSnapshot, type Snapshot } from '../../shared/policy/snapshot.ts'
import { minutesLater } from '../support/fixtures.ts'
import { connectorSet, type Mail, mailFor } from './policy-world.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    milliseconds: { type: 'string', default: '50' },
    sizes: { type: 'string', default: '10,1000,100000' },
  },
})
const rounds = Number(options.rounds)
const milliseconds = Number(options.milliseconds)
const sizes = options.sizes.split(',').map(Number)

const settings = { defaultRoute: 'Mx' } as const
const now = minutesLater(1)

/** What is measured, of one message with one recipient; the answer is kept, so that nothing is optimised away. */
const work: Record<string, (snapshot: Snapshot, mail: Mail) => unknown> = {
  'judgement at RCPT TO': (snapshot, { message, recipient }) =>
    admit(snapshot, judgeInbound(snapshot, sessionOf(message, message.source?.ip ?? '')), recipient.address)
      .action,
  verdict: (snapshot, { message, recipient }) =>
    evaluate(snapshot, settings, message, [recipient], now)[0]?.action,
  'explanation for the trace': (snapshot, { message, recipient }) =>
    explainer(snapshot, message)(recipient.address).length,
}

interface World {
  size: number
  snapshot: Snapshot
  mail: Mail[]
}

let worldsBuilt = 0
const worlds = sizes.map(build)
const kinds = Object.keys(work)
const times = new Map(worlds.flatMap(({ size }) => kinds.map((kind) => [`${kind} ${size}`, [] as number[]])))

for (const kind of kinds) for (const world of worlds) run(kind, world, 10 * milliseconds)
for (let round = 0; round < rounds; round++)
  for (const kind of kinds)
    for (const world of worlds) times.get(`${kind} ${world.size}`)?.push(run(kind, world, milliseconds))

console.log(`\n${rounds} rounds of ${milliseconds} ms, medians, nanoseconds of processor time\n`)
for (const kind of kinds) {
  const medians = sizes.map((size) => median(times.get(`${kind} ${size}`) ?? []))
  const ratio = (medians.at(-1) as number) / (medians[0] as number)
  row(kind, ...medians.map((value) => value.toFixed(0)), `× ${ratio.toFixed(2)}`)
}
console.log(
  `\nNode ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}`,
)

/** @returns nanoseconds a decision, of this thread's processor time: what other programs do is not in it */
function run(kind: string, { snapshot, mail }: World, forMs: number): number {
  const decide = work[kind] as (snapshot: Snapshot, mail: Mail) => unknown
  let [decisions, answers] = [0, 0]
  let microseconds = 0
  const before = process.threadCpuUsage()
  while (microseconds < forMs * 1000) {
    for (const one of mail) if (decide(snapshot, one)) answers++
    decisions += mail.length
    const { user, system } = process.threadCpuUsage(before)
    microseconds = user + system
  }
  if (answers !== decisions) throw new Error(`${kind}: ${decisions - answers} decisions had no answer`)
  return (microseconds * 1000) / decisions
}

function build(size: number): World {
  const set = connectorSet(size)
  compileSnapshot(set)
  const compileMs = median(Array.from({ length: 5 }, () => timed(() => compileSnapshot(set))))
  const before = heapUsed()
  const snapshot = compileSnapshot(set)
  const megabytes = (heapUsed() - before) / 2 ** 20
  if (worldsBuilt++ === 0) row('connectors', 'compiled in ms', 'snapshot in MiB')
  row(String(size), compileMs.toFixed(2), megabytes.toFixed(2))
  return { size, snapshot, mail: mailFor(size / 2, 1000) }
}

function timed(task: () => unknown): number {
  const started = performance.now()
  task()
  return performance.now() - started
}

function heapUsed(): number {
  if (!globalThis.gc) throw new Error('Run with --expose-gc, as npm run bench:policy does.')
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[sorted.length >> 1] as number
}

function row(...cells: string[]): void {
  console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(28) : cell.padStart(16))).join(''))
}
