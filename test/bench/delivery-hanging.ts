/**
 * Measures the delay that a hanging partner causes for the mail to other partners. The local runner's own queues,
 * pollers and worker threads carry mail to twenty partners, a hundred messages each at a steady pace, over TLS. Each
 * round has a second run with one more partner, which accepts connections and never sends a greeting. The same number
 * of messages is sent to that partner as to each other partner. Times run from the ingress's 250 to the end of data at
 * the partner. Timeouts are shorter than in a deployment. One destination may use about a fifth of the
 * workers, as in a deployment.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { listen } from '../support/listen.ts'
import { Api, type RunnerProcess, SmtpClient, startRunner, waitForResult } from '../support/local/runner.ts'
import { selfSigned } from '../support/pki.ts'
import { median } from './median.ts'
import { createSink } from './sink-server.ts'

const partners = 20
const messagesEach = 100
const pauseMs = 20
const hangingDomain = 'hanging.example'

/** Timeouts in seconds. */
const smtpTimeouts = { connect: 3, greeting: 6, command: 6, data: 12 }
/** Threads that the runner gives each function. One destination may use about a fifth, as in a deployment: 10 of 50. */
const threads = availableParallelism() * 4
export const defaultSlots = Math.max(1, Math.round(threads / 5))

export interface HangingOptions {
  rounds: number
  /** Messages per second to each partner. */
  perSecond: number
  /** Concurrent deliveries to one destination. */
  slots: number
}

/** Each run has its own runner, so that its queues hold no job of the previous run. */
export async function measureHanging(options: HangingOptions): Promise<string> {
  const [baseline, withHangingPartner]: [Times[], Times[]] = [[], []]
  for (let round = 0; round < options.rounds; round++) {
    baseline.push(await run(false, options))
    withHangingPartner.push(await run(true, options))
    console.error(
      `round ${round + 1}: ${JSON.stringify([baseline.at(-1), withHangingPartner.at(-1)])}, load ${loadavg()[0]}`,
    )
  }
  return report(baseline, withHangingPartner, options)
}

interface Times {
  p50: number
  p99: number
}

interface Setup {
  runner: RunnerProcess
  arrivals: Map<string, number>
  stop(): Promise<void>
}

const domainOf = (partner: number): string => `partner-${partner}.example`

async function startSetup(concurrencyPerDestination: number): Promise<Setup> {
  const arrivals = new Map<string, number>()
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-bench-'))
  const settings = join(folder, 'settings.json')
  writeFileSync(
    settings,
    JSON.stringify({ functions: { deliver: { concurrencyPerDestination, smtpTimeouts } } }),
  )
  const sink = createSink({
    tls: await selfSigned({ names: ['mx.example'] }),
    pauseMs,
    onMessage: (message) => {
      const name = /^Subject: (\S+)/m.exec(message.toString('latin1'))?.[1]
      if (name) arrivals.set(name, performance.now())
    },
  })
  const silent = createServer((socket) => socket.resume())
  const [listeningSink, hangingServer] = [await listen(sink), await listen(silent)]
  const domains = Array.from({ length: partners }, (_, partner) => domainOf(partner))
  const addresses = new Map(
    [...domains, hangingDomain].map((domain, index) => [domain, `127.0.1.${index + 1}`]),
  )
  const names = [...addresses].flatMap(([domain, address]) => [
    [domain, { MX: [[10, `mx.${domain}`]] }],
    [`mx.${domain}`, { A: [address] }],
  ])
  const ports = [...addresses].map(([domain, address]) => [
    address,
    `127.0.0.1:${(domain === hangingDomain ? hangingServer : listeningSink).port}`,
  ])
  const zone = { names: Object.fromEntries(names), ports: Object.fromEntries(ports) }
  const runner = await startRunner(zone, ['--no-demo', '--settings', settings])
  await new Api(runner.endpoints).create('inbound', {
    name: 'Mail server',
    connectorType: 'OnPremises',
    senderDomains: ['*'],
    senderIpAddresses: ['127.0.0.1'],
    requireTls: false,
  })
  return {
    runner,
    arrivals,
    async stop() {
      await runner.stop()
      await Promise.all([listeningSink.stop(), hangingServer.stop()])
      rmSync(folder, { recursive: true })
    },
  }
}

