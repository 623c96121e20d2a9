/**
 * Measures the whole local stack on this machine: messages over TLS at a fixed rate to the ingress, and the time from
 * the end of DATA to the end of data at the smart host. The load and the smart host run beside the stack, in this
 * process, so both times are of one clock. The load is open: a message is sent when it is due, however slow the stack
 * is.
 *
 *   npm run bench:end-to-end -- [--rate N,N] [--seconds N] [--octets N] [--direction outbound|inbound]
 *
 * Outbound mail comes from the organisation's own server. Inbound mail is authenticated too.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { createSecureContext } from 'node:tls'
import { parseArgs } from 'node:util'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import { Api, launchTrusting, startRunner } from '../support/local/runner.ts'
import { createPki } from '../support/pki.ts'
import { ClientSession } from './client-session.ts'
import { sampleMessage } from './load.ts'
import { processorSeconds } from './process-tree.ts'
import { createSink } from './sink-server.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '20,50,100' },
    seconds: { type: 'string', default: '15' },
    octets: { type: 'string', default: '4096' },
    direction: { type: 'string', default: 'outbound' },
  },
})
const rates = values.rate.split(',').map(Number)
const seconds = Number(values.seconds)
const octets = Number(values.octets)

/** Milliseconds for which the stack may deliver after the last message was sent. */
const drainMs = 60_000
/** Messages sent before the measured ones, so that each function has its execution environments. */
const warmUpMessages = 50

const serialField = 'X-Serial: '

/** The messages of one rate, by serial number. */
class Latencies {
  readonly sentAt = new Map<number, number>()
  readonly receivedAt = new Map<number, number>()

  get all(): number[] {
    return [...this.sentAt]
      .flatMap(([serial, sentAt]) => {
        const receivedAt = this.receivedAt.get(serial)
        return receivedAt === undefined ? [] : [receivedAt - sentAt]
      })
      .sort((a, b) => a - b)
  }
}

const quantile = (sorted: readonly number[], share: number) =>
  Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN)

/** Sends messages on sessions that stay open; a due message without an idle session opens one more. */
class OpenLoad {
  readonly #port: number
  readonly #latencies: Latencies
  readonly #idle: Sender[] = []
  readonly #context = createSecureContext({ minVersion: 'TLSv1.3' })
  failures = 0
  sessions = 0

  constructor(port: number, latencies: Latencies) {
    this.#port = port
    this.#latencies = latencies
  }

  async send(serial: number): Promise<void> {
    const sender = this.#idle.pop() ?? (await this.#open())
    const accepted = await sender.send(messageOf(serial), () =>
      this.#latencies.sentAt.set(serial, performance.now()),
    )
    if (accepted) this.#idle.push(sender)
    else this.failures += 1
  }

  #open(): Promise<Sender> {
    this.sessions += 1
    const sender = new Sender(this.#port, this.#context)
    return sender.opened
  }

  close(): void {
    for (const sender of this.#idle) sender.quit()
  }
}

function messageOf(serial: number): Buffer {
  const message = sampleMessage(octets).toString('latin1')
  return Buffer.from(message.replace('Subject:', `${serialField}${serial}\r\nSubject:`))
}

/** One session; `ClientSession` sends the content when the reply 354 has arrived. */
class Sender {
  readonly opened: Promise<Sender>
  readonly #session: ClientSession
  readonly #options: { port: number; tls: object; message: Buffer; isPipelined: boolean }
  #resolve: (accepted: boolean) => void = () => {}

  constructor(port: number, context: ReturnType<typeof createSecureContext>) {
    this.#options = { port, tls: { context, session: null }, message: Buffer.alloc(0), isPipelined: false }
    let ready: (sender: Sender) => void
    this.opened = new Promise((resolve) => {
      ready = resolve
    })
    this.#session = new ClientSession(this.#options as ConstructorParameters<typeof ClientSession>[0], {
      ready: () => ready(this),
      accepted: () => this.#resolve(true),
      ended: () => {},
      failed: () => this.#resolve(false),
    })
  }

  send(message: Buffer, onSend: () => void): Promise<boolean> {
    Object.defineProperty(this.#options, 'message', {
      configurable: true,
      get: () => {
        onSend()
        return message
      },
    })
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#session.send()
    })
  }

  quit(): void {
    this.#session.quit()
  }
}

/** The load sends from a@elsewhere.example to b@ours.example. */
async function setUp(api: Api, port: number): Promise<void> {
  if (values.direction === 'inbound') {
    await setUpMailboxServer(api, { port })
    return
  }
  await api.call('PUT', '/accepted-domains/elsewhere.example', {})
  await api.create('inbound', {
    name: 'own server',
    connectorType: 'OnPremises',
    senderDomains: ['elsewhere.example'],
    senderIpAddresses: ['127.0.0.1'],
    requireTls: true,
  })
  await api.create('outbound', {
    name: 'partner',
    connectorType: 'Partner',
    recipientDomains: ['ours.example'],
    route: 'SmartHosts',
    smartHosts: [{ host: '127.0.0.1', port }],
    tlsSettings: 'EncryptionOnly',
  })
}

async function main(): Promise<void> {
  let latencies = new Latencies()
  const pki = await createPki()
  const identity = await pki.issue({ names: ['mailboxes.example'] })
  const sink = createSink({
    tls: identity,
    hasChunking: true,
    onMessage: (message) => {
      const at = message.indexOf(serialField)
      const serial = Number.parseInt(message.toString('latin1', at + serialField.length, at + 24), 10)
      if (!latencies.receivedAt.has(serial)) latencies.receivedAt.set(serial, performance.now())
    },
  }).listen(0, '127.0.0.1')
  await once(sink, 'listening')
  const runner = await startRunner({ names: {}, ports: {} }, ['--no-demo'], launchTrusting(pki.ca))
  const pid = runner.process.pid as number
  try {
    await setUp(new Api(runner.endpoints), (sink.address() as AddressInfo).port)
    const port = Number(runner.endpoints.smtp.split(':')[1])
    const run = async (rate: number, count: number) => {
      latencies = new Latencies()
      const load = new OpenLoad(port, latencies)
      const startedAt = performance.now()
      const before = { stack: processorSeconds(pid), self: process.cpuUsage() }
      const sending: Promise<void>[] = []
      for (let serial = 0; serial < count; serial++) {
        const due = startedAt + (serial * 1000) / rate
        const wait = due - performance.now()
        if (wait > 1) await delay(wait)
        sending.push(load.send(serial))
      }
      await Promise.all(sending)
      const deadline = performance.now() + drainMs
      while (latencies.receivedAt.size < count && performance.now() < deadline) await delay(20)
      const self = process.cpuUsage(before.self)
      const spent = processorSeconds(pid) - before.stack
      load.close()
      const sorted = latencies.all
      return {
        rate,
        sent: count,
        received: latencies.receivedAt.size,
        p50: quantile(sorted, 0.5),
        p99: quantile(sorted, 0.99),
        max: quantile(sorted, 1),
        failures: load.failures,
        sessions: load.sessions,
        'stack ms/message': Number(((spent * 1000) / count).toFixed(1)),
        'load ms/message': Number(((self.user + self.system) / 1000 / count).toFixed(1)),
      }
    }
    await run(20, warmUpMessages)
    process.stdout.write(`${availableParallelism()} processors, ${octets} octets, ${seconds} s\n`)
    for (const rate of rates) console.table([await run(rate, rate * seconds)])
  } finally {
    await runner.stop()
    sink.close()
  }
}

await main()
