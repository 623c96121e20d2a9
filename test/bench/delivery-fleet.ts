/**
 * One smart host that answers each command after 20 ms, and ten slow destinations in one batch. Real are the SMTP client
 * with its sessions and verified TLS over loopback, the job's steps (`deliverJob`), the batch, and the slots with their
 * growth. The partner is a separate process that delays its replies. Simulated are Lambda and AWS: fifty workers in this
 * process take batches of fifty jobs from an endless queue; each request to DynamoDB or S3 takes some milliseconds and
 * no work. So the processor time does not contain the requests of the AWS SDK.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { GetCommand, type PutCommand } from '@aws-sdk/lib-dynamodb'
import { Batch } from '../../functions/deliver-message/batch.ts'
import { contentMemory } from '../../functions/deliver-message/content-memory.ts'
import { type Dependencies, deliverJob } from '../../functions/deliver-message/deliver-job.ts'
import { destinationKey } from '../../functions/deliver-message/destination-key.ts'
import { loadShownBy } from '../../functions/deliver-message/destination-load.ts'
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import { defaultTimeouts } from '../../shared/net/smtp/connection.ts'
import { deliverOverSmtp, type SmtpDeliveryOptions } from '../../shared/net/smtp-delivery.ts'
import { noMtaSts } from '../../shared/policy/hop-facts.ts'
import { opportunistic } from '../../shared/policy/outbound.ts'
import { Slots, type SlotsOptions } from '../../shared/transport/slots.ts'
import { fakeResolver } from '../support/dns.ts'
import { message, recipient } from '../support/fixtures.ts'
import { createPki } from '../support/pki.ts'
import { firstLine } from '../support/process.ts'
import { sampleMessage } from './load.ts'
import { median } from './median.ts'
import { startSink } from './sink-process.ts'

const host = 'mx.partner.example'
/** Names of the same server, which are different destinations. */
const names = [host, ...Array.from({ length: 9 }, (_, index) => `mx${index}.partner.example`)]
const roundTripMs = 20
const slowReplyMs = 1_000
/** Of one request to DynamoDB or S3. */
const requestMs = 5
const content = sampleMessage(4096).subarray(0, -3)

/** The default settings. */
const workers = 50
const batchSize = 50
const slotOptions: SlotsOptions = {
  ...{ initialLimit: 10, maxLimit: 100, maxHolders: 20, leaseMs: 10_000, timeoutMs: 2_000 },
  now: Date.now,
}

/** Counts what the deliveries cost and how they are doing. */
interface Run {
  delivered: number
  returned: number
  batches: number
  busyWorkers: number
  maxBusyWorkers: number
  slotReads: number
  slotWrites: number
  slotConflicts: number
  /** Calls without an answer, after which a worker delivers without a slot. */
  slotFailures: number
  limit: number
}

const newRun = (): Run => ({
  ...{ delivered: 0, returned: 0, batches: 0, busyWorkers: 0, maxBusyWorkers: 0 },
  ...{ slotReads: 0, slotWrites: 0, slotConflicts: 0, slotFailures: 0, limit: slotOptions.initialLimit },
})

export async function measureFleet(seconds: number): Promise<string> {
  const pki = await createPki()
  const identity = await pki.issue({ names: [host] })
  const sink = await startSink(identity, roundTripMs)
  const slowSink = await startSink(identity, slowReplyMs)
  try {
    return [
      await measureSmartHost({ port: sink.port, ca: pki.ca }, seconds),
      await measureProcessor(sink.port),
      await measureSlowDestinations({ port: slowSink.port, ca: pki.ca }),
    ].join('\n\n')
  } finally {
    await Promise.all([sink.stop(), slowSink.stop()])
  }
}

interface Target {
  port: number
  ca: string
}

