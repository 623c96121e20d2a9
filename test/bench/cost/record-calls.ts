/** Runs the real stack under load, and records what it calls of AWS for each message. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { MeasuredInvocation } from '../../../infra/local/lambda/function.ts'
import { load, machine } from '../machine.ts'
import { type CallPart, resourceName, type Signature } from './aws-call.ts'
import { startRecorder } from './call-recorder.ts'
import { BatchSums, noAmounts, PartSums, scale } from './call-statistics.ts'
import { latenciesMs, partnerReplyMs } from './latencies.ts'
import { type Setup, startSetup } from './load-setup.ts'
import { metricsIn } from './log-metrics.ts'
import type { Call, IdleRecording, RecordedFunction, Recording, Route } from './recording.ts'
import { LoadSender } from './send-load.ts'
import { readStackFacts, type StackFacts } from './stack-facts.ts'

export interface RecordingOptions {
  readonly route: Route
  readonly messagesPerSecond: number
  /** Seconds of the recorded load. */
  readonly seconds: number
  readonly messageOctets: number
  /** Number of bursts that follow. */
  readonly bursts?: number
}

/** The unit of the requests that Lambda's pollers make on AWS. */
export const pollerUnit = 'event-source'
export const ingressUnit = 'smtp-ingress'

/** Names of the values of an invocation, beside those of parts. */
const cpu = 'cpu'
const wait = 'wait'

/** What happened in one unit. */
class UnitSums {
  /** Invocations for batches of jobs. */
  readonly batches = new BatchSums()
  readonly jobsByQueue = new Map<string, number>()
  /** Calls of other work: of the ingress, of the pollers. */
  readonly calls = new PartSums()
  invocations = 0
  readonly coldStartsMs: number[] = []
  readonly services = new Map<string, string>()
  /** Calls by partition, by the name of the part. */
  readonly partitions = new Map<string, Map<string, number>>()

  countPartition({ operation, resource, key, partition }: CallPart): void {
    if (partition === '') return
    const name = JSON.stringify([operation, resource, key])
    const counts = this.partitions.get(name) ?? new Map<string, number>()
    counts.set(partition, (counts.get(partition) ?? 0) + 1)
    this.partitions.set(name, counts)
  }

  hottestShare(name: string): number {
    const counts = [...(this.partitions.get(name) ?? new Map<string, number>()).values()]
    const sum = counts.reduce((total, count) => total + count, 0)
    return sum === 0 ? 0 : Math.max(...counts) / sum
  }
}

/** `Load` records what messages need. `Burst` records batches only. */
type Phase = 'Setup' | 'Idle' | 'Load' | 'Burst'

class Collector {
  phase: Phase = 'Setup'
  readonly units = new Map<string, UnitSums>()
  readonly #unitOf: (name: string) => string
  /** Parts of requests of the invocation that runs in an execution environment. */
  readonly #open = new Map<string, [service: string, part: CallPart][]>()

  constructor(unitOf: (name: string) => string) {
    this.#unitOf = unitOf
  }

  unit(name: string): UnitSums {
    const sums = this.units.get(name) ?? new UnitSums()
    this.units.set(name, sums)
    return sums
  }

  failure: Error | null = null

  onFailure(error: Error): void {
    this.failure ??= error
  }

