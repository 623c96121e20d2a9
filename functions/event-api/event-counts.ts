/**
 * The counts of events in a span of time: rollups of sealed hours, and the raw events of hours that are not sealed yet,
 * if these are few.
 */
import { addRollups, type DayRow } from '../../shared/events/day-rollup.ts'
import { DayRollups } from '../../shared/events/day-rollups.ts'
import { daysUntil, parseShardKey, sealsOfDay } from '../../shared/events/event-keys.ts'
import type { EventStore } from '../../shared/events/event-store.ts'
import { addHours, hourOf, hoursBetween, startOf } from '../../shared/events/hours.ts'
import { IdSet } from '../../shared/events/id-set.ts'
import { rawEvents, rawOctets, recordedIds } from '../../shared/events/raw-events.ts'
import { RollupBuilder } from '../../shared/events/rollup-builder.ts'
import { lastClosedHour, pendingHours, windowHours } from '../../shared/events/seal-plan.ts'

/** Octets of raw events that one request reads: about a third of a second. */
const maxRawOctets = 16_000_000

/** Hours before an unsealed hour in which copies of its events may have been recorded. */
const comparedHours = 2

const all = { shard: 0, shards: 1 }

export interface CountedSpan {
  /** Rows by UTC day, `YYYY-MM-DD`. A day may occur twice. */
  days: (readonly [date: string, rows: readonly DayRow[]])[]
  /** The start of the first hour that is not sealed, in milliseconds since the epoch; null if the span ends before. */
  soFar: number | null
}

export class EventCounts {
  readonly #store: Pick<EventStore, 'get' | 'list' | 'put'>
  readonly #days: DayRollups
  readonly #now: () => number

  /** @param now milliseconds since the epoch */
  constructor(store: Pick<EventStore, 'get' | 'list' | 'put'>, now: () => number) {
    this.#store = store
    this.#days = new DayRollups(store)
    this.#now = now
  }

  /** @param from milliseconds since the epoch @param to excluded */
  async read(from: number, to: number): Promise<CountedSpan> {
    const open = await this.#firstUnsealedHour()
    const dates = datesOf(from, to)
    const isOpen = startOf(open) < to
    const unsealed = isOpen ? await this.#unsealed(open) : []
    // What is not read from the raw events is read from the rollups, if a seal began to write them.
    const until = unsealed === null ? '9999' : open
    const sealed = await Promise.all(
      dates.map(async (date) => [date, await this.#days.read(date, until)] as const),
    )
    return { days: [...sealed, ...(unsealed ?? [])], soFar: isOpen ? startOf(open) : null }
  }

  async #firstUnsealedHour(): Promise<string> {
    const now = this.#now()
    const last = lastClosedHour(now)
    const lists = await Promise.all(
      daysUntil(last, windowHours).map((day) => this.#store.list(sealsOfDay(day))),
    )
    const markers = lists.flat().flatMap(({ key }) => parseShardKey(key) ?? [])
    return pendingHours(markers, now)[0]?.hour ?? addHours(last, 1)
  }

  /** @returns null if the events are too many to read */
  async #unsealed(first: string): Promise<CountedSpan['days'] | null> {
    const hours = hoursBetween(first, hourOf(this.#now()))
    const octets = await Promise.all(hours.map((hour) => rawOctets(this.#store, hour)))
    if (octets.reduce((sum, each) => sum + each, 0) > maxRawOctets) return null
    const ids = new IdSet()
    const before = await Promise.all(
      hoursBetween(addHours(first, -comparedHours), addHours(first, -1)).map((hour) =>
        recordedIds(this.#store, hour, all),
      ),
    )
    const builders = new Map<string, RollupBuilder>()
    for (const recorded of hours)
      for await (const { event } of rawEvents(this.#store, recorded, all)) {
        if (!ids.add(event.id) || before.some((set) => set.has(event.id))) continue
        const hour = hourOf(Date.parse(event.at))
        const builder = builders.get(hour) ?? new RollupBuilder()
        builders.set(hour, builder)
        builder.add(event)
      }
    const rollups = [...builders].map(([hour, builder]) => builder.build(hour, first))
    const byDate = Map.groupBy(rollups, ({ hour }) => hour.slice(0, 10))
    return [...byDate].map(([date, ofDate]) => [date, addRollups(ofDate)] as const)
  }
}

const datesOf = (from: number, to: number): string[] => [
  ...new Set(hoursBetween(hourOf(from), hourOf(to - 1)).map((hour) => hour.slice(0, 10))),
]
