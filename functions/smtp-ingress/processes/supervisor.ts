/**
 * Watches over the processes that take mail, one for each processor of the task. It takes no mail itself, so that
 * little can bring it down: it counts the sessions of all workers, gathers what they count, answers the load balancer
 * for them, starts those anew that die, and ends them all within the time there is. When a worker dies, its sessions
 * end, as those of a task would, and what it counted since its last report is lost, ten seconds at the most.
 */
import { Metric } from '../../../shared/contract/metrics.ts'
import type { SessionCounts } from '../limits/admission.ts'
import { WorkerCounts } from '../limits/rates-counts.ts'
import { causeOf, type Log } from '../log.ts'
import { Metrics } from '../metrics.ts'
import { type FromSupervisor, type FromWorker, Outbox, type Report, type SendList } from './messages.ts'
import type { Took } from './rates-by-supervisor.ts'

/** A process that takes mail, as the operating system and Node.js show it. */
export interface WorkerProcess {
  pid: number | undefined
  send: SendList<FromSupervisor>
  onMessages(take: (messages: readonly FromWorker[]) => void): void
  /** Once; every message it sent has been taken before. */
  onExit(take: (ended: string) => void): void
  kill(): void
}

export interface SupervisorOptions {
  workers: number
  admission: SessionCounts
  /** Milliseconds that a worker takes at most to drain. */
  drainMs: number
  fork(): WorkerProcess
  write(line: string): void
  log: Log
  now(): Date
}

/** Milliseconds before a worker that died is started anew; doubles with each that dies soon after its start. */
const shortestPause = 100
const longestPause = 10_000
/** A worker that listened for so long had started well. */
const settledMs = 60_000

/** Milliseconds that a worker has to say how it fares; a load balancer waits for five seconds. */
const reportMs = 2000

/** Milliseconds beyond the drain, in which workers pass on what they counted and end. */
const farewellMs = 2000

/** Addresses whose messages are counted at once: some megabytes. */
const mostAddresses = 65_536

class Worker {
  readonly number: number
  readonly process: WorkerProcess
  readonly outbox: Outbox<FromSupervisor>
  /** Sessions of each address that were admitted for it. */
  readonly sessions = new Map<string, number>()
  smtpPort: number | null = null
  listeningSince = 0
  connections = 0
  /** Why it cannot start. */
  cause: string | null = null

  constructor(number: number, process: WorkerProcess) {
    this.number = number
    this.process = process
    this.outbox = new Outbox((messages, done) => process.send(messages, done))
  }

  get isListening(): boolean {
    return this.smtpPort !== null
  }
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #metrics = new Metrics()
  readonly #workers = new Set<Worker>()
  readonly #reports = new Map<number, { from: Worker; take(report: Report | null): void }>()
  readonly #restarts = new Set<NodeJS.Timeout>()
  readonly #taken = new WorkerCounts(mostAddresses)
  #started = 0
  #request = 0
  #pause = shortestPause
  #draining: Promise<void> | null = null
  #isDraining = false
  #asked: Promise<string | null> | null = null
  /** While the first of each are started: one that cannot start ends the task. */
  #starting: PromiseWithResolvers<number> | null = null
  #whenEmpty: (() => void) | null = null

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /**
   * Resolves with the port, when every worker listens; never, when it is drained before that.
   * @throws Error when one ends before it does, with its cause; the others are ended, too
   */
  async start(): Promise<number> {
    this.#starting = Promise.withResolvers<number>()
    try {
      for (let worker = 0; worker < this.#options.workers; worker++) this.#fork()
      return await this.#starting.promise
    } catch (error) {
      this.#isDraining = true
      for (const { process } of this.#workers) process.kill()
      throw error
    } finally {
      this.#starting = null
    }
  }

  /** Why the task should get no new connections, or null. Whoever asks meanwhile gets the same answer. */
  fault(): Promise<string | null> {
    this.#asked ??= this.#askForFault().finally(() => {
      this.#asked = null
    })
    return this.#asked
  }

  /** Asks the workers for what they counted, and writes it. */
  async writeMetrics(): Promise<void> {
    await this.#askAll()
    const connections = this.#workers.values().reduce((sum, worker) => sum + worker.connections, 0)
    const { write, now } = this.#options
    this.#metrics.flush({ [Metric.connections]: connections }, now().getTime()).forEach(write)
  }

  /** Resolves when every worker has ended, at the end of its time by force. What they counted is written. */
  drain(): Promise<void> {
    this.#draining ??= this.#isDraining ? Promise.resolve() : this.#drain()
    return this.#draining
  }

