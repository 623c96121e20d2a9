/** The ingress's main program, from source, in a process that the test can kill. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export class IngressProcess {
  readonly #environment: Record<string, string>
  /** Output that a correct process never writes. */
  readonly findings: string[] = []
  /** Times in milliseconds of `performance.now`. */
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

  /** Sends SIGKILL and starts the ingress again. */
  async killAndStart(): Promise<void> {
    const child = this.#child
    if (!child) return
    const ended = once(child, 'exit')
    this.kills.push(performance.now())
    child.kill('SIGKILL')
    await ended
    await this.start()
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
