/**
 * Returns the current connectors, compiled for decisions. The version of the table is read consistently before a
 * decision. When it has changed, the changes since the last snapshot are read from the log. So a final decision that
 * begins after a write was confirmed never uses an older connector.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { snapshotInterval } from '../contract/snapshot-object.ts'
import {
  changeSnapshot,
  compileSnapshot,
  connectorSetOf,
  type ItemChange,
  type Snapshot,
} from '../policy/snapshot.ts'
import { type LoggedChange, readChanges } from './change-log.ts'
import { ConnectorsTable } from './connectors-table.ts'
import type { SnapshotObject } from './snapshot-object.ts'
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

/** A snapshot that is certain to have every change up to its version. */
interface Base {
  snapshot: Snapshot
  /** The time of the last change, which shows whether the log continues this snapshot; '' without a change. */
  at: string
}

/**
 * Changes of the log. A change may have a megabyte and there may be thousands, so only the last one of each item is in
 * memory.
 */
interface Changes {
  count: number
  first: Pick<LoggedChange, 'version' | 'at'> | null
  last: Pick<LoggedChange, 'version' | 'at'> | null
  items: readonly ItemChange[]
}

const noChanges: Changes = { count: 0, first: null, last: null, items: [] }

export class SnapshotReader {
  readonly #table: ConnectorsTable
  readonly #object: SnapshotObject | null
  /** Version of the object, as far as this process knows. */
  #objectVersion = 0
  readonly #now: () => number
  readonly #readVersion: () => Promise<number>
  #load: Load | null = null
  #base: Base | null = null
  #versionRead: { version: Promise<number>; startedAt: number } | null = null

  /**
   * @param now milliseconds of a monotonic clock, so that an age is never negative
   * @param object null: all connectors are read from the table
   */
  constructor(
    documents: DynamoDBDocumentClient,
    table: string,
    {
      now = () => performance.now(),
      object = null,
    }: { now?: () => number; object?: SnapshotObject | null } = {},
  ) {
    this.#object = object
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

  /**
   * Writes the object again when it is many changes old.
   * @throws when the object cannot be written
   */
  async storeWhenDue(): Promise<void> {
    if (this.#object === null || this.#base === null) return
    const { snapshot, at } = this.#base
    if (snapshot.version - this.#objectVersion < snapshotInterval) return
    this.#objectVersion = snapshot.version
    await this.#object.write({ ...connectorSetOf(snapshot), at })
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
        if (snapshot !== this.#base?.snapshot) load.validUntil = startedAt + unloggedMaxAgeMs
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
    const changed = this.#base && (await this.#changed(this.#base, version))
    return changed ?? (await this.#readObject(version)) ?? this.#readAll(version)
  }

  async #readObject(version: number): Promise<Snapshot | null> {
    if (version < snapshotInterval || this.#object === null) return null
    const set = await this.#object.read()
    if (set === null) return null
    // After a restore of the table, a later object would help no reader for many changes, so it is due to be written.
    this.#objectVersion = set.version > version ? 0 : set.version
    return this.#changed({ snapshot: compileSnapshot(set), at: set.at }, version)
  }

  /** @returns null when there are too many changes, or the log does not continue this snapshot with all of them */
  async #changed({ snapshot, at }: Base, version: number): Promise<Snapshot | null> {
    const from = Math.max(1, snapshot.version)
    const count = version - from + 1
    if (count < 1 || count > maxChanges) return null
    for (const [attempt, delayMs] of logRetryDelaysMs.entries()) {
      if (delayMs > 0) await delay(delayMs)
      // At half the cost. Where it misses a change, the next attempt finds it.
      const changes = await this.#changes({ from, to: version, isConsistent: attempt > 0 })
      if (changes.count < count) continue
      // Another time shows that the table was restored to an earlier version, and written again.
      if (snapshot.version > 0 && changes.first?.at !== at) return null
      return this.#certain(changeSnapshot(snapshot, version, changes.items), changes)
    }
    return null
  }

  async #readAll(version: number): Promise<Snapshot> {
    const { inbound, outbound, acceptedDomains } = await this.#table.readAll()
    // No decision depends on the results of validations, and they would take memory.
    const withoutValidation = outbound.map((connector) => ({ ...connector, validation: null }))
    const snapshot = compileSnapshot({ version, inbound, outbound: withoutValidation, acceptedDomains })
    if (version === 0) return this.#certain(snapshot, noChanges)
    for (const delayMs of logRetryDelaysMs) {
      if (delayMs > 0) await delay(delayMs)
      const from = Math.max(1, version - overlappingChanges)
      const changes = await this.#changes({ from, to: version, isConsistent: true })
      if (changes.last?.version === version)
        return this.#certain(changeSnapshot(snapshot, version, changes.items), changes)
    }
    return snapshot
  }

  #certain(snapshot: Snapshot, { last }: Changes): Snapshot {
    this.#base = { snapshot, at: last?.at ?? '' }
    return snapshot
  }

  async #changes(span: { from: number; to: number; isConsistent: boolean }): Promise<Changes> {
    const latest = new Map<string, ItemChange>()
    let { count, first, last } = noChanges
    for await (const change of readChanges(this.#table.documents, this.#table.name, span)) {
      const { version, at, kind, key } = change
      last = { version, at }
      first ??= last
      count += 1
      latest.set(`${kind} ${key}`, toItemChange(change))
    }
    return { count, first, last, items: [...latest.values()] }
  }
}

/** The items are not parsed, because only the repository writes them. */
const toItemChange = ({ kind, key, item }: LoggedChange): ItemChange =>
  ({
    kind,
    key,
    item: item && kind === 'outbound-connector' ? { ...item, validation: null } : item,
  }) as ItemChange
