/** Simulated time in milliseconds. Events of one time run together; then the promises that they resolve continue. */

interface Event {
  at: number
  order: number
  run(): void
}

/** Times are rounded up to this many milliseconds, so that more events share a turn of the event loop. */
const resolutionMs = 10

export class Clock {
  now = 0
  #order = 0
  #needsRound = false
  readonly #heap: Event[] = []

  at(time: number, run: () => void): void {
    const at = Math.max(this.now, Math.ceil(time / resolutionMs) * resolutionMs)
    this.#push({ at, order: this.#order++, run })
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.at(this.now + milliseconds, resolve))
  }

  /** Adds a turn of the event loop before the next event, for code that itself waits for one. */
  addRound(): void {
    this.#needsRound = true
  }

  /** Resolves when no event is left. */
  async run(): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined; next = this.#heap[0]) {
      this.now = next.at
      while (this.#heap[0]?.at === this.now) this.#pop().run()
      do {
        this.#needsRound = false
        await new Promise(setImmediate)
      } while (this.#needsRound)
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let index = heap.push(event) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isEarlier(event, heap[parent] as Event)) break
      heap[index] = heap[parent] as Event
      index = parent
    }
    heap[index] = event
  }

  #pop(): Event {
    const heap = this.#heap
    const first = heap[0] as Event
    const last = heap.pop() as Event
    if (heap.length === 0) return first
    let index = 0
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      if (child + 1 < heap.length && isEarlier(heap[child + 1] as Event, heap[child] as Event)) child++
      if (!isEarlier(heap[child] as Event, last)) break
      heap[index] = heap[child] as Event
      index = child
    }
    heap[index] = last
    return first
  }
}

const isEarlier = (first: Event, second: Event): boolean =>
  first.at < second.at || (first.at === second.at && first.order < second.order)
