/**
 * Seals the hours that are not sealed, the earliest first and one after another. An hour that fits one shard is sealed
 * here. A larger one is divided among asynchronous invocations of the function itself. Lambda repeats a failed one
 * twice, and the run of the next hour starts it again. The last of them continues with the next hour.
 */
import * as z from 'zod'
import { DayRollups } from '../../shared/events/day-rollups.ts'
import {
  daysUntil,
  hourOfRollup,
  parseShardKey,
  rollupsOfDay,
  type Shard,
  sealInKey,
  sealKey,
  sealsOfDay,
} from '../../shared/events/event-keys.ts'
import { rawOctets } from '../../shared/events/raw-events.ts'
import type { SealMarker } from '../../shared/events/seal-marker.ts'
import {
  historyHours,
  lastClosedHour,
  maxShardMs,
  overdueHours,
  type PendingHour,
  pendingHours,
  shardsFor,
  workersFor,
} from '../../shared/events/seal-plan.ts'
import { type Dependencies as ShardDependencies, sealShard } from './seal-shard.ts'

/** An event waits at most 14 days on its queue, and happened at most two days before it was sent. */
const maxLateHours = 16 * 24

const hour = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}$/, 'is not an hour such as 2026-11-30T20')

/** Some shards of an hour. */
const PartRequest = z.strictObject({
  hour,
  shards: z.int().positive(),
  only: z.array(z.int().nonnegative()),
})
type PartRequest = z.infer<typeof PartRequest>

/** The event of an invocation. */
export const SealRequest = z.union([
  PartRequest,
  /** One hour, whether or not it has ended or is sealed already. Administrators and tests request it. */
  z.strictObject({ hour }),
  /** Each hour that is not sealed, by the schedule. */
  z.object({ source: z.literal('aws.events') }),
  /** The same, as a continuation of an earlier invocation. */
  z.strictObject({ continued: z.literal(true) }),
])
export type SealRequest = z.infer<typeof SealRequest>

export interface Dependencies extends ShardDependencies {
  /** Starts another invocation of this function. */
  invoke(request: SealRequest): Promise<void>
  onSealed(marker: SealMarker): void
  /** Receives the number of hours that earlier runs should have sealed. */
  onOverdue(hours: number): void
  /** Milliseconds until the invocation is ended. */
  remainingMs(): number
  /** Milliseconds since the epoch. */
  now(): number
}

/** @returns the markers of the shards that this invocation has sealed */
export async function sealHours(request: SealRequest, dependencies: Dependencies): Promise<SealMarker[]> {
  const markers: SealMarker[] = []
  const run = new SealRun(dependencies, markers)
  if ('only' in request) await run.sealPart(request)
  else if ('hour' in request) await run.sealWhole(request.hour)
  else await run.sealPending('source' in request)
  return markers
}

class SealRun {
  readonly #dependencies: Dependencies
  readonly #markers: SealMarker[]

  constructor(dependencies: Dependencies, markers: SealMarker[]) {
    this.#dependencies = dependencies
    this.#markers = markers
  }

  async sealPending(isScheduled: boolean): Promise<void> {
    const { store, invoke, now, onOverdue } = this.#dependencies
    let pending = await this.#pending()
    if (isScheduled) onOverdue(overdueHours(pending, now()))
    for (let next = pending[0]; next !== undefined; next = pending[0]) {
      const { hour, sealed } = next
      if (this.#isOutOfTime()) return invoke({ continued: true })
      const shards = next.shards ?? shardsFor(await rawOctets(store, hour))
      if (shards > 1) {
        await Promise.all(workersFor(shards, sealed).map((only) => invoke({ hour, shards, only })))
        return
      }
      await this.#seal(hour, { shard: 0, shards })
      pending = await this.#pending()
    }
  }

  async sealPart({ hour, shards, only }: PartRequest): Promise<void> {
    for (const [index, shard] of only.entries()) {
      if (this.#isOutOfTime()) return this.#dependencies.invoke({ hour, shards, only: only.slice(index) })
      await this.#seal(hour, { shard, shards })
    }
    const pending = await this.#pending()
    if (!pending.some((other) => other.hour === hour)) await this.sealPending(false)
  }

  async sealWhole(hour: string): Promise<void> {
    const { store } = this.#dependencies
    const known = (await store.list(`${sealsOfDay(hour)}/`)).flatMap(({ key }) => parseShardKey(key) ?? [])
    const shards = known[0]?.shards ?? shardsFor(await rawOctets(store, hour))
    for (let shard = 0; shard < shards; shard++) await this.#seal(hour, { shard, shards })
  }

  /** Whether all other shards of the hour are sealed. Two that are sealed at the same time may both be not the last. */
  async #isLast(hour: string, { shard, shards }: Shard): Promise<boolean> {
    const objects = await this.#dependencies.store.list(sealsOfDay(hour))
    const others = objects.filter(({ key }) => key !== sealKey(hour, { shard, shards }))
    return others.length >= shards - 1
  }

  /**
   * Adds the rollups of each day in which the sealed hour has events. Without this, reports read the hours of the day one
   * by one, so they are slower, but their numbers are the same.
   */
  async #storeDays(hour: string): Promise<void> {
    const { store } = this.#dependencies
    const days = new DayRollups(store)
    for (const date of daysUntil(hour, maxLateHours)) {
      const objects = await store.list(rollupsOfDay(date))
      if (objects.some(({ key }) => hourOfRollup(key) !== null && sealInKey(key) === hour))
        await days.store(date)
    }
  }

  /** The marker is the last object. An hour that has not ended gets none, because its events are not complete. */
  async #seal(hour: string, shard: Shard): Promise<void> {
    const { store, now, onSealed } = this.#dependencies
    const marker = await sealShard(hour, shard, this.#dependencies)
    if (await this.#isLast(hour, shard)) await this.#storeDays(hour)
    if (hour <= lastClosedHour(now()))
      await store.put(sealKey(hour, shard), Buffer.from(JSON.stringify(marker)))
    onSealed(marker)
    this.#markers.push(marker)
  }

  #isOutOfTime(): boolean {
    return this.#dependencies.remainingMs() < maxShardMs
  }

  async #pending(): Promise<PendingHour[]> {
    const { store, now } = this.#dependencies
    const days = daysUntil(lastClosedHour(now()), historyHours)
    const lists = await Promise.all(days.map((day) => store.list(sealsOfDay(day))))
    return pendingHours(
      lists.flat().flatMap(({ key }) => parseShardKey(key) ?? []),
      now(),
    )
  }
}