async function run(withHanging: boolean, { perSecond, slots }: HangingOptions): Promise<Times> {
  const setup = await startSetup(slots)
  try {
    // Not measured: the domains prove themselves, the functions' cached standings expire, and every thread starts.
    await sendAll(setup, withHanging, 2 * perSecond, 20)
    await delay(31_000)
    await sendAll(setup, withHanging, 2 * perSecond, 20)
    return await sendAll(setup, withHanging, perSecond, messagesEach)
  } finally {
    await setup.stop()
  }
}

let serial = 0

async function sendAll(
  { arrivals, runner }: Setup,
  withHanging: boolean,
  perSecond: number,
  count: number,
): Promise<Times> {
  const domains = Array.from({ length: partners }, (_, partner) => domainOf(partner))
  const sentAt = new Map<string, number>()
  const targetDomains = withHanging ? [...domains, hangingDomain] : domains
  const startedAt = performance.now()
  await Promise.all(
    targetDomains.map(async (domain, index) => {
      const client = await SmtpClient.open(runner.endpoints)
      for (let number = 0; number < count; number++) {
        const dueAt = startedAt + ((number + index / targetDomains.length) * 1000) / perSecond
        await delay(Math.max(0, dueAt - performance.now()))
        const name = `m${serial++}`
        await sendBy(client, domain, name)
        if (domain !== hangingDomain) sentAt.set(name, performance.now())
      }
      await client.command('QUIT')
    }),
  )
  await waitForResult(
    () => ([...sentAt.keys()].every((name) => arrivals.has(name)) ? true : null),
    50,
    120_000,
  )
  const times = [...sentAt].map(([name, at]) => (arrivals.get(name) ?? 0) - at).sort((a, b) => a - b)
  const quantile = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0
  return { p50: quantile(0.5), p99: quantile(0.99) }
}

async function sendBy(client: SmtpClient, domain: string, name: string): Promise<void> {
  await client.command('MAIL FROM:<a@ours.example>')
  await client.command(`RCPT TO:<b@${domain}>`)
  await client.command('DATA')
  const reply = await client.command(`Subject: ${name}\r\n\r\n${'x'.repeat(3900)}\r\n.`)
  if (!reply.startsWith('250')) throw new Error(`unexpected reply of the ingress: ${reply}`)
}

/** Uses the fastest round, because other load on the machine disturbs some rounds. */
const smallest = (rounds: readonly Times[]): number => Math.min(...rounds.map(({ p99 }) => p99))

function report(
  baseline: readonly Times[],
  withHangingPartner: readonly Times[],
  { perSecond, slots }: HangingOptions,
): string {
  const row = (quantile: keyof Times) => {
    const [before = 0, after = 0] = [baseline, withHangingPartner].map((rounds) =>
      median(rounds.map((times) => times[quantile])),
    )
    return `| ${quantile} | ${Math.round(before)} ms | ${Math.round(after)} ms | ${(after / before).toFixed(2)} |`
  }
  const { connect, greeting } = smtpTimeouts
  return [
    `${partners} partners, ${messagesEach} messages each at ${perSecond}/s, ${threads} workers, ${slots} slots per destination; timeouts ${connect} s to connect, ${greeting} s for the greeting; ${baseline.length} rounds, medians.`,
    '',
    '| from 250 to the partner | twenty partners | and one hanging partner | ratio |',
    '|---|---:|---:|---:|',
    row('p50'),
    row('p99'),
    `| smallest p99 of a round | ${Math.round(smallest(baseline))} ms | ${Math.round(smallest(withHangingPartner))} ms | ${(smallest(withHangingPartner) / smallest(baseline)).toFixed(2)} |`,
  ].join('\n')
}
