/** The peak memory of a process, from Linux's /proc. */
import { readFileSync } from 'node:fs'

export class PeakMemory {
  readonly #pid: number

  constructor(pid: number) {
    this.#pid = pid
  }

  /** Peak of the resident set so far. */
  get mebibytes(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8')
    return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024)
  }
}
