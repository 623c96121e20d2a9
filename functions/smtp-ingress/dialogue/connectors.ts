/** Reads the connectors for sessions, and detects when they cannot be read. */
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { Breaker, isTimeout } from '../breaker.ts'
import type { Log } from '../log.ts'

export interface Snapshots {
  current(options: { maxAgeMs: number }): Promise<Snapshot>
}

/** Milliseconds. Enough for RCPT TO: evaluate-policy decides again with a current snapshot. */
const snapshotAgeMs = 1000

/** Consecutive failed reads. One timeout counts as many. */
const outage = 3

export class WatchedConnectors {
  readonly #snapshots: Snapshots
  readonly #breaker: Breaker
  readonly #now: () => number
  #known: { snapshot: Snapshot; since: number } | null = null
  #reading: Promise<Snapshot> | null = null

  /** @param now milliseconds of a monotonic clock */
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
          ? log('error', 'connectors cannot be read: new connections are refused')
          : log('info', 'connectors can be read: new connections are accepted again'),
    })
  }

  get areFailing(): boolean {
    return this.#breaker.isOpen
  }

  /** Returns synchronously while the last read is fresh. @throws by rejection, when connectors cannot be read */
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

  /**
   * Concurrent callers share one read and one failure. @param since when it began: the result is at least that fresh
   */
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