  onCall({ accessKey, service, sessionToken }: Signature, parts: readonly CallPart[]): void {
    if (this.phase === 'Setup') return
    for (const part of parts) {
      // The runner's own reader of notices.
      if (part.resource === 'notices') continue
      // Canaries are a part of the idle stack.
      if (part.key.startsWith('canary') && this.phase !== 'Idle') continue
      this.unit(this.#unitOf(accessKey)).countPartition(part)
      if (sessionToken !== undefined) {
        this.#open.set(sessionToken, [...(this.#open.get(sessionToken) ?? []), [service, part]])
        continue
      }
      if (this.phase === 'Burst') continue
      const unit = this.unit(this.#unitOf(accessKey))
      unit.calls.add(part)
      unit.services.set(JSON.stringify([part.operation, part.resource, part.key]), service)
    }
  }

  onInvocation({ name, environment, event, durationMs, cpuMs, coldStartMs }: MeasuredInvocation): void {
    const parts = this.#open.get(environment) ?? []
    this.#open.delete(environment)
    if (this.phase === 'Setup') return
    const unit = this.unit(this.#unitOf(name))
    if (this.phase !== 'Burst') unit.invocations += 1
    if (coldStartMs !== null) unit.coldStartsMs.push(coldStartMs)
    for (const [service, { operation, resource, key }] of parts)
      unit.services.set(JSON.stringify([operation, resource, key]), service)
    const { Records: records = [] } = event as { Records?: { eventSourceARN: string }[] }
    if (records.length === 0 || this.phase === 'Idle') {
      if (this.phase !== 'Burst') for (const [, part] of parts) unit.calls.add(part)
      return
    }
    if (this.phase === 'Load') {
      const queue = resourceName(records[0]?.eventSourceARN.split(':').at(-1) ?? '')
      unit.jobsByQueue.set(queue, (unit.jobsByQueue.get(queue) ?? 0) + records.length)
    }
    // The first invocation of an environment loads caches, which later ones use.
    if (coldStartMs !== null) return
    unit.batches.add(records.length, valuesOf(parts, cpuMs, durationMs))
  }
}

function valuesOf(
  parts: readonly (readonly [service: string, part: CallPart])[],
  cpuMs: number,
  durationMs: number,
): Map<string, number> {
  const values = new Map([
    [cpu, cpuMs],
    [wait, Math.max(0, durationMs - cpuMs)],
  ])
  for (const [, part] of parts)
    for (const amount of ['requests', 'entries', 'units', 'octets'] as const) {
      const name = JSON.stringify([part.operation, part.resource, part.key, amount])
      values.set(name, (values.get(name) ?? 0) + part[amount])
    }
  return values
}

/** Sessions with the ingress. */
const sessions = 8
/** Bursts make large batches, so that the needs of a batch and of its messages can be told apart. */
const burstOptions = { count: 10, messages: 30, pauseMs: 1500 }

/** @param progress receives a line for each phase */
export async function recordRoute(
  options: RecordingOptions,
  progress: (line: string) => void,
): Promise<Recording> {
  const { route, messagesPerSecond, seconds, messageOctets, bursts = burstOptions.count } = options
  return withStack(route, async ({ setup, collector, facts }) => {
    const sender = await LoadSender.open(setup, sessions, messageOctets)
    progress(`${route}: warming up`)
    await sender.sendFor(5, messagesPerSecond)
    await drain(setup, collector)
    progress(`${route}: ${messagesPerSecond} messages/s for ${seconds} s`)
    const [sentBefore, logsBefore] = [sender.sent, logSizes(setup, facts)]
    collector.phase = 'Load'
    await sender.sendFor(seconds, messagesPerSecond)
    await drain(setup, collector)
    const messages = sender.sent - sentBefore
    const logs = logsSince(setup, facts, logsBefore).map(({ unit, octets, lines }) => ({
      unit,
      octets: octets / messages,
      lines: lines / messages,
    }))
    progress(`${route}: bursts`)
    collector.phase = 'Burst'
    for (let burst = 0; burst < bursts; burst++) {
      await Promise.all(Array.from({ length: burstOptions.messages }, () => sender.send()))
      await delay(burstOptions.pauseMs)
    }
    await drain(setup, collector)
    await sender.close()
    return {
      route,
      recordedAt: new Date().toISOString(),
      conditions: {
        messagesPerSecond,
        seconds,
        messages,
        messageOctets,
        sessions,
        latenciesMs,
        partnerReplyMs,
        machine: machine(),
        loadAverage: load(),
      },
      calls: callsOf(collector, messages),
      functions: functionsOf(collector, messages),
      logs,
      metrics: metricsIn(readLogs(setup, facts)),
    }
  })
}

/** Records the stack without mail: the requests and metrics that do not depend on messages. Includes canaries. */
export async function recordIdle(seconds: number): Promise<IdleRecording> {
  return withStack('smart-host', async ({ setup, collector, facts }) => {
    await delay(2000)
    const logsBefore = logSizes(setup, facts)
    collector.phase = 'Idle'
    await delay(seconds * 1000)
    collector.phase = 'Setup'
    const units = [...collector.units]
    return {
      recordedAt: new Date().toISOString(),
      seconds,
      calls: units.flatMap(([unit, sums]) =>
        sums.calls.entries().map(([name, amounts]) => ({
          ...describe(unit, name, sums),
          perSecond: scale(amounts, 1 / seconds),
        })),
      ),
      invocationsPerSecond: Object.fromEntries(
        units
          .filter(([, { invocations }]) => invocations > 0)
          .map(([unit, { invocations }]) => [unit, invocations / seconds]),
      ),
      logs: logsSince(setup, facts, logsBefore).map(({ unit, octets, lines }) => ({
        unit,
        octets: octets / seconds,
        lines: lines / seconds,
      })),
      metrics: metricsIn(readLogs(setup, facts)),
    }
  })
}

interface Stack {
  readonly setup: Setup
  readonly collector: Collector
  readonly facts: StackFacts
}

async function withStack<T>(route: Route, use: (stack: Stack) => Promise<T>): Promise<T> {
  const facts = readStackFacts()
  const collector = new Collector((name) => unitOf(facts, name))
  let setup: Setup | null = null
  const stop = startRecorder(facts.indexes, collector)
  try {
    setup = await startSetup(route)
    return await use({ setup, collector, facts })
  } finally {
    stop()
    await setup?.stop()
  }
}

/** @param name the access key of a request, or the name of a function */
function unitOf({ functions }: StackFacts, name: string): string {
  if (name === 'ingress') return ingressUnit
  if (name === 'local') return pollerUnit
  return functions.find(({ logicalId }) => logicalId === name)?.unit ?? name
}

/** Milliseconds without a change after which the work that follows a delivery has ended. */
const quietMs = 2500
const drainTimeoutMs = 120_000

/** Waits until all messages have arrived and every function is idle. */
async function drain(setup: Setup, collector: Collector): Promise<void> {
  const deadline = performance.now() + drainTimeoutMs
  const state = () =>
    [setup.received(), ...[...collector.units.values()].map(({ batches }) => batches.batches)].join()
  let [last, since] = [state(), performance.now()]
  while (performance.now() - since < quietMs) {
    if (collector.failure !== null) throw collector.failure
    if (performance.now() > deadline) throw new Error('mail did not arrive in time')
    await delay(100)
    if (state() !== last) [last, since] = [state(), performance.now()]
  }
}

function describe(unit: string, name: string, { services }: UnitSums) {
  const [operation = '', resource = '', key = ''] = JSON.parse(name) as string[]
  return { unit, service: services.get(name) ?? '', operation, resource, key }
}

function callsOf(collector: Collector, messages: number): Call[] {
  return [...collector.units]
    .flatMap(([unit, sums]) => [...otherCalls(unit, sums, messages), ...batchCalls(unit, sums)])
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

const otherCalls = (unit: string, sums: UnitSums, messages: number): Call[] =>
  sums.calls.entries().map(([name, amounts]) => ({
    ...describe(unit, name, sums),
    perBatch: noAmounts,
    perMessage: scale(amounts, 1 / messages),
    hottestShare: sums.hottestShare(name),
  }))

/** Per message means per job of the function here. */
function batchCalls(unit: string, sums: UnitSums): Call[] {
  const names = new Set(
    sums.batches.names
      .filter((name) => name.startsWith('['))
      .map((name) => JSON.stringify(JSON.parse(name).slice(0, 3))),
  )
  return [...names].map((name) => {
    const lineOf = (amount: string) => sums.batches.line(JSON.stringify([...JSON.parse(name), amount]))
    const [requests, entries, units, octets] = ['requests', 'entries', 'units', 'octets'].map(lineOf) as [
      ReturnType<typeof lineOf>,
      ReturnType<typeof lineOf>,
      ReturnType<typeof lineOf>,
      ReturnType<typeof lineOf>,
    ]
    const pick = (part: 'perBatch' | 'perMessage') => ({
      requests: requests[part],
      entries: entries[part],
      units: units[part],
      octets: octets[part],
    })
    return {
      ...describe(unit, name, sums),
      perBatch: pick('perBatch'),
      perMessage: pick('perMessage'),
      hottestShare: sums.hottestShare(name),
    }
  })
}

function functionsOf(collector: Collector, messages: number): RecordedFunction[] {
  return [...collector.units]
    .filter(([, { batches }]) => batches.batches > 0)
    .map(([unit, { batches, jobsByQueue, coldStartsMs }]) => ({
      unit,
      jobsPerMessage: Object.fromEntries(
        [...jobsByQueue].map(([queue, jobs]): [string, number] => [queue, jobs / messages]).sort(),
      ),
      jobsPerBatch: batches.messages / batches.batches,
      cpuMs: batches.line(cpu),
      waitMs: batches.line(wait),
      coldStartMs:
        coldStartsMs.length === 0
          ? null
          : coldStartsMs.reduce((sum, ms) => sum + ms, 0) / coldStartsMs.length,
    }))
    .sort((a, b) => (a.unit < b.unit ? -1 : 1))
}

/** The units' log files, by unit. */
const logFiles = ({ endpoints }: Setup, { functions }: StackFacts): [unit: string, file: string][] => [
  [ingressUnit, join(endpoints.logs, 'ingress.log')],
  ...functions.map(({ unit, logicalId }): [string, string] => [
    unit,
    join(endpoints.logs, `${logicalId}.log`),
  ]),
]

const logSizes = (setup: Setup, facts: StackFacts): Map<string, number> =>
  new Map(
    logFiles(setup, facts).map(([unit, file]) => [
      unit,
      statSync(file, { throwIfNoEntry: false })?.size ?? 0,
    ]),
  )

const readLogs = (setup: Setup, facts: StackFacts): [unit: string, text: string][] =>
  logFiles(setup, facts).map(([unit, file]) => [
    unit,
    statSync(file, { throwIfNoEntry: false }) === undefined ? '' : readFileSync(file, 'utf8'),
  ])

function logsSince(setup: Setup, facts: StackFacts, before: ReadonlyMap<string, number>) {
  return readLogs(setup, facts)
    .map(([unit, text]) => {
      const since = Buffer.from(text).subarray(before.get(unit) ?? 0)
      return { unit, octets: since.length, lines: since.toString().split('\n').length - 1 }
    })
    .filter(({ octets }) => octets > 0)
}
