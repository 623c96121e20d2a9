/** Reads the raw objects of an hour, and the ids in them. */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { maxEventShards, messageHash } from '../contract/events.ts'
import {
  idsKey,
  idsPrefix,
  overlaps,
  parseRawKey,
  parseShardKey,
  rawPrefix,
  type Shard,
} from './event-keys.ts'
import type { EventStore } from './event-store.ts'
import { IdSet } from './id-set.ts'

export interface RawEvent {
  /** Without the line feed. */
  line: Buffer
  event: Record<string, unknown> & { id: string; at: string; kind: string }
}

type Reader = Pick<EventStore, 'get' | 'list'>

const decompress = promisify(gunzip)

/** Objects that are read before they are needed. */
const maxPrefetched = 4

/** Octets of the lines of a recorded hour, in all shards. */
export async function rawOctets(store: Pick<EventStore, 'list'>, hour: string): Promise<number> {
  const objects = await store.list(rawPrefix(hour))
  return objects.reduce((sum, { key }) => sum + (parseRawKey(key)?.octets ?? 0), 0)
}

/** Yields the events of a shard that were recorded in an hour, always in the same order. */
export async function* rawEvents(store: Reader, hour: string, shard: Shard): AsyncGenerator<RawEvent> {
  const objects = await store.list(rawPrefix(hour))
  const keys = objects.map(({ key }) => key).filter((key) => mayHold(key, shard))
  const reading: Promise<Buffer>[] = []
  let next = 0
  const prefetch = () => {
    for (; next < keys.length && reading.length < maxPrefetched; next++) {
      const content = store.get(keys[next] as string).then((octets) => decompress(octets))
      // The loop awaits the promise later; until then a rejection must not end the process.
      content.catch(() => undefined)
      reading.push(content)
    }
  }
  for (prefetch(); reading.length > 0; ) {
    const content = await (reading.shift() as Promise<Buffer>)
    prefetch()
    for (const line of linesOf(content)) {
      const event = JSON.parse(line.toString('utf8'))
      if (messageHash(event.messageId ?? event.id) % shard.shards === shard.shard) yield { line, event }
    }
  }
}

function mayHold(key: string, shard: Shard): boolean {
  const object = parseRawKey(key)
  if (object === null) return false
  return object.shard === null || overlaps({ shard: object.shard, shards: maxEventShards }, shard)
}

function* linesOf(content: Buffer): Generator<Buffer> {
  for (let start = 0; start < content.length; ) {
    const end = content.indexOf(10, start)
    const lineEnd = end < 0 ? content.length : end
    if (lineEnd > start) yield content.subarray(start, lineEnd)
    start = lineEnd + 1
  }
}

/**
 * Returns the ids of all events of a shard that were recorded in an hour. The hour need not be sealed: without the object
 * that its seal wrote, its raw objects are read. So the result does not depend on the order of seals.
 */
export async function recordedIds(store: Reader, hour: string, shard: Shard): Promise<IdSet> {
  const stored = (await store.list(idsPrefix(hour))).flatMap(({ key }) => parseShardKey(key) ?? [])
  const ids = new IdSet()
  const overlapping = stored.filter((other) => overlaps(other, shard))
  if (isComplete(overlapping, shard)) {
    for (const other of overlapping) ids.addAll(await store.get(idsKey(hour, other)))
    return ids
  }
  for await (const { event } of rawEvents(store, hour, shard)) ids.add(event.id)
  return ids
}

/** Whether the shards of an earlier seal hold all events of a shard. */
function isComplete(overlapping: readonly Shard[], { shards }: Shard): boolean {
  const [first] = overlapping
  return first !== undefined && overlapping.length === Math.max(1, first.shards / shards)
}
