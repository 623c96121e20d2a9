/** What the markers of seals say about a span: which hours are not sealed, and how many events are missing. */
import { hourMs } from '../../shared/contract/durations.ts'
import { daysUntil, parseShardKey, sealsOfDay } from '../../shared/events/event-keys.ts'
import type { EventStore } from '../../shared/events/event-store.ts'
import { hourOf, hoursBetween, startOf } from '../../shared/events/hours.ts'
import { missingCount, SealMarker } from '../../shared/events/seal-marker.ts'
import { historyHours, lookHours } from '../../shared/events/seal-plan.ts'
import { concurrencyLimiter } from '../../shared/limits/concurrency-limiter.ts'

export interface SealState {
  /** Start of the first hour of the span without a whole seal, in milliseconds since the epoch; null if there is none. */
  unsealedFrom: number | null
  /** Events that the seals have missed; an event may be missed by two seals. */
  missing: number
}

const maxConcurrentReads = 32

/** From the receipt of a message to the first seal that looks for its events. */
const lookMs = lookHours[0] * hourMs

/** @param from milliseconds since the epoch; a whole hour @param to excluded */
export async function readSeals(
  store: Pick<EventStore, 'get' | 'list'>,
  from: number,
  to: number,
): Promise<SealState> {
  const listed = daysUntil(hourOf(to - 1 + lookMs), (to + lookMs - from) / hourMs + historyHours)
  const objects = (await Promise.all(listed.map((day) => store.list(sealsOfDay(day))))).flat()
  const seals = objects.flatMap(({ key }) => {
    const seal = parseShardKey(key)
    return seal === null ? [] : [{ key, ...seal }]
  })
  const limit = concurrencyLimiter(maxConcurrentReads)
  const counts = await Promise.all(
    seals
      .filter(({ hour }) => startOf(hour) >= from + lookMs && startOf(hour) < to + lookMs)
      .map(({ key }) => limit(async () => missingIn(await store.get(key)))),
  )
  return {
    unsealedFrom: firstUnsealed(seals, from, to),
    missing: counts.reduce((sum, each) => sum + each, 0),
  }
}

const missingIn = (marker: Buffer): number =>
  missingCount(SealMarker.parse(JSON.parse(marker.toString())).reconciliation)

/** Hours before the first seal are not missing: the deployment is new. */
function firstUnsealed(
  seals: readonly { hour: string; shards: number }[],
  from: number,
  to: number,
): number | null {
  const byHour = Map.groupBy(seals, ({ hour }) => hour)
  const [first = hourOf(from)] = [...byHour.keys()].sort()
  const isSealed = (hour: string) => {
    const ofHour = byHour.get(hour) ?? []
    const shards = ofHour[0]?.shards
    return shards !== undefined && ofHour.filter((seal) => seal.shards === shards).length === shards
  }
  const hour = hoursBetween(hourOf(from), hourOf(to - 1)).find((each) => each >= first && !isSealed(each))
  return hour === undefined ? null : startOf(hour)
}
