/** The most memory that a process and those it started had at once, each at its own worst: from Linux's /proc. */
import { readFileSync } from 'node:fs'
import { processTree } from '../bench/process-tree.ts'

export class PeakMemory {
  readonly #root: number

  constructor(root: number) {
    this.#root = root
  }

  /** Of the resident set, up to now. */
  get mebibytes(): number {
    const kibibytes = processTree(this.#root).map((pid) => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
    })
    return Math.round(kibibytes.reduce((sum, each) => sum + each, 0) / 1024)
  }
}
