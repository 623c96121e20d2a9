/**
 * The load of many sending servers from one process. The process keeps a number of sessions open, each with one message
 * after another, or opens a new session for each message. Failures are counted, and the session begins again.
 */
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Identity } from '../support/pki.ts'
import { ClientSession, transactionInChunks } from './client-session.ts'
import { type Tally, TallyCounter } from './tally.ts'

export interface Load {
  port: number
  /** Number of concurrent sessions. */
  connections: number
  mode: Mode
  /** The only key exchange offered, with TLSv1.3 and TLS_AES_256_GCM_SHA384; null leaves sessions without TLS. */
  group: string | null
  /** Whether a session resumes the TLS session of an earlier one, if the server has sent a ticket. */
  resume: boolean
  /** Includes the final dot. */
  message: Buffer
  /** The certificate of the sending servers; by default they have none. */
  identity?: Identity
  /** Default: a@elsewhere.example, always with BDAT. */
  sender?: string
  /** The command that transmits messages: DATA after the reply 354, or BDAT in one write with MAIL and RCPT. */
  command?: 'DATA' | 'BDAT'
  /** Milliseconds of load before the measured time. */
  leadInMs: number
  /** Milliseconds of the measured time. */
  durationMs: number
}

/**
 * `Persistent` sessions stay open; times run from MAIL to the reply to the end of data. `Connection` opens a session
 * for each message; times run from its connection.
 */
export type Mode = 'Persistent' | 'Connection'

export interface LoadResult extends Tally {
  /**
   * Processors that this program used in the measured time, over all its threads. One event loop can use 1 at most.
   */
  busy: number
}

/** Milliseconds until a missing reply is a failure. */
const timeoutMs = 30_000
/** Milliseconds before a failed session begins again. */
const pauseAfterFailure = 100
/** Sessions opened concurrently before a load begins. */
const maxConcurrentOpens = 25
const failuresWhileOpening = 10

/**
 * A message with its final dot, in lines of usual length.
 * @param octets size of the message
 */
export function sampleMessage(octets: number): Buffer {
  const head = 'From: a@elsewhere.example\r\nTo: b@ours.example\r\nSubject: load\r\n\r\n'
  const line = `${'x'.repeat(74)}\r\n`
  const body = head + line.repeat(Math.max(0, Math.round((octets - head.length) / line.length)))
  return Buffer.from(`${body}.\r\n`)
}

export class LoadRun {
  readonly #load: Load
  readonly #message: Buffer
  readonly #context: SecureContext | null
  readonly #slots: Slot[]
  readonly tallying = new TallyCounter()
  /** The last ticket received. Several sessions may resume it, as sending servers do. */
  #ticket: Buffer | null = null
  #isRunning = false
  #active = 0
  #finished: () => void = () => {}
  #failuresLeft = failuresWhileOpening

