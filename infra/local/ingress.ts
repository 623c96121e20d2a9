/** Runs the SMTP ingress as a child process with the environment of its task definition. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { get } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'

import { firstErrorLine, StartError } from './start-error.ts'
import { parse, type Resolver, resourcesOfType, type Template } from './template.ts'

const Container = z.object({
  Environment: z.array(z.object({ Name: z.string(), Value: z.string() })).default([]),
  /** Must be empty: the ingress reads its secret itself, so ECS passes none. */
  Secrets: z.tuple([]).default([]),
})

export interface IngressOptions {
  readonly environment: Readonly<Record<string, string>>
  readonly smtpPort: number
  readonly healthPort: number
  /** Receives the process's output. */
  readonly log: Writable
  /** Receives one line for each restart after the process ended unexpectedly. */
  readonly onRestart: (message: string) => void
}

/** Returns the container's environment from the template. */
export function readIngressEnvironment(template: Template, resolver: Resolver): Record<string, string> {
  const [definition, ...others] = resourcesOfType(template, 'AWS::ECS::TaskDefinition')
  if (definition === undefined || others.length > 0)
    throw new StartError('template: expected exactly one AWS::ECS::TaskDefinition')
  const [id, { ContainerDefinitions }] = definition
  const containers = Array.isArray(ContainerDefinitions) ? ContainerDefinitions : []
  if (containers.length !== 1) throw new StartError(`template: ${id}: expected exactly one container`)
  const { Environment, Secrets } = containers[0]
  const container = parse(Container, { Environment: resolver.resolve(Environment ?? []), Secrets }, id)
  return Object.fromEntries(container.Environment.map(({ Name, Value }) => [Name, Value]))
}

/** Ports below the ephemeral ports: the system assigns none of them to another process before the port is bound. */
const [minPort, maxPort] = [10_240, 32_767]
const maxAttempts = 100

/**
 * Returns `port` when it is free; for 0, chooses a free port. Used where the port must be known before it is bound.
 * @throws StartError when the port cannot be bound
 */
export async function choosePort(port: number, option: string): Promise<number> {
  if (port !== 0) return probePort(port, option)
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const candidate = randomInt(minPort, maxPort + 1)
    const free = await probePort(candidate, option).catch(() => null)
    if (free !== null) return free
  }
  return probePort(0, option)
}

async function probePort(port: number, option: string): Promise<number> {
  const probe = createServer()
  try {
    probe.listen(port, '127.0.0.1')
    await once(probe, 'listening')
    const boundPort = (probe.address() as AddressInfo).port
    probe.close()
    await once(probe, 'close')
    return boundPort
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new StartError(
      `port ${port} ${code === 'EADDRINUSE' ? 'is already in use' : `cannot be bound: ${code}`} (${option})`,
    )
  }
}

/** Timeout of a start until the process is healthy. */
const startTimeoutMs = 120_000
/** Wait after a failed restart before the next restart. */
const restartDelayMs = 1000

export class Ingress {
  readonly #options: IngressOptions
  #process: ChildProcess
  #stopping = false

  private constructor(options: IngressOptions) {
    this.#options = options
    this.#process = this.#spawn()
    // Ends the ingress when the runner exits early.
    process.once('exit', () => this.#process.kill('SIGKILL'))
  }

  /** @throws StartError when the process ends or stays unhealthy */
  static async start(options: IngressOptions): Promise<Ingress> {
    const ingress = new Ingress(options)
    await ingress.#untilHealthy()
    ingress.#process.once('exit', (code, signal) => ingress.#restart(code, signal))
    return ingress
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Sends SIGTERM, which drains the process, and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#stopping = true
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await ended
  }

  #spawn(): ChildProcess {
    const { environment, smtpPort, healthPort, log } = this.#options
    const entry = new URL('../../functions/smtp-ingress/main.ts', import.meta.url)
    const child = spawn(process.execPath, ['--enable-source-maps', entry.pathname], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C must reach only the runner, which stops its parts in order.
      detached: true,
      windowsHide: true,
      env: {
        ...environment,
        SMTP_PORT: String(smtpPort),
        HEALTH_PORT: String(healthPort),
        LISTEN_ADDRESS: '127.0.0.1',
      },
    })
    child.stdout?.pipe(log, { end: false })
    child.stderr?.pipe(log, { end: false })
    return child
  }

  async #untilHealthy(): Promise<void> {
    const child = this.#process
    const errors: Buffer[] = []
    child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk))
    const deadline = Date.now() + startTimeoutMs
    while (!(await this.isHealthy())) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new StartError(`the ingress did not start: ${errorLine(Buffer.concat(errors).toString())}`)
      if (Date.now() > deadline)
        throw new StartError(`the ingress did not become healthy within ${startTimeoutMs / 1000} s`)
      await delay(50)
    }
    child.stderr?.removeAllListeners('data')
    child.stderr?.pipe(this.#options.log, { end: false })
  }

  /** Uses `http.get`, because the first `fetch` costs a third of a second of processor time. */
  isHealthy(): Promise<boolean> {
    return new Promise((resolve) => {
      get(`http://127.0.0.1:${this.#options.healthPort}/health`, (response) => {
        response.resume().once('end', () => resolve(response.statusCode === 200))
      }).once('error', () => resolve(false))
    })
  }

  /** Starts the process again, like ECS. */
  async #restart(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    if (this.#stopping) return
    const previousPid = this.#process.pid
    this.#process = this.#spawn()
    const { onRestart } = this.#options
    try {
      await this.#untilHealthy()
      onRestart(
        `the ingress (pid ${previousPid}) ended by ${signal ?? `code ${code}`}; restarted as pid ${this.pid}`,
      )
      this.#process.once('exit', (nextCode, nextSignal) => this.#restart(nextCode, nextSignal))
    } catch (error) {
      onRestart(
        `the ingress (pid ${previousPid}) ended by ${signal ?? `code ${code}`}; restart failed: ${firstErrorLine(error)}`,
      )
      await delay(restartDelayMs)
      await this.#restart(code, signal)
    }
  }
}

/** Finds the error line in a Node.js crash report. */
function errorLine(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  return (
    lines.find((line) => /^\w*Error\b/.test(line)) ??
    lines.at(-1) ??
    'the process ended without an error message'
  )
}
