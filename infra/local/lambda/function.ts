/** A Lambda function: creates execution environments on demand, reuses them, and replaces an environment that dies. */
import { randomUUID } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import type { Writable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { firstErrorLine } from '../start-error.ts'
import type { EnvironmentData, Invocation, Report } from './bootstrap.ts'

export interface FunctionDefinition extends EnvironmentData {
  readonly name: string
  readonly environment: Readonly<Record<string, string>>
  readonly timeoutSeconds: number
  /** Limit of concurrent invocations; further invocations wait. */
  readonly concurrency: number
}

/** An invocation failed: the handler threw or timed out, or its environment died. */
export class InvocationError extends Error {}

/** An invocation that has ended, as benchmarks record it. */
export interface MeasuredInvocation {
  readonly name: string
  /** The session token of the execution environment, which signs its requests to AWS. */
  readonly environment: string
  readonly event: unknown
  /** Milliseconds since the process started. */
  readonly startedAt: number
  readonly durationMs: number
  /** Processor time of the environment's thread. */
  readonly cpuMs: number
  /** Milliseconds in which the environment was created; null when it had run an invocation before. */
  readonly coldStartMs: number | null
}

const measuredInvocations = channel('mailflow:invocation')

/**
 * An event waits this long for a busy environment before another is created. Lambda needs about as long to create one.
 * Most invocations take less, and each new thread must first compile the handler.
 */
const creationTimeMs = 250

interface Environment {
  readonly id: string
  readonly worker: Worker
  readonly ready: Promise<void>
  /** Milliseconds of the creation; null after the first invocation. */
  coldStartMs: number | null
}

export class LambdaFunction {
  readonly #definition: FunctionDefinition
  readonly #log: Writable
  readonly #idle: Environment[] = []
  readonly #busy = new Set<Environment>()
  /** Events that wait for the concurrency limit. */
  readonly #waiting: (() => void)[] = []
  /** Events that wait for a busy environment. */
  readonly #environmentWaiters: ((environment: Environment) => void)[] = []
  /** Pollers that wait until an environment is idle. */
  readonly #pollers: (() => void)[] = []
  #running = 0

  /** @param log receives the function's stdout and stderr */
  constructor(definition: FunctionDefinition, log: Writable) {
    this.#definition = definition
    this.#log = log
  }

  get name(): string {
    return this.#definition.name
  }

  /** Creates one environment before the first event. */
  async warm(): Promise<void> {
    const environment = this.#create()
    await environment.ready
    this.#idle.push(environment)
  }

  /**
   * Resolves when an environment is idle, or when the busy ones do not become idle soon. A poller that waits for this
   * leaves its messages in the queue, where a larger batch gathers.
   */
  async whenIdle(): Promise<void> {
    if (this.#idle.length > 0 || this.#busy.size === 0) return
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, creationTimeMs)
      this.#pollers.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** @throws InvocationError */
  async invoke(event: unknown): Promise<unknown> {
    while (this.#running >= this.#definition.concurrency) await this.#waitForSlot()
    this.#running += 1
    try {
      return await this.#invokeIn(await this.#environment(), event)
    } finally {
      this.#running -= 1
      this.#waiting.shift()?.()
    }
  }

  async #invokeIn(environment: Environment, event: unknown): Promise<unknown> {
    this.#busy.add(environment)
    try {
      await environment.ready
      const startedAt = performance.now()
      const report = await this.#run(environment, event)
      this.#publish(environment, event, startedAt, report)
      this.#busy.delete(environment)
      this.#release(environment)
      return this.#resultOf(report)
    } finally {
      this.#busy.delete(environment)
    }
  }

  #publish(environment: Environment, event: unknown, startedAt: number, report: Report): void {
    const { id, coldStartMs } = environment
    environment.coldStartMs = null
    const cpuMs = report.kind === 'result' ? report.cpuMs : 0
    const durationMs = performance.now() - startedAt
    measuredInvocations.publish({
      name: this.name,
      environment: id,
      event,
      startedAt,
      durationMs,
      cpuMs,
      coldStartMs,
    } satisfies MeasuredInvocation)
  }

  /** Returns an idle environment, an environment that becomes idle within `creationTimeMs`, or a new one. */
  async #environment(): Promise<Environment> {
    const idle = this.#idle.pop()
    if (idle !== undefined) return idle
    if (this.#busy.size === 0) return this.#create()
    return new Promise((resolve) => {
      const take = (environment: Environment) => {
        clearTimeout(timer)
        resolve(environment)
      }
      const timer = setTimeout(() => {
        this.#environmentWaiters.splice(this.#environmentWaiters.indexOf(take), 1)
        resolve(this.#create())
      }, creationTimeMs)
      this.#environmentWaiters.push(take)
    })
  }

  #release(environment: Environment): void {
    const waiter = this.#environmentWaiters.shift()
    if (waiter !== undefined) {
      waiter(environment)
      return
    }
    this.#idle.push(environment)
    for (const proceed of this.#pollers.splice(0)) proceed()
  }

  /** Kills every environment that runs an invocation, like a lost host. Returns their number. */
  crash(): number {
    const environments = [...this.#busy]
    for (const { worker } of environments) void worker.terminate()
    return environments.length
  }

  async stop(): Promise<void> {
    const environments = [...this.#idle.splice(0), ...this.#busy]
    await Promise.all(environments.map(({ worker }) => worker.terminate()))
  }

  #waitForSlot(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #create(): Environment {
    const { environment, module, handler, translation } = this.#definition
    const id = randomUUID()
    const startedAt = performance.now()
    const worker = new Worker(new URL('./bootstrap.ts', import.meta.url), {
      workerData: { module, handler, translation } satisfies EnvironmentData,
      env: { ...environment, AWS_SESSION_TOKEN: id },
      execArgv: [],
      stdout: true,
      stderr: true,
    })
    worker.stdout.pipe(this.#log, { end: false })
    worker.stderr.pipe(this.#log, { end: false })
    const created: Environment = { id, worker, ready: this.#untilReady(worker), coldStartMs: null }
    created.ready.then(
      () => {
        created.coldStartMs = performance.now() - startedAt
      },
      () => undefined,
    )
    worker.once('exit', () => this.#removeIdle(created))
    return created
  }

  #removeIdle(environment: Environment): void {
    const index = this.#idle.indexOf(environment)
    if (index >= 0) this.#idle.splice(index, 1)
  }

  async #untilReady(worker: Worker): Promise<void> {
    const report = await this.#nextReport(worker)
    if (report.kind !== 'ready') throw new InvocationError(`function ${this.name} did not start`)
  }

  /** @throws InvocationError when the environment died or timed out */
  async #run(environment: Environment, event: unknown): Promise<Report> {
    const { timeoutSeconds } = this.#definition
    const deadline = Date.now() + timeoutSeconds * 1000
    const timer = setTimeout(() => void environment.worker.terminate(), timeoutSeconds * 1000)
    try {
      const nextReport = this.#nextReport(environment.worker)
      environment.worker.postMessage({ requestId: randomUUID(), event, deadline } satisfies Invocation)
      return await nextReport
    } catch (error) {
      if (Date.now() < deadline) throw error
      throw new InvocationError(`${this.name} timed out after ${timeoutSeconds} s`)
    } finally {
      clearTimeout(timer)
    }
  }

  /** @throws InvocationError when the handler threw */
  #resultOf(report: Report): unknown {
    if (report.kind === 'result') return report.value
    throw new InvocationError(
      `${this.name}: ${report.kind === 'failure' ? report.message : 'the worker reported its start again instead of a result'}`,
    )
  }

  #nextReport(worker: Worker): Promise<Report> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        worker.off('message', onMessage).off('error', onError).off('exit', onExit)
      }
      const onMessage = (report: Report) => {
        settle()
        resolve(report)
      }
      const onError = (error: unknown) => {
        settle()
        reject(new InvocationError(`${this.name}: ${firstErrorLine(error)}`))
      }
      const onExit = () => {
        settle()
        reject(new InvocationError(`${this.name}: the execution environment ended`))
      }
      worker.on('message', onMessage).on('error', onError).on('exit', onExit)
    })
  }
}