  constructor(load: Load) {
    this.#load = load
    this.#message = load.command === 'BDAT' ? transactionInChunks(load.message) : load.message
    this.#context = load.group === null ? null : secureContext(load.group, load.identity)
    this.#slots = Array.from({ length: load.connections }, () => new Slot(this))
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  get mode(): Mode {
    return this.#load.mode
  }

  /**
   * Opens the sessions that stay open.
   * @throws Error when the server does not accept the sessions
   */
  async open(): Promise<void> {
    if (this.mode === 'Connection') return
    const watch = this.#watch()
    const remainingSlots = this.#slots.values()
    const opener = async () => {
      for (const slot of remainingSlots) while (!(await slot.open())) this.#allowFailure()
    }
    try {
      await Promise.all(Array.from({ length: maxConcurrentOpens }, opener))
    } finally {
      clearInterval(watch)
    }
  }

  #allowFailure(): void {
    if (--this.#failuresLeft >= 0) return
    const [cause] = this.tallying.tally.errors.keys()
    throw new Error(`cannot open ${this.#load.connections} sessions: ${cause}`)
  }

  /** Resolves when every message has its reply. Persistent sessions stay open until `close`. */
  async run(): Promise<LoadResult> {
    const { leadInMs: leadIn, durationMs: duration } = this.#load
    const from = performance.now() + leadIn
    this.tallying.begin(from, from + duration)
    const watch = this.#watch()
    const busy = processorsBusy(leadIn, duration)
    const end = setTimeout(() => {
      this.#isRunning = false
    }, leadIn + duration)
    this.#isRunning = true
    this.#active = this.#slots.length
    const finished = new Promise<void>((resolve) => {
      this.#finished = resolve
    })
    for (const slot of this.#slots) slot.begin()
    await finished
    clearInterval(watch)
    clearTimeout(end)
    return { ...this.tallying.tally, busy: await busy }
  }

  close(): void {
    for (const slot of this.#slots) slot.close()
  }

  /** Called when a slot has nothing more to do. */
  finish(): void {
    if (--this.#active === 0) this.#finished()
  }

  /** @param events handlers of one session; the handlers that all sessions share are added */
  connect(events: { ready(): void; accepted(): void; ended(): void; failed(): void }): ClientSession {
    const { port, command, resume, sender } = this.#load
    const context = this.#context
    return new ClientSession(
      {
        port,
        message: this.#message,
        isPipelined: command === 'BDAT',
        sender,
        tls: context && { context, session: this.#ticket },
      },
      {
        ...events,
        failed: (cause) => {
          this.tallying.failed(cause)
          events.failed()
        },
        secured: (socket) => this.tallying.secured(socket),
        ...(resume && {
          ticket: (ticket: Buffer) => {
            this.#ticket = ticket
          },
        }),
      },
    )
  }

  #watch(): NodeJS.Timeout {
    return setInterval(() => {
      const now = performance.now()
      for (const slot of this.#slots) slot.watch(now)
    }, 1000)
  }
}

/** Runs one session at a time. */
class Slot {
  readonly #run: LoadRun
  #session: ClientSession | null = null
  #began = 0
  #opened: ((isOpen: boolean) => void) | null = null
  /** True from the beginning of the load until the slot has nothing more to do. */
  #isActive = false

  constructor(run: LoadRun) {
    this.#run = run
  }

  open(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#opened = resolve
      this.#connect()
    })
  }

  begin(): void {
    this.#isActive = true
    if (this.#session) this.#send()
    else this.#connect()
  }

  close(): void {
    this.#session?.quit()
  }

  watch(now: number): void {
    const session = this.#session
    if (session?.isWaiting && now - session.since > timeoutMs)
      session.fail(`silent for ${timeoutMs / 1000} s`)
  }

  #connect(): void {
    this.#began = performance.now()
    this.#session = this.#run.connect({
      ready: () => this.#ready(),
      accepted: () => this.#accepted(),
      ended: () => this.#next(),
      failed: () => this.#failed(),
    })
  }

  #ready(): void {
    if (this.#opened) this.#answerOpener(true)
    else if (this.#run.mode === 'Connection') this.#session?.send()
    else this.#sendNext()
  }

  #accepted(): void {
    this.#run.tallying.accepted(this.#began)
    if (this.#run.mode === 'Connection') this.#session?.quit()
    else this.#sendNext()
  }

  #sendNext(): void {
    if (this.#run.isRunning) this.#send()
    else this.#rest()
  }

  #send(): void {
    this.#began = performance.now()
    this.#session?.send()
  }

  #next(): void {
    this.#session = null
    if (!this.#isActive) return
    if (this.#run.isRunning) this.#connect()
    else this.#rest()
  }

  #rest(): void {
    this.#isActive = false
    this.#run.finish()
  }

  #failed(): void {
    this.#session = null
    if (this.#opened) this.#answerOpener(false)
    else if (this.#isActive) setTimeout(() => this.#next(), pauseAfterFailure)
  }

  #answerOpener(isOpen: boolean): void {
    this.#opened?.(isOpen)
    this.#opened = null
  }
}

const secureContext = (group: string, { cert, key }: Partial<Identity> = {}): SecureContext =>
  createSecureContext({
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_256_GCM_SHA384',
    ecdhCurve: group,
    ...(cert !== undefined && { cert, key }),
  })

async function processorsBusy(leadIn: number, duration: number): Promise<number> {
  const at = (milliseconds: number) =>
    new Promise<NodeJS.CpuUsage>((resolve) => setTimeout(() => resolve(process.cpuUsage()), milliseconds))
  const [before, after] = await Promise.all([at(leadIn), at(leadIn + duration)])
  return (after.user + after.system - before.user - before.system) / 1000 / duration
}
