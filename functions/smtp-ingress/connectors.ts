/** Connectors as the ingress reads them, and whether they can be read at all. */
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import { Breaker } from './breaker.ts'
import type { Log } from './log.ts'

export interface Snapshots {
  current(options: { maxAgeMs: number }): Promise<Snapshot>
}

/** A snapshot this old may answer at RCPT TO: evaluate-policy decides again, and never on an old one. */
const snapshotAgeMs = 1000

export class WatchedConnectors {
  readonly #snapshots: Snapshots
  readonly #breaker: Breaker

  constructor(snapshots: Snapshots, log: Log) {
    this.#snapshots = snapshots
    this.#breaker = new Breaker({
      threshold: 3,
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

  /** @throws when they cannot be read */
  async current(): Promise<Snapshot> {
    try {
      const snapshot = await this.#snapshots.current({ maxAgeMs: snapshotAgeMs })
      this.#breaker.succeeded()
      return snapshot
    } catch (error) {
      this.#breaker.failed()
      throw error
    }
  }

  stop(): void {
    this.#breaker.stop()
  }
}
