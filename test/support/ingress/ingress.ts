/** A real ingress on loopback with storage and connectors in memory, and a client that reads every octet. */
import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { type Ingress, type RecipientSources, startIngress } from '../../../functions/smtp-ingress/ingress.ts'
import type { MessageRateLimiter } from '../../../functions/smtp-ingress/limits/message-rate-limiter.ts'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import { IngressEnvironment } from '../../../shared/contract/environment.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { snapshot } from '../fixtures.ts'
import { MemoryBucket, MemoryEvents, MemoryNotices, MemoryQueue } from '../memory-storage.ts'
import { type Identity, selfSigned } from '../pki.ts'
import { within } from '../within.ts'

type Line = Record<string, unknown>

export interface TestIngress extends Ingress {
  bucket: MemoryBucket
  queue: MemoryQueue
  notices: MemoryNotices
  events: MemoryEvents
  /** The parsed log and metrics. */
  lines: Line[]
  /** Returns the first log line with this message, past or future. */
  logged(message: string): Promise<Line>
  connectors: { fail: boolean }
  connect(): Promise<Wire>
}

export interface TestIngressOptions {
  inbound?: InboundConnector[]
  acceptedDomains?: string[]
  /** Returns the connectors in place of the fields above. */
  snapshot?(): Snapshot
  /** When absent, no recipient is checked. */
  recipients?: RecipientSources
  settings?: Partial<IngressEnvironmentSettings>
  /** A fixed time, for a test that must not cross an hour. */
  at?: Date
  /** When absent, the message rate is unlimited. */
  rates?: MessageRateLimiter
  /** When absent, revocation is not checked. */
  revocation?: NonNullable<Parameters<typeof startIngress>[0]['revocation']>
  /** Reads the secret with the certificates, in place of those in the environment. */
  readCertificates?(): Promise<string>
}

type IngressEnvironmentSettings = Parameters<typeof startIngress>[0]['environment']

const fromSecret = { TLS_CERTIFICATE: undefined, TLS_PRIVATE_KEY: undefined, TLS_SECRET_SECONDS: 1 }

const identity: Promise<Identity> = selfSigned({ names: ['mx.ours.example'] })

export async function startTestIngress(options: TestIngressOptions = {}): Promise<TestIngress> {
  const { cert, key } = await identity
  const environment = IngressEnvironment.parse({
    MAIL_HOSTNAME: 'mx.ours.example',
    CONNECTORS_TABLE: 'connectors',
    TRANSPORT_TABLE: 'transport',
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: 'http://queue.example/evaluation',
    EVENTS_QUEUE_URL: 'http://queue.example/events',
    TLS_CERTIFICATE: cert,
    TLS_PRIVATE_KEY: key,
    LISTEN_ADDRESS: '127.0.0.1',
  })
  const compiled = snapshot(options)
  const connectors = { fail: false }
  const bucket = new MemoryBucket()
  const queue = new MemoryQueue()
  const notices = new MemoryNotices()
  const events = new MemoryEvents()
  const lines: Line[] = []
  const changes = new EventEmitter()
  const ingress = await startIngress({
    environment: {
      ...environment,
      ...(options.readCertificates && fromSecret),
      SMTP_PORT: 0,
      HEALTH_PORT: 0,
      DRAIN_SECONDS: 5,
      ...options.settings,
    },
    snapshots: {
      async current() {
        if (connectors.fail) throw new Error('the table is away')
        return options.snapshot?.() ?? compiled
      },
    },
    s3: bucket.client,
    queue,
    notices,
    events,
    probeQueue: () => queue.before(),
    ...(options.rates && { rates: options.rates }),
    ...(options.recipients && { recipients: options.recipients }),
    ...(options.revocation && { revocation: options.revocation }),
    ...(options.readCertificates && { readCertificates: options.readCertificates }),
    now: () => options.at ?? new Date(),
    write(line) {
      lines.push(JSON.parse(line))
      changes.emit('line')
    },
  })
  async function logged(message: string): Promise<Line> {
    for (;;) {
      const line = lines.find((line) => line.message === message)
      if (line) return line
      await within(timeoutMs, once(changes, 'line'), `the line "${message}"`)
    }
  }
  return {
    ...ingress,
    bucket,
    queue,
    notices,
    events,
    lines,
    logged,
    connectors,
    connect: () => Wire.open(ingress.smtpPort),
  }
}

