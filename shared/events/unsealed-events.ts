/** Reads the raw events of hours that are not sealed yet, if these are few. */
import { daysUntil, parquetPrefix, parseShardKey, sealInKey, sealsOfDay } from './event-keys.ts'
import type { EventStore } from './event-store.ts'
import { addHours, hourOf, hoursBetween } from './hours.ts'
import { IdSet } from './id-set.ts'
import { type RawEvent, rawEvents, rawOctets, recordedIds } from './raw-events.ts'
import { readIds } from './read-parquet.ts'
import { lastClosedHour, pendingHours, windowHours } from './seal-plan.ts'

/** Octets of raw events that one request reads: about a third of a second. */
const maxRawOctets = 16_000_000

/** Hours before an unsealed hour in which copies of its events may have been recorded. */
const comparedHours = 2

/** Hours whose Parquet files one request reads to find late copies. */
const maxLateHours = 72

const all = { shard: 0, shards: 1 }

export class UnsealedEvents {
  readonly #store: Pick<EventStore, 'get' | 'list'>
  readonly #now: () => number

  /** @param now milliseconds since the epoch */
  constructor(store: Pick<EventStore, 'get' | 'list'>, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** Returns the first hour that is not sealed, `YYYY-MM-DDTHH`. Events of earlier hours are in Parquet files. */
  async firstHour(): Promise<string> {
    const now = this.#now()
    const last = lastClosedHour(now)
    const lists = await Promise.all(
      daysUntil(last, windowHours).map((day) => this.#store.list(sealsOfDay(day))),
    )
    const markers = lists.flat().flatMap(({ key }) => parseShardKey(key) ?? [])
    return pendingHours(markers, now)[0]?.hour ?? addHours(last, 1)
  }

  /**
   * Returns the events that were recorded since the first unsealed hour, each once.
   * @returns null if they are too many to read
   */
  async read(firstHour: string): Promise<RawEvent['event'][] | null> {
    const hours = hoursBetween(firstHour, hourOf(this.#now()))
    const octets = await Promise.all(hours.map((hour) => rawOctets(this.#store, hour)))
    if (octets.reduce((sum, each) => sum + each, 0) > maxRawOctets) return null
    const before = await Promise.all(
      hoursBetween(addHours(firstHour, -comparedHours), addHours(firstHour, -1)).map((hour) =>
        recordedIds(this.#store, hour, all),
      ),
    )
    const ids = new IdSet()
    const events: RawEvent['event'][] = []
    for (const hour of hours)
      for await (const { event } of rawEvents(this.#store, hour, all))
        if (ids.add(event.id) && !before.some((set) => set.has(event.id))) events.push(event)
    return this.#withoutSealed(events, firstHour)
  }

  /** Drops the copies of events that were sealed before the compared hours, as a seal does. */
  async #withoutSealed(events: RawEvent['event'][], firstHour: string): Promise<RawEvent['event'][] | null> {
    const late = events.filter(({ at }) => hourOf(Date.parse(at)) <= addHours(firstHour, -comparedHours))
    const hours = new Set(
      late
        .map(({ at }) => hourOf(Date.parse(at)))
        .flatMap((hour) => [addHours(hour, -1), hour, addHours(hour, 1)]),
    )
    if (hours.size > maxLateHours) return null
    const lists = await Promise.all([...hours].map((hour) => this.#store.list(parquetPrefix(hour))))
    const sealed = new IdSet()
    for (const object of lists.flat())
      if (sealInKey(object.key) < firstHour)
        for (const id of await readIds(this.#store, object)) sealed.add(id)
    const copies = new Set(late.filter(({ id }) => sealed.has(id)))
    return events.filter((event) => !copies.has(event))
  }
}
