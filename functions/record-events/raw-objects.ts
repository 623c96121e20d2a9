/** Groups the events of a batch into raw objects. Pure. */
import { eventShard, maxEventShards } from '../../shared/contract/events.ts'
import type { RawObject } from '../../shared/events/event-keys.ts'
import type { EventLine } from './read-lines.ts'

export interface RawContent extends RawObject {
  text: string
}

/**
 * Octets from which a batch becomes one object for each shard. A smaller batch is one object: at a low rate, sixteen PUT
 * requests a minute would cost more than all else of the events. At a high rate batches are full, and a seal by shards
 * must not read everything.
 */
const minDividedOctets = 2_000_000

export function rawObjects(lines: readonly EventLine[]): RawContent[] {
  if (lines.length === 0) return []
  const whole = contentOf(lines, null)
  if (whole.octets < minDividedOctets) return [whole]
  const byShard = Map.groupBy(lines, ({ event }) => eventShard(event, maxEventShards))
  return [...byShard].map(([shard, ofShard]) => contentOf(ofShard, shard))
}

function contentOf(lines: readonly EventLine[], shard: number | null): RawContent {
  const text = lines.map(({ line }) => line).join('')
  return { shard, octets: Buffer.byteLength(text), text }
}
