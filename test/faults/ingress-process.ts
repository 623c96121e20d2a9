/** The ingress as it is deployed, to be killed: with its workers, or one of them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds that a worker may need to notice. */
const orphanPatience = 10_000

export class IngressProcess {
  readonly #environment: Record<string, string>
  /** What a process said that it should never have to say. */
  readonly findings: string[] = []
  /** Milliseconds of `performance.now`. */
  readonly kills: number[] = []
  #child: ChildProcess | null = null

  constructor(environment: Record<string, string>) {
    this.#environment = environment
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, ['functions/smtp-ingress/main.ts'], {
      env: { PATH: process.env.PATH ?? '', ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    const ready = once(lines, 'line')
    lines.on('line', (line) => {
      if (/uncaughtException|unhandledRejection/.test(line)) this.findings.push(line)
    })
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text
      this.findings.push(`standard error: ${text.trim()}`)
    })
    const ended = once(child, 'close').then(([code, signal]) =>
      Promise.reject(new Error(`the ingress ended with ${code ?? signal}: ${errors}`)),
    )
    await Promise.race([ready, ended])
    ended.catch(() => {})
  }

  /**
   * SIGKILL, and a new start.
   * @param isAlone only the supervisor is killed, and its workers have to end by themselves
   */
  async killAndStart(isAlone: boolean): Promise<void> {
    const child = this.#child
    if (!child) return
    const ended = once(child, 'exit')
    const workers = childrenOf(child.pid as number)
    this.kills.push(performance.now())
    for (const pid of isAlone ? [child.pid as number] : [child.pid as number, ...workers]) kill(pid)
    await ended
    if (isAlone) await this.#waitForEnd(workers)
    await this.start()
  }

  /** What takes mail without a supervisor holds its port, and nobody would ever stop it. */
  async #waitForEnd(workers: readonly number[]): Promise<void> {
    const until = performance.now() + orphanPatience
    while (workers.some(isRunning) && performance.now() < until) await delay(50)
    for (const pid of workers.filter(isRunning)) {
      this.findings.push(`worker ${pid} went on for ${orphanPatience} ms without its supervisor`)
      kill(pid)
    }
  }

  /** SIGKILL for one worker, which the supervisor replaces. @returns false when there are none */
  killWorker(index: number): boolean {
    const workers = childrenOf(this.#child?.pid as number)
    if (workers.length === 0) return false
    this.kills.push(performance.now())
    kill(workers[index % workers.length] as number)
    return true
  }

  /** @returns the exit code */
  async stop(): Promise<number | null> {
    const child = this.#child
    if (!child || child.exitCode !== null) return child?.exitCode ?? null
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    return (await ended)[0]
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {}
}

/** As Linux lists them. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}
