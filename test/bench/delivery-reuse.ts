/**
 * Messages per second over verified TLS, with one session per batch and with one session per message. The measured path
 * is that of deliver-message, beginning with the job: `deliverJob`, the batch, its sessions, the SMTP client, and
 * certificates assessed under DomainValidation. AWS is simulated: claims and trace succeed immediately, content is in
 * memory, and slots are unlimited. The partner is a separate process.
 */
import { Batch } from '../../functions/deliver-message/batch.ts'
import { type Dependencies, deliverJob } from '../../functions/deliver-message/deliver-job.ts'
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import { defaultTimeouts } from '../../shared/net/smtp/connection.ts'
import { deliverOverSmtp, type SmtpDeliveryOptions } from '../../shared/net/smtp-delivery.ts'
import { noMtaSts } from '../../shared/policy/hop-facts.ts'
import { opportunistic } from '../../shared/policy/outbound.ts'
import { fakeResolver } from '../support/dns.ts'
import { message, recipient } from '../support/fixtures.ts'
import { createPki } from '../support/pki.ts'
import { sampleMessage } from './load.ts'
import { median } from './median.ts'
import { startSink } from './sink-process.ts'

const host = 'mx.partner.example'
const batchSize = 10
/** Concurrent batches, one per simulated function. */
const workers = 4
const roundTrips = [0, 20]
const content = sampleMessage(4096).subarray(0, -3)

export async function measureReuse(rounds: number, seconds: number): Promise<string> {
  const pki = await createPki()
  const identity = await pki.issue({ names: [host] })
  const rows: string[] = []
  for (const pauseMs of roundTrips) {
    const sink = await startSink(identity, pauseMs)
    try {
      rows.push(row(pauseMs, await inRounds(rounds, seconds, { port: sink.port, ca: pki.ca })))
    } finally {
      await sink.stop()
    }
  }
  return [
    `4 KB messages over verified TLS, batches of ${batchSize}, ${workers} concurrent batches; ${rounds} rounds of ${seconds} s, medians.`,
    '',
    '| round trip | session per message | session per batch | ratio |',
    '|---|---:|---:|---:|',
    ...rows,
  ].join('\n')
}

interface Target {
  port: number
  ca: string
}

interface Rates {
  without: number[]
  with: number[]
}

/** Runs with one session per message and with one session per batch alternate, after a warm-up of both. */
async function inRounds(rounds: number, seconds: number, target: Target): Promise<Rates> {
  for (const reuse of [false, true]) await rate(target, reuse, 1)
  const rates: Rates = { without: [], with: [] }
  for (let round = 0; round < rounds; round++) {
    rates.without.push(await rate(target, false, seconds))
    rates.with.push(await rate(target, true, seconds))
  }
  return rates
}

function row(pauseMs: number, rates: Rates): string {
  const ratios = rates.with.map((rate, round) => rate / (rates.without[round] ?? 0))
  const cell = (values: number[]) => Math.round(median(values))
  return `| ${pauseMs} ms | ${cell(rates.without)}/s | ${cell(rates.with)}/s | ${median(ratios).toFixed(1)} |`
}

/** @returns messages per second */
async function rate(target: Target, reuse: boolean, seconds: number): Promise<number> {
  const startedAt = performance.now()
  const end = startedAt + seconds * 1000
  const counts = await Promise.all(
    Array.from({ length: workers }, async () => {
      let delivered = 0
      while (performance.now() < end) delivered += await deliverBatch(target, reuse)
      return delivered
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - startedAt) / 1000)
}

async function deliverBatch({ port, ca }: Target, reuse: boolean): Promise<number> {
  const slots = { acquire: async () => ({ count: 1, report() {}, reduceTo() {}, release: async () => {} }) }
  const batch = new Batch({ slots, limitMs: 60_000, minRemainingMs: 0, onError: fail })
  const smtp: SmtpDeliveryOptions = {
    ehloName: 'mail.ours.example',
    resolver: fakeResolver({ a: { [host]: ['127.0.0.1'] } }),
    privateNetworks: [],
    random: Math.random,
    timeouts: defaultTimeouts,
    mtaSts: async () => noMtaSts,
    readCredentials: fail,
    find: batch.find,
    signal: batch.signal,
    ...(reuse && { open: (hop, options, again) => batch.sessions.open(hop, options, again) }),
  }
  const job = jobTo(port, ca)
  const deliveries = await Promise.all(
    Array.from({ length: batchSize }, async () => {
      const position = batch.enqueue(job.destination)
      const delivery = await deliverJob(job, {
        ...edge,
        runWithSlot: position.runWithSlot,
        transmit: (route, mail) =>
          route.kind === 'SmartHosts' ? deliverOverSmtp(route, mail, smtp) : fail(),
      })
      position.leave()
      return delivery
    }),
  )
  await batch.end()
  const attempts = deliveries.flatMap(({ newAttempts: triedNow }) => triedNow.map(({ attempt }) => attempt))
  const verifiedAttempts = attempts.filter(({ outcome, tls }) => outcome === 'Delivered' && tls?.verified)
  if (verifiedAttempts.length !== batchSize) throw new Error(`not delivered: ${JSON.stringify(attempts[0])}`)
  return verifiedAttempts.length
}

const jobTo = (port: number, ca: string): DeliveryJob => ({
  message: message(),
  recipients: [recipient({ address: 'b@partner.example' })],
  destination: 'partner.example',
  route: { kind: 'SmartHosts', hosts: [{ host, port }] },
  tls: { ...opportunistic, level: 'DomainValidation', tlsDomain: host, certificateAuthorities: [ca] },
  attempt: 1,
  connectorsVersion: 1,
})

const edge = {
  claims: { claim: async () => ({ kind: 'Claimed', leaseExpired: false }), complete: async () => {} },
  trace: { recordDelivered: async () => {} },
  evaluation: { send: async () => {} },
  delivery: { send: fail },
  read: async () => content,
  now: () => new Date(),
  random: Math.random,
  connectorsVersion: async () => 1,
  retentionDays: 90,
} as unknown as Omit<Dependencies, 'runWithSlot' | 'transmit'>

function fail(): never {
  throw new Error('the benchmark must not call this function')
}