  async #drain(): Promise<void> {
    this.#isDraining = true
    for (const restart of this.#restarts) clearTimeout(restart)
    const { log, drainMs } = this.#options
    log('info', 'draining', { workers: this.#workers.size, connections: this.#options.admission.sessions })
    for (const worker of this.#workers)
      if (worker.isListening) worker.outbox.tell({ kind: 'Drain' })
      else worker.process.kill()
    const end = setTimeout(() => this.#killAll(), drainMs + farewellMs)
    if (this.#workers.size > 0) await new Promise<void>((resolve) => (this.#whenEmpty = resolve))
    clearTimeout(end)
    await this.writeMetrics()
  }

  get #listening(): Worker[] {
    return [...this.#workers].filter(({ isListening }) => isListening)
  }

  #fork(): void {
    const worker = new Worker(++this.#started, this.#options.fork())
    this.#workers.add(worker)
    worker.process.onMessages((messages) => {
      for (const message of messages) this.#take(message, worker)
    })
    worker.process.onExit((ended) => this.#ended(worker, ended))
  }

  #take(message: FromWorker, worker: Worker): void {
    if (message.kind === 'Admit') this.#admit(message, worker)
    else if (message.kind === 'Release') this.#release(message.address, worker)
    else if (message.kind === 'Took') this.#tellOfOthers(message, worker)
    else if (message.kind === 'Report') this.#report(message, worker)
    else if (message.kind === 'Listening') this.#listens(message.smtpPort, worker)
    else worker.cause = message.cause
  }

  #admit({ request, address }: Extract<FromWorker, { kind: 'Admit' }>, worker: Worker): void {
    const refused = this.#options.admission.admit(address)
    if (refused === null) worker.sessions.set(address, (worker.sessions.get(address) ?? 0) + 1)
    worker.outbox.tell({ kind: 'Admitted', request, refused })
  }

  #release(address: string, worker: Worker): void {
    const sessions = worker.sessions.get(address) ?? 0
    if (sessions === 0) return
    if (sessions > 1) worker.sessions.set(address, sessions - 1)
    else worker.sessions.delete(address)
    this.#options.admission.release(address)
  }

  #tellOfOthers({ request, key, minute, taken }: Took, { number, outbox }: Worker): void {
    const others = this.#taken.report(number, key, minute, taken)
    outbox.tell({ kind: 'OthersTook', request, others })
  }

  #report(report: Report, worker: Worker): void {
    worker.connections = report.connections
    for (const { metric, dimension, count } of report.counts) this.#metrics.count(metric, dimension, count)
    if (report.request !== null) this.#answer(report.request, report)
  }

  #answer(request: number, report: Report | null): void {
    this.#reports.get(request)?.take(report)
    this.#reports.delete(request)
  }

  #listens(smtpPort: number, worker: Worker): void {
    worker.smtpPort = smtpPort
    const { log, workers, now } = this.#options
    worker.listeningSince = now().getTime()
    if (this.#starting === null) log('info', 'worker listens again', { pid: worker.process.pid ?? null })
    else if (this.#listening.length === workers) this.#starting.resolve(smtpPort)
  }

  #ended(worker: Worker, ended: string): void {
    this.#workers.delete(worker)
    for (const [address, sessions] of worker.sessions)
      for (let session = 0; session < sessions; session++) this.#options.admission.release(address)
    for (const [request, { from }] of this.#reports) if (from === worker) this.#answer(request, null)
    if (this.#workers.size === 0) this.#whenEmpty?.()
    if (this.#isDraining) return
    if (this.#starting === null) this.#restart(worker, ended)
    else this.#starting.reject(new Error(worker.cause ?? `a worker ended by ${ended} before it listened`))
  }

  #restart(worker: Worker, ended: string): void {
    const { process, sessions, cause, isListening, listeningSince } = worker
    const lost = sessions.values().reduce((sum, count) => sum + count, 0)
    this.#metrics.count(Metric.workersEnded)
    this.#options.log('error', 'worker ended', { pid: process.pid ?? null, ended, cause, sessions: lost })
    if (isListening && this.#options.now().getTime() - listeningSince >= settledMs)
      this.#pause = shortestPause
    this.#forkLater()
  }

  #forkLater(): void {
    const restart = setTimeout(() => {
      this.#restarts.delete(restart)
      try {
        this.#fork()
      } catch (error) {
        this.#options.log('error', 'worker cannot be started', { cause: causeOf(error) })
        this.#forkLater()
      }
    }, this.#pause)
    this.#restarts.add(restart)
    this.#pause = Math.min(2 * this.#pause, longestPause)
  }

  async #askForFault(): Promise<string | null> {
    if (this.#isDraining) return 'draining'
    if (this.#starting !== null) return 'starting'
    const isMissing = this.#listening.length < this.#options.workers
    const faults = (await this.#askAll()).map((report) =>
      report ? report.fault : 'a worker does not answer',
    )
    return faults.find((fault) => fault !== null) ?? (isMissing ? 'a worker is missing' : null)
  }

  /** @returns a report of each worker that listens; null of one that does not answer in time, or dies meanwhile */
  #askAll(): Promise<(Report | null)[]> {
    return Promise.all(this.#listening.map((worker) => this.#ask(worker)))
  }

  #ask(from: Worker): Promise<Report | null> {
    const request = ++this.#request
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer(request, null), reportMs)
      const take = (report: Report | null) => {
        clearTimeout(timer)
        resolve(report)
      }
      this.#reports.set(request, { from, take })
      from.outbox.tell({ kind: 'ReportNow', request })
    })
  }

  #killAll(): void {
    this.#options.log('error', 'workers did not end in time', { workers: this.#workers.size })
    for (const { process } of this.#workers) process.kill()
  }
}