/** Timeout of a wait in milliseconds. */
const timeoutMs = 30_000

/** One SMTP connection as octets. */
export class Wire {
  readonly #tcp: Socket
  #socket: Socket | TLSSocket
  #read = ''
  #ended = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.#tcp = socket
    this.#socket = socket
    this.#listen()
  }

  /** @param from the client's address, in 127.0.0.0/8 */
  static async open(port: number, from = '127.0.0.1'): Promise<Wire> {
    return new Wire(connect({ port, host: '127.0.0.1', localAddress: from }))
  }

  /** Opens a connection and sends EHLO. */
  static async greet(port: number, from?: string): Promise<Wire> {
    const wire = await Wire.open(port, from)
    await wire.reply()
    await wire.command('EHLO client.example')
    return wire
  }

  write(octets: string | Buffer): void {
    this.#socket.write(typeof octets === 'string' ? Buffer.from(octets, 'utf8') : octets)
  }

  /** Sends a line and returns the complete reply, its lines joined by LF. */
  command(line: string): Promise<string> {
    this.write(`${line}\r\n`)
    return this.reply()
  }

  /** The next line without CRLF, or null when the server has closed. A line without CRLF fails the test. */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#read.indexOf('\n')
      if (end >= 0) return this.#cut(end)
      if (this.#ended) return null
      await this.#more('a line of the server')
    }
  }

  async reply(): Promise<string> {
    const lines: string[] = []
    for (;;) {
      const line = await this.line()
      if (line === null) return lines.join('\n')
      lines.push(line)
      if (line[3] !== '-') return lines.join('\n')
    }
  }

  /** Makes the TLS handshake, after the 220 was read. */
  async secure(options: ConnectionOptions = {}): Promise<TLSSocket> {
    this.#socket.removeAllListeners('data')
    this.#socket.removeAllListeners('close')
    const secured = connectTls({ socket: this.#socket, rejectUnauthorized: false, ...options })
    this.#socket = secured
    this.#listen()
    await within(timeoutMs, once(secured, 'secureConnect'), 'the end of the handshake')
    return secured
  }

  /** Sends STARTTLS, makes the handshake, and sends EHLO again. */
  async startTls(options: ConnectionOptions = {}): Promise<TLSSocket> {
    await this.command('STARTTLS')
    const socket = await this.secure(options)
    await this.command('EHLO client.example')
    return socket
  }

  /**
   * Makes a complete transaction.
   * @returns the reply to the end of data
   */
  async send(body: string | Buffer, from = 'a@elsewhere.example', to = ['b@ours.example']): Promise<string> {
    await this.command(`MAIL FROM:<${from}>`)
    for (const recipient of to) await this.command(`RCPT TO:<${recipient}>`)
    await this.command('DATA')
    this.write(body)
    return this.command('.')
  }

  /** Ends the client's side and returns the octets that the server sends before it closes. */
  async end(): Promise<string> {
    this.#socket.end()
    while (!this.#ended) await this.#more('the end of the connection')
    return this.#read
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Ends the connection below TLS with RST. */
  reset(): void {
    this.#tcp.resetAndDestroy()
  }

  #more(description: string): Promise<void> {
    const more = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    return within(timeoutMs, more, description)
  }

  #cut(end: number): string {
    const line = this.#read.slice(0, end)
    this.#read = this.#read.slice(end + 1)
    if (!line.endsWith('\r')) throw new Error(`line without CRLF: ${JSON.stringify(line)}`)
    return line.slice(0, -1)
  }

  #listen(): void {
    this.#socket.on('data', (octets) => {
      this.#read += octets.toString('utf8')
      this.#wake()
    })
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }
}
