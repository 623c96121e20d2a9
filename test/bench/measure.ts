/** Measures one load on one server, and its cost. */
import type { Generators } from './generators.ts'
import type { Load } from './load.ts'
import type { Program } from './mailflow.ts'
import { processorSeconds, proportionalSetSize } from './process-tree.ts'

export interface Server extends Program {
  /** Number of accepted messages still in the queue of the server; absent for a server without a queue. */
  queued?(): number
  /** Removes the messages that the server stored, after the measurement. */
  clear?(): void
  /** A program that works for the server and is not counted as part of it. */
  storage?: Program
}

export interface Measurement {
  perSecond: number
  /** Percentiles of the messages' times in milliseconds. `Mode` defines from when to when a time runs. */
  p50: number
  p99: number
  /** Processor time of the server's processes, in seconds for a thousand messages, including the wait for its queue. */
  processor: number
  /** Processor time of the storage, in the same unit. */
  storageProcessor: number
  /** Memory of all processes of the server in octets: the largest sample. */
  memory: number
  /** Processors that the busiest process of the load generator used. */
  generator: number
  errors: Map<string, number>
  /** Length of the server's queue at the end of the load. */
  queuedAtEnd: number
  /** Length of the server's queue after the wait: 0, unless `drainLimit` passed first. */
  queuedAfter: number
  tls: string | null
  handshakes: number
  resumed: number
}

/** Time in milliseconds that a queue may take to become empty. */
const drainLimit = 30_000
const sampleIntervalMs = 250

/**
 * @param watchMemory whether to sample the server's memory during the load too, which costs processor time; one
 * sample is always taken at the end of the load
 */
export async function measure(
  generators: Generators,
  server: Server,
  load: Load,
  watchMemory = false,
): Promise<Measurement> {
  await generators.open(load)
  const before = processorTimes(server)
  let memory = 0
  const sampleMemory = () => {
    memory = Math.max(memory, proportionalSetSize(server.pid))
  }
  const samples = watchMemory ? setInterval(sampleMemory, sampleIntervalMs) : undefined
  const result = await generators.run().finally(() => clearInterval(samples))
  const queuedAtEnd = server.queued?.() ?? 0
  sampleMemory()
  const queuedAfter = await waitForEmptyQueue(server)
  const after = processorTimes(server)
  await generators.close()
  server.clear?.()
  const times = result.times.sort()
  const thousands = result.total / 1000
  return {
    perSecond: result.count / (load.durationMs / 1000),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    processor: (after.server - before.server) / thousands,
    storageProcessor: (after.storage - before.storage) / thousands,
    memory,
    generator: result.busy,
    errors: result.errors,
    queuedAtEnd,
    queuedAfter,
    tls: result.tls,
    handshakes: result.handshakes,
    resumed: result.resumed,
  }
}

const processorTimes = ({ pid, storage }: Server) => ({
  server: processorSeconds(pid),
  storage: storage ? processorSeconds(storage.pid) : 0,
})

async function waitForEmptyQueue({ queued }: Server): Promise<number> {
  if (!queued) return 0
  const deadline = performance.now() + drainLimit
  for (;;) {
    const queueLength = queued()
    if (queueLength === 0 || performance.now() > deadline) return queueLength
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const quantile = (sorted: Float64Array, part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
