/** Runs the local runner as a user does, in its own process, and uses only its public interfaces. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls, TLSSocket } from 'node:tls'
import type { Endpoints } from '../../../infra/local/endpoints.ts'

const root = join(import.meta.dirname, '../../..')

export interface RunnerProcess {
  readonly endpoints: Endpoints
  readonly process: ChildProcess
  /** Lines of stderr so far. */
  readonly stderrLines: string[]
  /** Lines of stdout after the ready line so far. */
  readonly output: string[]
  /** Resolves with the first line of stderr, past or future, that matches. */
  stderrLine(pattern: RegExp): Promise<string>
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number | null>
}

export interface RunnerResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the runner on free ports, by default without the demo. */
export async function startRunner(
  zone: object,
  args: readonly string[] = ['--no-demo'],
  start: typeof launch = launch,
): Promise<RunnerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-test-'))
  const zoneFile = join(folder, 'zone.json')
  writeFileSync(zoneFile, JSON.stringify(zone))
  const child = start(['--smtp-port', '0', '--api-port', '0', '--zone', zoneFile, ...args])
  const kill = () => child.kill('SIGTERM')
  process.once('exit', kill)
  child.once('exit', () => {
    process.off('exit', kill)
    rmSync(folder, { recursive: true })
  })
  const stderrLines: string[] = []
  const output: string[] = []
  const errors = createInterface({ input: child.stderr as NonNullable<typeof child.stderr> })
  errors.on('line', (line) => stderrLines.push(line))
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> })
  const ready = new Promise<Endpoints>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.startsWith('mailflow ready ')) resolve(JSON.parse(line.slice('mailflow ready '.length)))
      else output.push(line)
    })
    child.once('exit', (code) =>
      reject(new Error(`the runner ended with ${code}: ${stderrLines.join('\n')}`)),
    )
  })
  return {
    endpoints: await ready,
    process: child,
    stderrLines,
    output,
    stderrLine: async (pattern) => {
      for (;;) {
        const match = stderrLines.find((line) => pattern.test(line))
        if (match !== undefined) return match
        await once(errors, 'line')
      }
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      const [code] = await exited
      return code
    },
  }
}