async function measureSmartHost(target: Target, seconds: number): Promise<string> {
  const run = newRun()
  const table = tableOf(run)
  const endAtMs = performance.now() + seconds * 1000
  const job = jobTo(target)
  const running = Array.from({ length: workers }, async () => {
    const slots = new Slots(table, 'transport', slotOptions)
    while (performance.now() < endAtMs) {
      const returned = await deliverBatch(Array(batchSize).fill(job), slots, run)
      // The jobs that returned to the queue are delayed there, and the worker has nothing else to do.
      if (returned > 0) await delay(1_000)
    }
  })
  const rows: string[] = []
  const rates: number[] = []
  let processorSeconds = 0
  for (let second = 1; second <= seconds; second += 1) {
    const [delivered, processor] = [run.delivered, process.cpuUsage()]
    await delay(1_000)
    const { user, system } = process.cpuUsage(processor)
    processorSeconds += (user + system) / 1e6
    rates.push(run.delivered - delivered)
    rows.push(
      `| ${second} | ${run.delivered - delivered} | ${Math.floor(run.limit)} | ${run.busyWorkers} | ${Math.round((user + system) / 10_000)} % |`,
    )
  }
  const perProcessorSecond = Math.round(run.delivered / processorSeconds)
  await Promise.all(running)
  const settled = rates.slice(Math.ceil(seconds / 2))
  return [
    `One smart host, ${roundTripMs} ms a reply, verified TLS, DATA; ${workers} workers, batches of ${batchSize} messages of 4 KB; ${requestMs} ms a request to AWS.`,
    '',
    '| second | messages | session limit | workers that deliver | one processor |',
    '|---:|---:|---:|---:|---:|',
    ...rows,
    '',
    `Second half: median ${median(settled)} messages/s, best ${Math.max(...settled)}. One processor carries ${perProcessorSecond} messages/s in this process. Writes for slots per message: ${(run.slotWrites / run.delivered).toFixed(3)} (${run.slotConflicts} of ${run.slotWrites} in vain, ${run.slotFailures} calls failed), reads: ${(run.slotReads / run.delivered).toFixed(3)}. At most ${run.maxBusyWorkers} workers delivered at the same time. Jobs returned without a slot: ${run.returned}.`,
  ].join('\n')
}

/** Memory of the function, and the memory with which it has one processor (docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). */
const [memoryMiB, memoryOfProcessorMiB] = [512, 1769]

