/**
 * Measures the time of a decision, and whether it depends on the number of connectors: `npm run bench:policy [--
 * --rounds N --milliseconds N --sizes 10,1000,100000]`. Prints Markdown tables. All sizes alternate in one process. The
 * measure is this thread's processor time, so that other load has little effect. Compare the ratio of the medians.
 */
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { admitRecipient } from '../../shared/policy/admit-recipient.ts'
import { evaluate, sessionOf } from '../../shared/policy/evaluate.ts'
import { createExplainer } from '../../shared/policy/explain/explain.ts'
import { evaluateInbound } from '../../shared/policy/inbound.ts'
import { type ConnectorSet, compileSnapshot, type Snapshot } from '../../shared/policy/snapshot.ts'
import { inboundWarnings } from '../../shared/policy/warnings/warnings.ts'
import { chainFault } from '../../shared/tls/chain.ts'
import { mailPurposes } from '../../shared/tls/purpose.ts'
import { minutesLater } from '../support/fixtures.ts'
import { connectorSet, type Mail, mailFor, privateChains, savedConnectors } from './policy-fixtures.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    milliseconds: { type: 'string', default: '100' },
    sizes: { type: 'string', default: '10,1000,100000' },
  },
})
const rounds = Number(values.rounds)
const milliseconds = Number(values.milliseconds)
const sizes = values.sizes.split(',').map(Number)
const settings = { defaultRoute: 'Mx' } as const
const now = minutesLater(1)

/** Decides one message with one recipient. The result is used, so that no work can be optimised away. */
type Decide = (snapshot: Snapshot, mail: Mail) => unknown

const work = new Map<string, Decide>([
  [
    'decision at RCPT TO',
    (snapshot, { message, recipient }) => {
      const evaluation = evaluateInbound(snapshot, sessionOf(message, message.source?.ip ?? ''))
      return admitRecipient(snapshot, evaluation, recipient.address).action
    },
  ],
  [
    'verdict',
    (snapshot, { message, recipient }) =>
      evaluate({ snapshot, settings, message, recipients: [recipient], now })[0]?.action,
  ],
  [
    'explanation for the trace',
    (snapshot, { message, recipient }) =>
      createExplainer(snapshot, message)({ recipient, reason: 'ConnectorMatched', lowered: [] }).length,
  ],
])

console.log(`Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model}, load ${load()}\n`)
const setups = sizes.map(prepare)
decisions()
await chains()
console.log(`\nload ${load()} at the end`)

interface PolicySetup {
  size: number
  snapshot: Snapshot
  mail: Mail[]
}

/**
 * Measures the work after a change of the connectors (compiling) and before a write (the comparison with all other
 * connectors).
 */
function prepare(size: number): PolicySetup {
  if (size === sizes[0])
    head(
      'connectors',
      'heap of the connectors',
      'compiled in',
      'heap of the snapshot',
      'warnings on save',
      'for `*`',
    )
  const empty = heapUsed()
  const set = connectorSet(size)
  const connectorsHeap = heapUsed() - empty
  const compileTime = medianTimeOf(() => compileSnapshot(set))
  const before = heapUsed()
  const snapshot = compileSnapshot(set)
  const snapshotHeap = heapUsed() - before
  const [partnerTime, everyDomainTime] = [savedConnectors.onePartner, savedConnectors.everyDomain].map(
    (connector) => medianTimeOf(() => warn(connector, set)),
  )
  row(
    size.toLocaleString('en'),
    mebibytes(connectorsHeap),
    ms(compileTime),
    mebibytes(snapshotHeap),
    ms(partnerTime),
    ms(everyDomainTime),
  )
  return { size, snapshot, mail: mailFor(size / 2, 1000) }
}

function warn(connector: (typeof savedConnectors)['onePartner'], set: ConnectorSet): void {
  if (inboundWarnings(connector, set, now).length === 0) throw new Error('There are no warnings.')
}

function decisions(): void {
  const times = new Map<string, number[]>()
  const measure = (forMs: number, isRecorded: boolean) => {
    for (const [kind, decide] of work)
      for (const setup of setups) {
        const time = nanoseconds(decide, setup, forMs)
        const key = `${kind} ${setup.size}`
        if (isRecorded) times.set(key, [...(times.get(key) ?? []), time])
      }
  }
  measure(10 * milliseconds, false)
  for (let round = 0; round < rounds; round++) measure(milliseconds, true)
  console.log(`\nmedians of ${rounds} rounds of ${milliseconds} ms, ns of processor time\n`)
  head('', ...sizes.map((size) => size.toLocaleString('en')), 'last to first')
  for (const kind of work.keys()) {
    const medians = sizes.map((size) => median(times.get(`${kind} ${size}`) ?? []))
    const ratio = (medians.at(-1) as number) / (medians[0] as number)
    row(kind, ...medians.map((time) => time.toFixed(0)), ratio.toFixed(2))
  }
}

function nanoseconds(decide: Decide, { snapshot, mail }: PolicySetup, forMs: number): number {
  let [decisionCount, resultCount, microseconds] = [0, 0, 0]
  const before = process.threadCpuUsage()
  while (microseconds < forMs * 1000) {
    for (const message of mail) if (decide(snapshot, message)) resultCount++
    decisionCount += mail.length
    microseconds = microsecondsSince(before)
  }
  if (resultCount !== decisionCount) throw new Error(`${decisionCount - resultCount} decisions had no result`)
  return (microseconds * 1000) / decisionCount
}

/** Measures the additional cost of a connector with its own authority, with a new chain each time. */
async function chains(): Promise<void> {
  console.log('')
  head("a connector's own authority", 'µs per certificate')
  for (const { name, chain, authorities } of await privateChains()) {
    const check = () => {
      const before = process.threadCpuUsage()
      for (let times = 0; times < 1000; times++)
        if (chainFault(mailPurposes, [...chain], authorities, new Date()) !== null)
          throw new Error('The chain does not lead to an authority.')
      return microsecondsSince(before) / 1000
    }
    row(name, median(Array.from({ length: rounds }, check)).toFixed(0))
  }
}

/** @returns the median in milliseconds of wall-clock time: processor time is counted too coarsely for one task */
function medianTimeOf(task: () => unknown): number {
  const times = Array.from({ length: 9 }, () => {
    const before = performance.now()
    task()
    return performance.now() - before
  })
  return median(times)
}

/** @returns microseconds of processor time */
function microsecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before)
  return user + system
}

function heapUsed(): number {
  if (!globalThis.gc) throw new Error('Run with --expose-gc, as npm run bench:policy does.')
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] as number
}

function load(): string {
  return (loadavg()[0] ?? 0).toFixed(1)
}

function mebibytes(octets: number): string {
  return octets < 2 ** 20 / 10 ? 'under 0.1 MiB' : `${(octets / 2 ** 20).toFixed(1)} MiB`
}

function ms(value: number | undefined): string {
  return `${(value ?? 0).toFixed((value ?? 0) < 10 ? 1 : 0)} ms`
}

function head(...cells: string[]): void {
  row(...cells)
  console.log(`|---|${'---:|'.repeat(cells.length - 1)}`)
}

function row(...cells: string[]): void {
  console.log(`| ${cells.join(' | ')} |`)
}