/** Runs the runner until it ends by itself. */
export async function runToEnd(args: readonly string[]): Promise<RunnerResult> {
  const child = launch(args)
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

/** @param temporary the folder in which the runner makes its temporary folder */
export function launch(
  args: readonly string[],
  temporary = tmpdir(),
  environment: NodeJS.ProcessEnv = {},
): ChildProcess {
  return spawn(process.execPath, ['infra/local/main.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary, ...environment },
  })
}

/**
 * Starts the runner with one more public root.
 * @param authority PEM
 */
export function launchTrusting(authority: string): typeof launch {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-root-'))
  const file = join(folder, 'root.pem')
  writeFileSync(file, authority)
  return (args) => {
    const child = launch(args, tmpdir(), { NODE_EXTRA_CA_CERTS: file })
    child.once('exit', () => rmSync(folder, { recursive: true }))
    return child
  }
}

/** Starts the runner through npm, as a user does. npm's own output is suppressed. */
export function launchWithNpm(args: readonly string[]): ChildProcess {
  return spawn('npm', ['start', '--silent', '--', ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** A client of the HTTP API. */
export class Api {
  readonly #base: string

  constructor({ api }: Endpoints) {
    this.#base = api
  }

  async call<T = unknown>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text || 'null') as T
  }

  /**
   * Applies these changes to a resource.
   * @param query of the PUT
   */
  async change(path: string, changes: object, query = ''): Promise<void> {
    const response = await fetch(`${this.#base}${path}`)
    const { id, createdAt, updatedAt, version, validation, warnings, ...fields } =
      (await response.json()) as Record<string, unknown>
    const answer = await fetch(`${this.#base}${path}${query}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', 'if-match': response.headers.get('etag') ?? '' },
      body: JSON.stringify({ ...fields, ...changes }),
    })
    if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${await answer.text()}`)
  }

  async remove(path: string, query = ''): Promise<void> {
    const { headers } = await fetch(`${this.#base}${path}`)
    const answer = await fetch(`${this.#base}${path}${query}`, {
      method: 'DELETE',
      headers: { 'if-match': headers.get('etag') ?? '' },
    })
    if (!answer.ok) throw new Error(`DELETE ${path}: ${answer.status} ${await answer.text()}`)
  }

  /** @returns the connector's id */
  async create(kind: 'inbound' | 'outbound', connector: object): Promise<string> {
    return (await this.call<{ id: string }>('POST', `/${kind}-connectors`, connector)).id
  }

  /** Resolves with the trace when every recipient is in one of these states. */
  async settled(
    id: string,
    states: readonly string[] = ['Delivered', 'Bounced', 'Deferred'],
  ): Promise<Trace> {
    return waitForResult(async () => {
      const trace = await this.call<Trace>('GET', `/messages/${id}`).catch(() => null)
      // The trace has the message a moment before its recipients.
      if (trace === null || trace.recipients.length === 0) return null
      return trace.recipients.every(({ state }) => states.includes(state)) ? trace : null
    })
  }
}

export interface Trace {
  id: string
  direction: string
  tls: { negotiated: boolean; protocol: string | null; cipher: string | null }
  envelope: { mailFrom: string; rcptTo: string[] }
  size: number
  recipients: {
    address: string
    state: string
    firstHeld: { reason: string } | null
    released: { reason: string | null } | null
    notifications: unknown[]
    verdict: {
      action: string
      reason: string
      explanation: string
      reply: string | null
      at: string
      considered: { name: string; outcome: string; why: string }[]
      connectors: { inbound: string | null; outbound: string | null }
    }
    attempts: {
      host: string | null
      ip: string | null
      tls: { protocol: string; verified: boolean } | null
      reply: string
    }[]
  }[]
}

/**
 * Repeats a request until it has a result.
 * @throws Error after `timeoutMs`; the default is long enough for a slow machine
 */
export async function waitForResult<T>(
  request: () => Promise<T | null> | T | null,
  pauseMs = 100,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    const answer = await request()
    if (answer !== null) return answer
    await delay(pauseMs)
  }
  throw new Error(`still no answer after ${timeoutMs / 1000} s: ${request}`)
}

export interface ClientTls {
  cert?: string
  key?: string
  minVersion?: 'TLSv1.2' | 'TLSv1.3'
  maxVersion?: 'TLSv1.2' | 'TLSv1.3'
}

/** An SMTP client that sends the test's octets unchanged. */
export class SmtpClient {
  #socket: Socket
  #lines: Lines

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#lines = new Lines(socket)
  }

  /**
   * Connects, reads the greeting and sends EHLO; with `tls`, over TLS.
   * @param localAddress the address of the client, such as 127.0.0.2
   */
  static async open(
    { smtp }: Pick<Endpoints, 'smtp'>,
    tls?: ClientTls,
    localAddress?: string,
  ): Promise<SmtpClient> {
    const [host = '', port] = smtp.split(':')
    const client = new SmtpClient(
      connect({ port: Number(port), host, ...(localAddress && { localAddress }) }),
    )
    await client.reply()
    // A real server with a certificate has another name than a server without one.
    await client.command(`EHLO ${tls?.cert === undefined ? 'client' : 'certified'}.example`)
    if (tls !== undefined) await client.#secure(tls)
    return client
  }

  /** The server's certificate; null when the session has no TLS. */
  get serverCertificate(): X509Certificate | null {
    return (this.#socket instanceof TLSSocket && this.#socket.getPeerX509Certificate()) || null
  }

  async command(line: string): Promise<string> {
    this.write(`${line}\r\n`)
    return this.reply()
  }

  /** The last line of the next reply; an empty text when the connection ended. */
  async reply(): Promise<string> {
    for (;;) {
      const line = await this.#lines.next()
      if (line.charAt(3) !== '-') return line
    }
  }

  /** Returns the first negative reply, or the reply to the message. */
  async send(from: string, to: readonly string[], content: string): Promise<string> {
    const commands = [`MAIL FROM:<${from}>`, ...to.map((address) => `RCPT TO:<${address}>`), 'DATA']
    for (const line of commands) {
      const answer = await this.command(line)
      if (!/^[23]/.test(answer)) return answer
    }
    this.write(`${content.replaceAll(/^\./gm, '..')}.\r\n`)
    return this.reply()
  }

  write(octets: string): void {
    if (this.#socket.writable) this.#socket.write(octets)
  }

  close(): void {
    this.#socket.destroy()
  }

  async #secure(tls: ClientTls): Promise<void> {
    await this.command('STARTTLS')
    this.#lines.release()
    const secured: TLSSocket = connectTls({ socket: this.#socket, rejectUnauthorized: false, ...tls })
    await once(secured, 'secureConnect')
    this.#socket = secured
    this.#lines = new Lines(secured)
    await this.command('EHLO client.example')
  }
}

/** A socket's lines, one at a time. */
class Lines {
  readonly #socket: Socket
  readonly #waiting: ((line: string) => void)[] = []
  readonly #ready: string[] = []
  #rest = ''
  #ended = false

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', this.#take)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#ended = true
      for (const resolve of this.#waiting.splice(0)) resolve('')
    })
  }

  async next(): Promise<string> {
    const line = this.#ready.shift()
    if (line !== undefined) return line
    return this.#ended ? '' : new Promise((resolve) => this.#waiting.push(resolve))
  }

  release(): void {
    this.#socket.off('data', this.#take)
  }

  #take = (octets: Buffer): void => {
    const lines = (this.#rest + octets.toString('latin1')).split('\r\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const resolve = this.#waiting.shift()
      if (resolve === undefined) this.#ready.push(line)
      else resolve(line)
    }
  }
}

/** Sends one message on its own connection and returns the reply. */
export async function sendMessage(
  endpoints: Endpoints,
  from: string,
  to: string | readonly string[],
  content: string,
  tls?: ClientTls,
): Promise<string> {
  const client = await SmtpClient.open(endpoints, tls)
  const reply = await client.send(from, [to].flat(), content)
  client.close()
  return reply
}

/** The id in `250 2.0.0 Ok: queued as <id>`. */
export function messageIdIn(reply: string): string {
  const id = /\b[0-9A-HJKMNP-TV-Z]{26}\b/.exec(reply)?.[0]
  if (id === undefined) throw new Error(`no message id in "${reply}"`)
  return id
}
