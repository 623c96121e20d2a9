/** The SMTP ingress as a process of its own, with the environment its task definition gives it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { get } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { parse } from './aws/resources.ts'
import { causeOf, StartError } from './start-error.ts'
import { type Resolver, resourcesOfType, type Template } from './template.ts'

const Container = z.object({
  Environment: z.array(z.object({ Name: z.string(), Value: z.string() })).default([]),
  /** What ECS would read for it: it reads what is secret itself. */
  Secrets: z.tuple([]).default([]),
})

export interface IngressOptions {
  readonly environment: Readonly<Record<string, string>>
  readonly smtpPort: number
  readonly healthPort: number
  /** Receives what the process writes. */
  readonly log: Writable
  /** One line each time the process ended by itself and was started again. */
  readonly onRestart: (message: string) => void
}

/** The container's environment, as the template sets it. */
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

/** Below those that systems give to whoever asks for any: between now and its use, nobody else is given one of these. */
const [lowestChoice, highestChoice] = [10_240, 32_767]
const mostChoices = 100

/** A port that nothing listens on, for a process that has to be told its port. */
export async function choosePort(port: number, option: string): Promise<number> {
  if (port !== 0) return probePort(port, option)
  for (let choice = 0; choice < mostChoices; choice++) {
    const chosen = randomInt(lowestChoice, highestChoice + 1)
    const free = await probePort(chosen, option).catch(() => null)
    if (free !== null) return free
  }
  return probePort(0, option)
}

async function probePort(port: number, option: string): Promise<number> {
  const probe = createServer()
  try {
    probe.listen(port, '127.0.0.1')
    await once(probe, 'listening')
    const chosen = (probe.address() as AddressInfo).port
    probe.close()
    await once(probe, 'close')
    return chosen
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new StartError(
      `port ${port} ${code === 'EADDRINUSE' ? 'is in use' : `cannot be bound: ${code}`} (${option})`,
    )
  }
}

/** Milliseconds between starting a process and giving up on its health. */
const patience = 30_000
/** Milliseconds between a restart that failed and the next. */
const restartPause = 1000

export class Ingress {
  readonly #options: IngressOptions
  #process: ChildProcess
  #stopping = false

  private constructor(options: IngressOptions) {
    this.#options = options
    this.#process = this.#spawn()
    // Where nothing is waited for: no process is left behind.
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

  /** Asks the process to drain, and resolves when it has ended. */
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
      // Ctrl-C is for the runner, which stops its parts in their order.
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
    const deadline = Date.now() + patience
    while (!(await this.#healthy())) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new StartError(`the ingress did not start: ${faultIn(Buffer.concat(errors).toString())}`)
      if (Date.now() > deadline) throw new StartError(`the ingress is not healthy after ${patience / 1000} s`)
      await delay(50)
    }
    child.stderr?.removeAllListeners('data')
    child.stderr?.pipe(this.#options.log, { end: false })
  }

  /** By `http.get`: `fetch` takes a third of a second of processor time until the first answer. */
  #healthy(): Promise<boolean> {
    return new Promise((resolve) => {
      get(`http://127.0.0.1:${this.#options.healthPort}/health`, (response) => {
        response.resume().once('end', () => resolve(response.statusCode === 200))
      }).once('error', () => resolve(false))
    })
  }

  /** As ECS does with a task that died. */
  async #restart(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    if (this.#stopping) return
    const died = this.#process.pid
    this.#process = this.#spawn()
    const { onRestart } = this.#options
    try {
      await this.#untilHealthy()
      onRestart(`the ingress (pid ${died}) ended by ${signal ?? `code ${code}`}; now runs as pid ${this.pid}`)
      this.#process.once('exit', (nextCode, nextSignal) => this.#restart(nextCode, nextSignal))
    } catch (error) {
      onRestart(`the ingress (pid ${died}) ended by ${signal ?? `code ${code}`}; ${causeOf(error)}`)
      await delay(restartPause)
      await this.#restart(code, signal)
    }
  }
}

/** The line of a Node.js crash report that says what happened. */
function faultIn(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? 'it ended without a word'
}
