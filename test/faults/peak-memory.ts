/** The most memory that a process had at once: from Linux's /proc. */
import { readFileSync } from 'node:fs'

export class PeakMemory {
  readonly #pid: number

  constructor(pid: number) {
    this.#pid = pid
  }

  /** Of the resident set, up to now. */
  get mebibytes(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8')
    return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024)
  }
}
