/** What the processes of one task took, in the memory of the one that starts them: to workers what RateTable is to tasks. */
import type { Others } from '../../shared/transport/rates.ts'

export class WorkerCounts {
  readonly #most: number
  #minute = 0
  /** Of this minute: by key, what each worker took. */
  #taken = new Map<string, Map<number, number>>()

  /** @param most keys that are counted at once; beyond, the one that was counted first is forgotten */
  constructor(most: number) {
    this.#most = most
  }

  /**
   * @param worker its number, another one for each that is started
   * @param minute since 1970
   * @param taken all messages of the minute so far that this worker took
   */
  report(worker: number, key: string, minute: number, taken: number): Others {
    if (minute < this.#minute) return { taken: 0, counters: 0 }
    if (minute > this.#minute) {
      this.#minute = minute
      this.#taken = new Map()
    }
    const workers = this.#taken.get(key) ?? this.#begin(key)
    workers.set(worker, taken)
    let others = 0
    for (const [other, took] of workers) if (other !== worker) others += took
    return { taken: others, counters: workers.size - 1 }
  }

  #begin(key: string): Map<number, number> {
    if (this.#taken.size >= this.#most) {
      const [first] = this.#taken.keys()
      if (first !== undefined) this.#taken.delete(first)
    }
    const workers = new Map<number, number>()
    this.#taken.set(key, workers)
    return workers
  }
}
