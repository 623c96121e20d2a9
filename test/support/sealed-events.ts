/** Events for tests of seals: stores raw objects, seals, and reads what the seals have written. */
import { gunzipSync, gzipSync } from 'node:zlib'
import { parquetReadObjects } from 'hyparquet'
import { type Dependencies, sealShard } from '../../functions/seal-hour/seal-shard.ts'
import { eventShard, type MailEvent, maxEventShards } from '../../shared/contract/events.ts'
import { hourOfRollup, rawKey, type Shard, sealKey } from '../../shared/events/event-keys.ts'
import { compressors } from '../../shared/events/read-parquet.ts'
import { Rollup } from '../../shared/events/rollup-row.ts'
import type { SealMarker } from '../../shared/events/seal-marker.ts'
import { type MemoryEventStore, memoryEventStore } from './event-store.ts'

/** No message was received. */
export const noRecipients: Dependencies['recipients'] = {
  async *receivedIn() {},
  status: async () => [],
}

export class SealedEvents {
  readonly store: MemoryEventStore
  readonly dependencies: Dependencies
  #objects = 0

  constructor(dependencies: Partial<Dependencies> = {}, store = memoryEventStore()) {
    this.store = store
    this.dependencies = {
      store: this.store,
      addresses: async () => null,
      recipients: noRecipients,
      changeEvents: async () => [],
      ...dependencies,
    }
  }

  /** Stores events as record-events does. @param divided whether each shard gets an object of its own */
  async record(hour: string, events: readonly Partial<MailEvent>[], divided = false): Promise<void> {
    const shardOf = (event: Partial<MailEvent>) =>
      divided ? eventShard(event as MailEvent, maxEventShards) : null
    for (const [shard, ofShard] of Map.groupBy(events, shardOf)) {
      const text = ofShard.map((event) => `${JSON.stringify(event)}\n`).join('')
      const name = String(this.#objects++).padStart(26, '0')
      await this.store.put(rawKey(hour, { shard, octets: Buffer.byteLength(text) }, name), gzipSync(text))
    }
  }

  async seal(hour: string, shard: Shard = { shard: 0, shards: 1 }): Promise<SealMarker> {
    const marker = await sealShard(hour, shard, this.dependencies)
    await this.store.put(sealKey(hour, shard), Buffer.from(JSON.stringify(marker)))
    return marker
  }

  async sealAll(hour: string, shards: number): Promise<SealMarker[]> {
    return Promise.all(Array.from({ length: shards }, (_, shard) => this.seal(hour, { shard, shards })))
  }

  /** Number of events by kind, in all rollups. */
  countsByKind(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { kind, events } of this.rollups().flatMap(({ rows }) => rows))
      counts[kind] = (counts[kind] ?? 0) + events
    return counts
  }

  rollups(): Rollup[] {
    const keys = this.#keys('rollups/').filter((key) => hourOfRollup(key) !== null)
    return keys.map((key) =>
      Rollup.parse(JSON.parse(gunzipSync(this.store.objects.get(key) as Buffer).toString())),
    )
  }

  async rows(): Promise<Record<string, unknown>[]> {
    const files = this.#keys('parquet/').map((key) => this.store.objects.get(key) as Buffer)
    const rows = await Promise.all(files.map(readParquet))
    return rows.flat()
  }

  #keys(prefix: string): string[] {
    return [...this.store.objects.keys()].filter((key) => key.startsWith(prefix)).sort()
  }
}

export const readParquet = (file: Buffer): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({
    file: file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer,
    compressors,
  })
