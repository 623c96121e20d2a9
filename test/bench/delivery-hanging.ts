/**
 * Measures which mail a hanging partner delays. The local runner's own queues, pollers and worker threads carry mail
 * to twenty partners, a hundred messages each at a steady pace, over TLS. In some rounds one more partner accepts
 * connections and never sends a greeting; it has as much mail as each of the others. Times run from the ingress's
 * 250 to the end of data at the partner. Timeouts are shorter than a deployment's. The slots of one destination are
 * the same share of the workers as in a deployment.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { listen } from '../support/listen.ts'
import { Api, type Running, SmtpClient, startRunner, until } from '../support/local/runner.ts'
import { selfSigned } from '../support/pki.ts'
import { median } from './median.ts'
import { createSink } from './sink-server.ts'

const partners = 20
const messagesEach = 100
const pauseMs = 20
const hangs = 'hanging.example'

/** Seconds. */
const smtpTimeouts = { connect: 3, greeting: 6, command: 6, data: 12 }
/** Threads that the runner gives a function. A fifth of them may serve one destination: by default 10 of 50. */
const threads = availableParallelism() * 4
export const defaultSlots = Math.max(1, Math.round(threads / 5))

export interface HangingOptions {
  rounds: number
  /** Messages a second to each partner. */
  perSecond: number
  /** Concurrent deliveries to one destination. */
  slots: number
}

/** Each run has its own runner, so that no job of the last run waits in its queues. */
export async function measureHanging(options: HangingOptions): Promise<string> {
  const [without, with_]: [Times[], Times[]] = [[], []]
  for (let round = 0; round < options.rounds; round++) {
    without.push(await run(false, options))
    with_.push(await run(true, options))
    console.error(
      `round ${round + 1}: ${JSON.stringify([without.at(-1), with_.at(-1)])}, load ${loadavg()[0]}`,
    )
  }
  return report(without, with_, options)
}

interface Times {
  p50: number
  p99: number
}

interface Setup {
  runner: Running
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
    taken: (message) => {
      const name = /^Subject: (\S+)/m.exec(message.toString('latin1'))?.[1]
      if (name) arrivals.set(name, performance.now())
    },
  })
  const silent = createServer((socket) => socket.resume())
  const [listening, hanging] = [await listen(sink), await listen(silent)]
  const domains = Array.from({ length: partners }, (_, partner) => domainOf(partner))
  const addresses = new Map([...domains, hangs].map((domain, index) => [domain, `127.0.1.${index + 1}`]))
  const names = [...addresses].flatMap(([domain, address]) => [
    [domain, { MX: [[10, `mx.${domain}`]] }],
    [`mx.${domain}`, { A: [address] }],
  ])
  const ports = [...addresses].map(([domain, address]) => [
    address,
    `127.0.0.1:${(domain === hangs ? hanging : listening).port}`,
  ])
  const zone = { names: Object.fromEntries(names), ports: Object.fromEntries(ports) }
  const runner = await startRunner(zone, ['--no-demo', '--settings', settings])
  await new Api(runner.endpoints).create('inbound', {
    name: 'us',
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
      await Promise.all([listening.stop(), hanging.stop()])
      rmSync(folder, { recursive: true })
    },
  }
}

async function run(withHanging: boolean, { perSecond, slots }: HangingOptions): Promise<Times> {
  const setup = await startSetup(slots)
  try {
    // Sends both kinds of mail: the thread created for the first hanging message delays the others once.
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
  const sent = new Map<string, number>()
  const all = withHanging ? [...domains, hangs] : domains
  const began = performance.now()
  await Promise.all(
    all.map(async (domain, index) => {
      const client = await SmtpClient.open(runner.endpoints)
      for (let number = 0; number < count; number++) {
        const due = began + ((number + index / all.length) * 1000) / perSecond
        await delay(Math.max(0, due - performance.now()))
        const name = `m${serial++}`
        await sendBy(client, domain, name)
        if (domain !== hangs) sent.set(name, performance.now())
      }
      await client.command('QUIT')
    }),
  )
  await until(() => ([...sent.keys()].every((name) => arrivals.has(name)) ? true : null), 50, 120_000)
  const times = [...sent].map(([name, at]) => (arrivals.get(name) ?? 0) - at).sort((a, b) => a - b)
  const quantile = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0
  return { p50: quantile(0.5), p99: quantile(0.99) }
}

async function sendBy(client: SmtpClient, domain: string, name: string): Promise<void> {
  await client.command('MAIL FROM:<a@ours.example>')
  await client.command(`RCPT TO:<b@${domain}>`)
  await client.command('DATA')
  const reply = await client.command(`Subject: ${name}\r\n\r\n${'x'.repeat(3900)}\r\n.`)
  if (!reply.startsWith('250')) throw new Error(`the ingress said: ${reply}`)
}

/** Other load on the machine disturbs some rounds: the fastest round counts. */
const smallest = (rounds: readonly Times[]): number => Math.min(...rounds.map(({ p99 }) => p99))

function report(
  without: readonly Times[],
  with_: readonly Times[],
  { perSecond, slots }: HangingOptions,
): string {
  const row = (which: keyof Times) => {
    const [one = 0, other = 0] = [without, with_].map((all) => median(all.map((times) => times[which])))
    return `| ${which} | ${Math.round(one)} ms | ${Math.round(other)} ms | ${(other / one).toFixed(2)} |`
  }
  const { connect, greeting } = smtpTimeouts
  return [
    `${partners} partners, ${messagesEach} messages each at ${perSecond}/s, ${threads} workers, ${slots} places a destination; timeouts ${connect} s to connect, ${greeting} s for the greeting; ${without.length} rounds, medians.`,
    '',
    '| from 250 to the partner | twenty partners | and one that hangs | ratio |',
    '|---|---:|---:|---:|',
    row('p50'),
    row('p99'),
    `| least p99 of a round | ${Math.round(smallest(without))} ms | ${Math.round(smallest(with_))} ms | ${(smallest(with_) / smallest(without)).toFixed(2)} |`,
  ].join('\n')
}
