/** What the processes of one task took, in the memory of the one that starts them: to workers what RateTable is to tasks. */
import type { Others } from '../../../shared/transport/rates.ts'
import { BoundedMemory } from './rates-memory.ts'

export class WorkerCounts {
  readonly #most: number
  #minute = 0
  /** Of this minute: by key, what each worker took. */
  #taken: BoundedMemory<Map<number, number>>

  /** @param most keys that are counted at once */
  constructor(most: number) {
    this.#most = most
    this.#taken = new BoundedMemory(most)
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
      this.#taken = new BoundedMemory(this.#most)
    }
    const workers = this.#taken.getOrMake(key, () => new Map<number, number>())
    workers.set(worker, taken)
    let others = 0
    for (const [other, took] of workers) if (other !== worker) others += took
    return { taken: others, counters: workers.size - 1 }
  }
}
