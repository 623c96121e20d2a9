/** Reads the raw events of hours that are not sealed yet, if these are few. */
import { daysUntil, parseShardKey, sealsOfDay } from './event-keys.ts'
import type { EventStore } from './event-store.ts'
import { addHours, hourOf, hoursBetween } from './hours.ts'
import { IdSet } from './id-set.ts'
import { type RawEvent, rawEvents, rawOctets, recordedIds } from './raw-events.ts'
import { lastClosedHour, pendingHours, windowHours } from './seal-plan.ts'

/** Octets of raw events that one request reads: about a third of a second. */
const maxRawOctets = 16_000_000

/** Hours before an unsealed hour in which copies of its events may have been recorded. */
const comparedHours = 2

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
    return events
  }
}
