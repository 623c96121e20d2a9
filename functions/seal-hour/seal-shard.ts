/**
 * Seals a shard of a recorded hour: drops copies of events, and writes the others by the hour at which they happened.
 *
 * Each event counts in one recorded hour. A copy in the same hour, or in one of the two hours before, is found by the ids of
 * their raw objects. All other copies are found by their ids in the Parquet files of the hour at which they happened, and of
 * the hours next to it: two workers that repeat each other's work may write times that differ by minutes. So hours may be sealed in any order, but not two at the same time. Each object is put whole, and the raw
 * objects of a closed hour do not change. So a repeated seal writes the same objects, and a seal that was killed is
 * completed by the next.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { eventSchemaVersion, type MailEvent, messageHash } from '../../shared/contract/events.ts'
import { softwareVersion } from '../../shared/contract/software-version.ts'
import {
  idsKey,
  idsPrefix,
  mayHoldMessage,
  parquetKey,
  parquetPrefix,
  rollupKey,
  type Shard,
  sealInKey,
} from '../../shared/events/event-keys.ts'
import type { EventStore } from '../../shared/events/event-store.ts'
import type { EventAddresses } from '../../shared/events/hash-addresses.ts'
import { addHours, hoursBetween, startOf } from '../../shared/events/hours.ts'
import { IdSet } from '../../shared/events/id-set.ts'
import { parquetFile } from '../../shared/events/parquet-file.ts'
import { rawEvents, recordedIds } from '../../shared/events/raw-events.ts'
import { readIds } from '../../shared/events/read-parquet.ts'
import { RollupBuilder } from '../../shared/events/rollup-builder.ts'
import type { SealMarker } from '../../shared/events/seal-marker.ts'
import { EventRows } from './event-rows.ts'
import { type Dependencies as MissingDependencies, missingEvents } from './missing-events.ts'

export interface Dependencies {
  store: Pick<EventStore, 'get' | 'list' | 'put'>
  recipients: MissingDependencies['recipients']
  /** Returns what hashes the addresses in events, or null if they stay plain; rejects while the key cannot be read. */
  addresses(): Promise<Pick<EventAddresses, 'hashIn' | 'storedIds'> | null>
  /** Events of the changes of the configuration in a span of time. */
  changeEvents(since: Date, until: Date): Promise<MailEvent[]>
}

/** Recorded hours before the sealed hour whose ids find copies. Later copies of this hour's events are dropped by theirs. */
const comparedHours = 2

const compress = promisify(gzip)

/**
 * Writes all objects except the marker.
 * @returns the marker, without which the shard is not sealed
 */
export async function sealShard(hour: string, shard: Shard, dependencies: Dependencies): Promise<SealMarker> {
  const { store } = dependencies
  const addresses = await dependencies.addresses()
  const stored = <T extends object>(value: T): T => addresses?.hashIn(value) ?? value
  const before = await Promise.all(
    Array.from({ length: comparedHours }, (_, index) =>
      recordedIds(store, addHours(hour, -1 - index), shard),
    ),
  )
  const ids = new IdSet()
  const rows = new EventRows()
  const counts = { events: 0, duplicates: 0, late: 0 }
  for await (const { line, event } of rawEvents(store, hour, shard)) {
    if (ids.add(event.id) && !before.some((set) => set.has(event.id))) rows.add(line, rowKeyOf(event))
    else counts.duplicates += 1
  }
  await addChanges(hour, shard, dependencies, (event) =>
    rows.add(Buffer.from(JSON.stringify(stored(event))), rowKeyOf(event)),
  )
  const byKind: Record<string, number> = {}
  for (const [eventHour, all] of rows.byHour()) {
    const kept = await withoutSealed(eventHour, hour, all, rows, store)
    counts.duplicates += all.length - kept.length
    counts.events += kept.length
    if (eventHour < addHours(hour, -comparedHours)) counts.late += kept.length
    if (kept.length > 0) await writeEvents({ eventHour, hour, shard }, rows.sort(kept), rows, byKind, store)
  }
  await store.put(idsKey(hour, shard), ids.toBuffer())
  const reconciliation = await missingEvents(hour, shard, {
    recipients: dependencies.recipients,
    idsOf: idsByHour(store, shard, [ids, ...before], hour),
    storedIds: (id) => addresses?.storedIds(id) ?? [id],
    isSealed: async (other) => (await store.list(idsPrefix(other))).length > 0,
  })
  return {
    schemaVersion: eventSchemaVersion,
    softwareVersion,
    hour,
    ...shard,
    ...counts,
    byKind,
    reconciliation: { ...reconciliation, samples: reconciliation.samples.map(stored) },
  }
}

const rowKeyOf = ({ id, at, partner }: Record<string, unknown> & { id: string; at: string }) => ({
  id,
  at: Date.parse(at),
  partner: typeof partner === 'string' ? partner : '',
})

/** The events of the configuration belong to a shard as all events do. */
async function addChanges(
  hour: string,
  { shard, shards }: Shard,
  { changeEvents }: Dependencies,
  add: (event: MailEvent) => void,
): Promise<void> {
  const events = await changeEvents(new Date(startOf(hour)), new Date(startOf(addHours(hour, 1))))
  for (const event of events) if (messageHash(event.id) % shards === shard) add(event)
}

/** Returns the rows whose events no other seal has written. */
async function withoutSealed(
  eventHour: string,
  hour: string,
  all: number[],
  rows: EventRows,
  store: Pick<EventStore, 'get' | 'list'>,
): Promise<number[]> {
  const near = hoursBetween(addHours(hour, -comparedHours), addHours(hour, comparedHours))
  const eventHours = hoursBetween(addHours(eventHour, -1), addHours(eventHour, 1))
  const lists = await Promise.all(eventHours.map((each) => store.list(parquetPrefix(each))))
  const objects = lists.flat().filter(({ key }) => !near.includes(sealInKey(key)))
  if (objects.length === 0) return all
  const hashes = all.map((row) => {
    const { messageId, id } = rows.event(row) as Pick<MailEvent, 'messageId' | 'id'>
    return messageHash(messageId ?? id)
  })
  const sealed = new IdSet()
  for (const object of objects)
    if (hashes.some((hash) => mayHoldMessage(object.key, hash)))
      for (const id of await readIds(store, object)) sealed.add(id)
  return all.filter((row) => !sealed.has(rows.id(row)))
}

async function writeEvents(
  { eventHour, hour, shard }: { eventHour: string; hour: string; shard: Shard },
  sorted: readonly number[],
  rows: EventRows,
  byKind: Record<string, number>,
  store: Pick<EventStore, 'put'>,
): Promise<void> {
  const rollup = new RollupBuilder()
  function* events() {
    for (const row of sorted) {
      const event = rows.event(row)
      rollup.add(event)
      const kind = String(event.kind)
      byKind[kind] = (byKind[kind] ?? 0) + 1
      yield event
    }
  }
  await store.put(parquetKey(eventHour, shard, hour), parquetFile(events()))
  const json = JSON.stringify(rollup.build(eventHour, hour))
  await store.put(rollupKey(eventHour, shard, hour), await compress(json))
}

/** @param recent the ids of the sealed hour and of the hours before it */
function idsByHour(store: Dependencies['store'], shard: Shard, recent: readonly IdSet[], hour: string) {
  return async (other: string): Promise<IdSet> => {
    const index = recent.findIndex((_, hours) => addHours(hour, -hours) === other)
    return recent[index] ?? recordedIds(store, other, shard)
  }
}
