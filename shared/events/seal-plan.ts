/** Which hours are to be sealed, and in how many shards. Pure. */
import { hourMs, minuteMs } from '../contract/durations.ts'
import { maxEventShards } from '../contract/events.ts'
import { recordingMinutes } from '../contract/seal-schedule.ts'
import { maxShards, type Shard } from './event-keys.ts'
import { addHours, hourOf, hoursBetween } from './hours.ts'

/** Hours that a run seals if earlier runs did not. Raw objects are stored for seven days. */
export const windowHours = 48

/** Hours of earlier seals that show that the deployment is not new: while there are raw objects. */
export const historyHours = 7 * 24

/** Hours from the receipt of a message to the hours at whose seals its events are looked for. */
export const lookHours = [2, 49] as const

/**
 * Octets of the lines in a shard. They are in memory during a seal; with the other data of it they need less than the
 * memory of the function (`npm run bench:events`).
 */
const maxShardOctets = 400_000_000

export interface PendingHour {
  hour: string
  /** Null when none of its shards is sealed: their number is then not decided. */
  shards: number | null
  sealed: ReadonlySet<number>
}

/** The last hour whose raw objects do not change any more. @param now ms since the epoch */
export const lastClosedHour = (now: number): string => addHours(hourOf(now - recordingMinutes * minuteMs), -1)

/** @returns the number of shards of an hour, a power of two. @param octets of the lines of the hour */
export function shardsFor(octets: number): number {
  const needed = 2 ** Math.ceil(Math.log2(Math.max(1, octets / maxShardOctets)))
  return Math.min(maxShards, needed)
}

/**
 * Hours before the first seal are not pending: the deployment is new. Without a seal only the last hour is.
 * @param markers the seals of `historyHours`
 * @returns the closed hours that are not sealed, the earliest first
 */
export function pendingHours(markers: readonly (Shard & { hour: string })[], now: number): PendingHour[] {
  const last = lastClosedHour(now)
  if (markers.length === 0) return [{ hour: last, shards: null, sealed: new Set() }]
  const byHour = Map.groupBy(markers, ({ hour }) => hour)
  const [first = last] = [...byHour.keys()].sort()
  const hours = hoursBetween(addHours(last, 1 - windowHours), last).filter((hour) => hour >= first)
  return hours.flatMap((hour) => {
    const ofHour = byHour.get(hour) ?? []
    const shards = ofHour[0]?.shards ?? null
    const sealed = new Set(ofHour.filter((marker) => marker.shards === shards).map(({ shard }) => shard))
    return sealed.size === shards ? [] : [{ hour, shards, sealed }]
  })
}

/** Returns how many hours an earlier run should have sealed. */
export const overdueHours = (pending: readonly PendingHour[], now: number): number =>
  pending.filter(({ hour }) => hour !== lastClosedHour(now)).length

/** Divides the shards of an hour among at most sixteen invocations, so that mail keeps its concurrency. */
export function workersFor(shards: number, sealed: ReadonlySet<number>): number[][] {
  const pending = Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !sealed.has(shard))
  return [...Map.groupBy(pending, (shard) => shard % maxEventShards).values()]
}

/** The time in which the largest shard is sealed, with a reserve. */
export const maxShardMs = hourMs / 15
