/**
 * Returns the current connectors, compiled for decisions. The version of the table is read consistently before a
 * decision. When it has changed, the changes since the last snapshot are read from the log. So a final decision that
 * begins after a write was confirmed never uses an older connector.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { changeSnapshot, compileSnapshot, type ItemChange, type Snapshot } from '../policy/snapshot.ts'
import { type LoggedChange, readChanges } from './change-log.ts'
import { ConnectorsTable } from './connectors-table.ts'
import { createVersionReader } from './version.ts'

/** For more changes than this, all connectors are read instead. */
const maxChanges = 5000

/**
 * Number of the last changes that a load of all connectors reads, too. DynamoDB applies a transaction item by item: a
 * reader may find a version while an item of its transaction, or of one shortly before, is still the old one. The log
 * has these items.
 */
const overlappingChanges = 20

/** Milliseconds before the log is read again when it does not have the change of a version yet. */
const logRetryDelaysMs = [0, 50, 150]

/**
 * Milliseconds for which a snapshot is used when the log does not have the change of its version: an earlier release
 * wrote it, or a backup was restored.
 */
const unloggedMaxAgeMs = 60_000

interface Load {
  version: number
  snapshot: Promise<Snapshot>
  /** Milliseconds of the monotonic clock. */
  validUntil: number
}

export class SnapshotReader {
  readonly #table: ConnectorsTable
  readonly #now: () => number
  readonly #readVersion: () => Promise<number>
  #load: Load | null = null
  /** The last snapshot that is certain to have every change up to its version. */
  #base: Snapshot | null = null
  #versionRead: { version: Promise<number>; startedAt: number } | null = null

  /** @param now milliseconds of a monotonic clock, so that an age is never negative */
  constructor(documents: DynamoDBDocumentClient, table: string, now: () => number = () => performance.now()) {
    this.#table = new ConnectorsTable(documents, table)
    this.#readVersion = createVersionReader(documents, table)
    this.#now = now
  }

  /**
   * Reads the version consistently, and then the changes since the last snapshot, if there are any. Callers with the
   * same version share one load.
   * @param maxAgeMs maximum age of an earlier read of the version that may be used again. A value above 0 is for
   * decisions that evaluate-policy makes again later (the ingress). A final decision uses 0, which always reads the
   * version.
   * @throws when the version or the table cannot be read; then nothing may be decided
   */
  async current({ maxAgeMs = 0 }: { maxAgeMs?: number } = {}): Promise<Snapshot> {
    // The version is read before the load. So a write between the two causes one more load, and is not missed.
    const version = await this.#version(maxAgeMs)
    const load = this.#load
    if (load && load.version >= version && this.#now() < load.validUntil) return load.snapshot
    return this.#startLoad(version)
  }

  #version(maxAgeMs: number): Promise<number> {
    const startedAt = this.#now()
    if (this.#versionRead && startedAt - this.#versionRead.startedAt < maxAgeMs)
      return this.#versionRead.version
    const read = { version: this.#readVersion(), startedAt }
    this.#versionRead = read
    read.version.catch(() => {
      if (this.#versionRead === read) this.#versionRead = null
    })
    return read.version
  }

  #startLoad(version: number): Promise<Snapshot> {
    const previous = this.#load?.snapshot
    const load: Load = {
      version,
      snapshot: this.#read(version, previous),
      validUntil: Number.POSITIVE_INFINITY,
    }
    const startedAt = this.#now()
    this.#load = load
    load.snapshot.then(
      (snapshot) => {
        if (snapshot !== this.#base) load.validUntil = startedAt + unloggedMaxAgeMs
      },
      () => {
        if (this.#load === load) this.#load = null
      },
    )
    return load.snapshot
  }

  /** @param previous an earlier load, which may still run */
  async #read(version: number, previous: Promise<unknown> | undefined): Promise<Snapshot> {
    await previous?.catch(() => {})
    const changes = this.#base && (await this.#changesSince(this.#base, version))
    if (this.#base && changes) {
      this.#base = changeSnapshot(this.#base, version, changes.map(toItemChange))
      return this.#base
    }
    return this.#readAll(version)
  }

  /** @returns null when there are too many changes, or the log does not have all of them */
  async #changesSince({ version: before }: Snapshot, version: number): Promise<LoggedChange[] | null> {
    const count = version - before
    if (count > maxChanges) return null
    for (const [attempt, delayMs] of logRetryDelaysMs.entries()) {
      if (delayMs > 0) await delay(delayMs)
      // At half the cost. Where it misses a change, the next attempt finds it.
      const isConsistent = attempt > 0
      const changes = await this.#changes({ from: before + 1, to: version, isConsistent })
      if (changes.length === count) return changes
    }
    return null
  }

  async #readAll(version: number): Promise<Snapshot> {
    const { inbound, outbound, acceptedDomains } = await this.#table.readAll()
    // No decision depends on the results of validations, and they would take memory.
    const withoutValidation = outbound.map((connector) => ({ ...connector, validation: null }))
    const snapshot = compileSnapshot({ version, inbound, outbound: withoutValidation, acceptedDomains })
    if (version === 0) return this.#certain(snapshot)
    for (const delayMs of logRetryDelaysMs) {
      if (delayMs > 0) await delay(delayMs)
      const from = Math.max(1, version - overlappingChanges)
      const changes = await this.#changes({ from, to: version, isConsistent: true })
      if (changes.at(-1)?.version === version)
        return this.#certain(changeSnapshot(snapshot, version, changes.map(toItemChange)))
    }
    return snapshot
  }

  #certain(snapshot: Snapshot): Snapshot {
    this.#base = snapshot
    return snapshot
  }

  #changes(span: { from: number; to: number; isConsistent: boolean }): Promise<LoggedChange[]> {
    return Array.fromAsync(readChanges(this.#table.documents, this.#table.name, span))
  }
}

/** The items are not parsed, because only the repository writes them. */
const toItemChange = ({ kind, key, item }: LoggedChange): ItemChange =>
  ({
    kind,
    key,
    item: item && kind === 'outbound-connector' ? { ...item, validation: null } : item,
  }) as ItemChange