/** The processor time that the deployed handler needs for a message, with the requests of the AWS SDK. */
async function measureProcessor(port: number): Promise<string> {
  const services = spawn(process.execPath, ['test/bench/delivery-services.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const { database, storage } = JSON.parse(await firstLine(services))
    const { stdout } = await promisify(execFile)(process.execPath, [
      'test/bench/delivery-handler.ts',
      ...[database, storage, String(port), String(batchSize), '20'],
    ])
    const { processorMs } = JSON.parse(stdout)
    const perWorker = (1000 / processorMs) * (memoryMiB / memoryOfProcessorMiB)
    return `The deployed handler needs ${processorMs.toFixed(1)} ms of a processor for each message. With ${memoryMiB} MB, Lambda's share of a processor permits ${Math.round(perWorker)} messages/s for each worker, and ${Math.round(perWorker * slotOptions.maxHolders)} for the ${slotOptions.maxHolders} workers of one destination.`
  } finally {
    services.kill('SIGTERM')
    await once(services, 'exit')
  }
}

/** Ten destinations, each of which answers each command after a second. */
async function measureSlowDestinations(target: Target): Promise<string> {
  const rows: string[] = []
  for (const count of [1, 10]) {
    const run = newRun()
    const slots = new Slots(tableOf(run), 'transport', slotOptions)
    const jobs = Array.from({ length: count }, (_, index) => jobTo(target, names[index]))
    const startedAt = performance.now()
    await deliverBatch(jobs, slots, run)
    rows.push(`| ${count} | ${((performance.now() - startedAt) / 1000).toFixed(1)} s |`)
  }
  return [
    `A batch with a message for each of some destinations that answer each command after ${slowReplyMs / 1000} s:`,
    '',
    '| destinations | time of the batch |',
    '|---:|---:|',
    ...rows,
  ].join('\n')
}

/** @returns the number of jobs that returned to the queue without a slot */
async function deliverBatch(jobs: readonly DeliveryJob[], slots: Slots, run: Run): Promise<number> {
  const batch = new Batch({
    slots,
    limitMs: 270_000,
    minRemainingMs: 90_000,
    onError: () => (run.slotFailures += 1),
  })
  const inContentMemory = contentMemory()
  const smtp: SmtpDeliveryOptions = {
    ehloName: 'mail.ours.example',
    resolver: fakeResolver({ a: Object.fromEntries(names.map((name) => [name, ['127.0.0.1']])) }),
    privateNetworks: [],
    random: Math.random,
    timeouts: defaultTimeouts,
    mtaSts: async () => noMtaSts,
    readCredentials: fail,
    find: batch.find,
    signal: batch.signal,
    open: (hop, options, mustBeNew) => batch.sessions.open(hop, options, mustBeNew),
  }
  let isDelivering = false
  let returned = 0
  await Promise.all(
    jobs.map(async (job) => {
      const entry = batch.enqueue(destinationKey(job.route) ?? fail())
      const { newAttempts, returnedToQueue } = await deliverJob(job, {
        ...edge,
        runWithSlot: (work) =>
          entry.runWithSlot(() => {
            if (!isDelivering) run.busyWorkers += 1
            isDelivering = true
            run.maxBusyWorkers = Math.max(run.maxBusyWorkers, run.busyWorkers)
            return inContentMemory(job, work)
          }),
        transmit: (route, mail) =>
          route.kind === 'SmartHosts' ? deliverOverSmtp(route, mail, smtp) : fail(),
      })
      const attempts = newAttempts.map(({ attempt }) => attempt)
      const unverified = attempts.find(({ outcome, tls }) => outcome !== 'Delivered' || !tls?.verified)
      if (unverified) throw new Error(`not delivered: ${JSON.stringify(unverified)}`)
      const load = loadShownBy(attempts)
      if (load !== null) entry.reportLoad(load)
      run.delivered += attempts.length
      if (returnedToQueue !== null) returned += 1
      entry.leave()
    }),
  )
  await batch.end()
  if (isDelivering) run.busyWorkers -= 1
  run.batches += 1
  run.returned += returned
  return returned
}

const jobTo = ({ port, ca }: Target, name = host): DeliveryJob => ({
  message: message(),
  recipients: [recipient({ address: 'b@partner.example' })],
  destination: 'partner.example',
  route: { kind: 'SmartHosts', hosts: [{ host: name, port }] },
  tls: { ...opportunistic, level: 'DomainValidation', tlsDomain: host, certificateAuthorities: [ca] },
  attempt: 1,
  connectorsVersion: 1,
})

/** The item of the slots, with DynamoDB's conditional write. */
function tableOf(run: Run): ConstructorParameters<typeof Slots>[0] {
  const items = new Map<string, { version: number; limit: number }>()
  return {
    async send(command: GetCommand | PutCommand) {
      await delay(requestMs)
      if (command instanceof GetCommand) {
        run.slotReads += 1
        return { Item: items.get(command.input.Key?.pk) }
      }
      run.slotWrites += 1
      const item = command.input.Item as { pk: string; version: number; limit: number }
      const stored = items.get(item.pk)
      const isChanged = (stored?.version ?? 0) !== item.version - 1
      if (isChanged) run.slotConflicts += 1
      if (isChanged) throw new ConditionalCheckFailedException({ $metadata: {}, message: 'changed' })
      items.set(item.pk, item)
      run.limit = item.limit
      return {}
    },
  } as unknown as ConstructorParameters<typeof Slots>[0]
}

const request = async () => {
  await delay(requestMs)
}

const edge = {
  claims: {
    async claim() {
      await request()
      return { kind: 'Claimed', leaseExpired: false }
    },
    complete: request,
  },
  trace: { recordDelivered: request },
  evaluation: { send: async () => {} },
  delivery: { send: request },
  async read() {
    await request()
    return content
  },
  now: () => new Date(),
  random: Math.random,
  connectorsVersion: async () => 1,
  retentionDays: 90,
} as unknown as Omit<Dependencies, 'runWithSlot' | 'transmit'>

function fail(): never {
  throw new Error('the benchmark must not call this function')
}
