/** Reads the connectors for sessions, and detects when they cannot be read. */
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { CircuitBreaker, isTimeout } from '../circuit-breaker.ts'
import type { Log } from '../log.ts'

export interface SnapshotSource {
  current(options: { maxAgeMs: number }): Promise<Snapshot>
}

/** Milliseconds. Fresh enough to accept a recipient, because evaluate-policy decides again with a current snapshot. */
const maxSnapshotAgeMs = 1000

/** Milliseconds from the start of one read to the next. So refusals, which any client can cause, do not load the table. */
const minReadIntervalMs = 100

/** Consecutive failed reads after which the breaker opens. One timeout counts as this many failed reads. */
const outageThreshold = 3

export class WatchedConnectors {
  readonly #snapshots: SnapshotSource
  readonly #breaker: CircuitBreaker
  readonly #now: () => number
  #cached: { snapshot: Snapshot; readAt: number } | null = null
  #pendingRead: Promise<Snapshot> | null = null
  /** A read for `latest` that has not begun. */
  #plannedRead: Promise<Snapshot> | null = null
  /** The last read that began for `latest`. */
  #latestRead: Promise<Snapshot> | null = null
  #lastReadAt = Number.NEGATIVE_INFINITY

  /** @param now milliseconds of a monotonic clock */
  constructor(snapshots: SnapshotSource, log: Log, now: () => number = () => performance.now()) {
    this.#snapshots = snapshots
    this.#now = now
    this.#breaker = new CircuitBreaker({
      failureThreshold: outageThreshold,
      probe: async () => void (await snapshots.current({ maxAgeMs: 0 })),
      initialDelayMs: 1000,
      maxDelayMs: 30_000,
      onChange: (open) =>
        open
          ? log('error', 'connectors cannot be read: new connections are refused')
          : log('info', 'connectors can be read: new connections are accepted again'),
    })
  }

  get areFailing(): boolean {
    return this.#breaker.isOpen
  }

  /**
   * Returns synchronously while the last read is fresh. Concurrent callers share one read and one failure.
   * @throws by rejection, when connectors cannot be read
   */
  current(): Snapshot | Promise<Snapshot> {
    const readAt = this.#now()
    if (this.#cached && readAt - this.#cached.readAt < maxSnapshotAgeMs) return this.#cached.snapshot
    this.#pendingRead ??= this.#read(readAt).finally(() => {
      this.#pendingRead = null
    })
    return this.#pendingRead
  }

  /**
   * Returns a snapshot whose read begins after this call. For a permanent refusal, which must not rest on connectors that
   * an administrator has changed a moment ago. Concurrent callers share one read, and a slow table has one at a time.
   * @throws as `current`
   */
  latest(): Promise<Snapshot> {
    this.#plannedRead ??= this.#readWhenDue()
    return this.#plannedRead
  }

  async #readWhenDue(): Promise<Snapshot> {
    // Its callers handle its failure.
    await this.#latestRead?.catch(() => {})
    const waitMs = this.#lastReadAt + minReadIntervalMs - this.#now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    this.#plannedRead = null
    this.#latestRead = this.#read(this.#now())
    return this.#latestRead
  }

  stop(): void {
    this.#breaker.stop()
  }

  /** @param readAt start of the read: the snapshot is at least that fresh */
  async #read(readAt: number): Promise<Snapshot> {
    this.#lastReadAt = readAt
    try {
      const snapshot = await this.#snapshots.current({ maxAgeMs: 0 })
      if (this.#cached === null || readAt >= this.#cached.readAt) this.#cached = { snapshot, readAt }
      this.#breaker.recordSuccess()
      return snapshot
    } catch (error) {
      this.#breaker.recordFailures(isTimeout(error) ? outageThreshold : 1)
      throw error
    }
  }
}
