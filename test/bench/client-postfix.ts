/**
 * Postfix's smtp-sink as the server of the outbound SMTP client, and Postfix's own client, smtp(8), beside it. Postfix
 * holds the messages of a round in its queue, so that only their delivery is measured. Postfix reuses its sessions.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Postfix } from '../support/peers/peers.ts'
import { freePort, untilListening } from '../support/process.ts'
import { endWithThisProcess, type Program, startProgram, stopProcess } from './mailflow.ts'
import { filesBelow } from './postfix.ts'

const execute = promisify(execFile)

/** A program of Postfix that discards messages and counts them. */
export class SmtpSink {
  readonly port: number
  readonly #child: ChildProcess
  #count = 0
  /** Called at each message. */
  onCount: (count: number) => void = () => {}

  private constructor(port: number) {
    this.port = port
    this.#child = spawn('/usr/sbin/smtp-sink', ['-c', '-u', 'postfix', `127.0.0.1:${port}`, '100'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    endWithThisProcess(this.#child)
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })
    lines.on('line', (line) => {
      this.#count = Number(/mesg=(\d+)/.exec(line)?.[1] ?? this.#count)
      this.onCount(this.#count)
    })
  }

  static async start(): Promise<SmtpSink> {
    const sink = new SmtpSink(await freePort())
    await untilListening(sink.port)
    return sink
  }

  get count(): number {
    return this.#count
  }

  stop(): Promise<void> {
    return stopProcess(this.#child)
  }
}

/** @returns a server on another port, whose replies arrive later */
export const startDelayProxy = (port: number, delayMs: number): Promise<Program> =>
  startProgram('test/bench/delay-proxy.ts', { args: [String(port), String(delayMs)] })

export interface Destination {
  port: number
  sessions: number
}

export class PostfixClient {
  readonly #postfix: Postfix
  readonly #sink: SmtpSink

  private constructor(postfix: Postfix, sink: SmtpSink) {
    this.#postfix = postfix
    this.#sink = sink
  }

  /** @param sink counts the messages for all destinations */
  static async start(destinations: readonly Destination[], sink: SmtpSink): Promise<PostfixClient> {
    const routes = destinations.map(
      (destination) =>
        `${domainFor(destination)}=${transportFor(destination)}:[127.0.0.1]:${destination.port}`,
    )
    const transports = [...new Map(destinations.map((one) => [transportFor(one), one.sessions]))]
    const postfix = await Postfix.start({
      domain: 'ours.example',
      settings: {
        ...Object.fromEntries(
          transports.map(([name, sessions]) => [`${name}_destination_concurrency_limit`, String(sessions)]),
        ),
        transport_maps: `inline:{${routes.join(', ')}}`,
        mynetworks: '127.0.0.0/8',
        smtpd_relay_restrictions: 'permit_mynetworks, reject',
        smtpd_recipient_restrictions: 'check_client_access static:HOLD',
        smtpd_client_connection_count_limit: '0',
        smtpd_client_connection_rate_limit: '0',
        in_flow_delay: '0',
      },
      services: [
        ...transports.map(([name, sessions]) => `${name} unix - - n - ${sessions} smtp`),
        'scache unix - - n - 1 scache',
        // postqueue looks for it before it asks qmgr to deliver.
        'pickup unix n - n 60 1 pickup',
      ],
    })
    postfix.dropLog()
    return new PostfixClient(postfix, sink)
  }

  /** @returns messages per second at the server, from the first message to the last */
  async measure(destination: Destination, kilobytes: number, messages: number): Promise<number> {
    await this.#enqueue(destination, kilobytes, messages)
    const arrived = this.#waitFor(messages)
    for (const args of [
      ['postsuper', '-H', 'ALL'],
      ['postqueue', '-f'],
    ] as const)
      await execute(`/usr/sbin/${args[0]}`, ['-c', this.#postfix.configuration, ...args.slice(1)])
    const seconds = await arrived
    return (messages - 1) / seconds
  }

  async #enqueue(destination: Destination, kilobytes: number, messages: number): Promise<void> {
    const options = ['-d', '-s', '10', '-l', kilobytes * 1024, '-m', messages, '-f', 'a@elsewhere.example']
    const to = ['-t', `b@${domainFor(destination)}`, `127.0.0.1:${this.#postfix.port}`]
    await execute('/usr/sbin/smtp-source', [...options, ...to].map(String))
    const held = `${this.#postfix.queue}/hold`
    while (filesBelow(held).length < messages) await delay(20)
  }

  /** @returns seconds from the first message to the last */
  async #waitFor(messages: number): Promise<number> {
    const before = this.#sink.count
    const { promise, resolve } = Promise.withResolvers<number>()
    let firstAt = 0
    this.#sink.onCount = (count) => {
      if (count > before && firstAt === 0) firstAt = performance.now()
      if (count >= before + messages) resolve((performance.now() - firstAt) / 1000)
    }
    return promise
  }

  stop(): Promise<void> {
    return this.#postfix.stop()
  }
}

const domainFor = ({ port, sessions }: Destination): string => `sessions-${sessions}-port-${port}.example`
/** A transport of its own for each number of sessions, because a limit belongs to a transport. */
const transportFor = ({ sessions }: Destination): string => `sessions${sessions}`
