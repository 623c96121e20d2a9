/** Connectors as the ingress reads them, and whether they can be read at all. */
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { Breaker, isTimeout } from '../breaker.ts'
import type { Log } from '../log.ts'

export interface Snapshots {
  current(options: { maxAgeMs: number }): Promise<Snapshot>
}

/** A snapshot this old may answer at RCPT TO: evaluate-policy decides again, and never on an old one. */
const snapshotAgeMs = 1000

/** Readings in a row that failed; one that was not answered at all says as much. */
const outage = 3

export class WatchedConnectors {
  readonly #snapshots: Snapshots
  readonly #breaker: Breaker
  readonly #now: () => number
  #known: { snapshot: Snapshot; since: number } | null = null
  #reading: Promise<Snapshot> | null = null

  /** @param now milliseconds that only grow */
  constructor(snapshots: Snapshots, log: Log, now: () => number = () => performance.now()) {
    this.#snapshots = snapshots
    this.#now = now
    this.#breaker = new Breaker({
      threshold: outage,
      probe: async () => void (await snapshots.current({ maxAgeMs: 0 })),
      pause: 1000,
      slowest: 30_000,
      onChange: (open) =>
        open
          ? log('error', 'connectors cannot be read: new connections are turned away')
          : log('info', 'connectors can be read: connections are taken again'),
    })
  }

  get areFailing(): boolean {
    return this.#breaker.isOpen
  }

  /** At once when they were read a moment ago. @throws by rejection, when they cannot be read */
  current(): Snapshot | Promise<Snapshot> {
    const since = this.#now()
    if (this.#known && since - this.#known.since < snapshotAgeMs) return this.#known.snapshot
    this.#reading ??= this.#read(since).finally(() => {
      this.#reading = null
    })
    return this.#reading
  }

  stop(): void {
    this.#breaker.stop()
  }

  /** One reading for all who wait, and one failure of it. @param since when it began: what it finds is no older */
  async #read(since: number): Promise<Snapshot> {
    try {
      const snapshot = await this.#snapshots.current({ maxAgeMs: 0 })
      this.#known = { snapshot, since }
      this.#breaker.succeeded()
      return snapshot
    } catch (error) {
      this.#breaker.failed(isTimeout(error) ? outage : 1)
      throw error
    }
  }
}
