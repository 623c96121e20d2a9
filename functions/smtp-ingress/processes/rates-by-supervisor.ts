/**
 * What a worker tells its supervisor of the messages it took, and hears of those of the other workers. What waits for
 * an answer is bounded in number and time; without an answer the worker counts by itself.
 */
import type { Others } from '../../../shared/transport/rates.ts'
import type { SharedCounts } from '../limits/rates-shared.ts'

/** To the supervisor: WorkerCounts answers it. */
export interface Took {
  kind: 'Took'
  request: number
  key: string
  /** Since 1970. */
  minute: number
  /** All messages of the minute so far. */
  taken: number
}

/** Its answer. */
export interface OthersTook {
  kind: 'OthersTook'
  request: number
  others: Others
}

const patienceMs = 2000
const waitingAtOnce = 4096

export class CountsBySupervisor implements SharedCounts {
  readonly #tell: (message: Took) => void
  readonly #waiting = new Map<number, (others: Others | null) => void>()
  #request = 0
  #isAlone = false

  constructor(tell: (message: Took) => void) {
    this.#tell = tell
  }

  report(key: string, minute: number, taken: number): Promise<Others> {
    if (this.#isAlone || this.#waiting.size >= waitingAtOnce) return Promise.reject(silence())
    const request = ++this.#request
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(request, null), patienceMs)
      this.#waiting.set(request, (others) => {
        clearTimeout(timer)
        if (others === null) reject(silence())
        else resolve(others)
      })
      this.#tell({ kind: 'Took', request, key, minute, taken })
    })
  }

  answered({ request, others }: OthersTook): void {
    this.#settle(request, others)
  }

  /** The supervisor has gone: nobody answers any more. */
  abandoned(): void {
    this.#isAlone = true
    for (const request of [...this.#waiting.keys()]) this.#settle(request, null)
  }

  #settle(request: number, others: Others | null): void {
    this.#waiting.get(request)?.(others)
    this.#waiting.delete(request)
  }
}

const silence = () => new Error('the supervisor does not answer')
