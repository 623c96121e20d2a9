/** The ingress as it is deployed, to be killed: with its workers, or one of them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

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

  /** SIGKILL for the whole, and a new start. */
  async killAndStart(): Promise<void> {
    const child = this.#child
    if (!child) return
    const ended = once(child, 'exit')
    const workers = childrenOf(child.pid as number)
    this.kills.push(performance.now())
    for (const pid of [child.pid as number, ...workers]) kill(pid)
    await ended
    await this.start()
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
