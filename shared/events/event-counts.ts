/**
 * The counts of events in a span of time: rollups of sealed hours, and the raw events of hours that are not sealed yet,
 * if these are few.
 */
import { addRollups, type DayRow } from './day-rollup.ts'
import { DayRollups } from './day-rollups.ts'
import type { EventStore } from './event-store.ts'
import { hourOf, hoursBetween, startOf } from './hours.ts'
import { RollupBuilder } from './rollup-builder.ts'
import type { UnsealedEvents } from './unsealed-events.ts'

export interface CountedSpan {
  /** Rows by UTC day, `YYYY-MM-DD`. A day may occur twice. */
  days: (readonly [date: string, rows: readonly DayRow[]])[]
  /** The start of the first hour that is not sealed, in milliseconds since the epoch; null if the span ends before. */
  soFar: number | null
}

export class EventCounts {
  readonly #days: DayRollups
  readonly #unsealed: Pick<UnsealedEvents, 'firstHour' | 'read'>

  constructor(
    store: Pick<EventStore, 'get' | 'list' | 'put'>,
    unsealed: Pick<UnsealedEvents, 'firstHour' | 'read'>,
  ) {
    this.#days = new DayRollups(store)
    this.#unsealed = unsealed
  }

  /** @param from milliseconds since the epoch @param to excluded */
  async read(from: number, to: number): Promise<CountedSpan> {
    const open = await this.#unsealed.firstHour()
    const isOpen = startOf(open) < to
    const events = isOpen ? await this.#unsealed.read(open) : []
    // What is not read from the raw events is read from the rollups, if a seal began to write them.
    const until = events === null ? '9999' : open
    const sealed = await Promise.all(
      datesOf(from, to).map(async (date) => [date, await this.#days.read(date, until)] as const),
    )
    return { days: [...sealed, ...countByDay(events ?? [], open)], soFar: isOpen ? startOf(open) : null }
  }
}

function countByDay(
  events: readonly (Record<string, unknown> & { at: string })[],
  seal: string,
): CountedSpan['days'] {
  const builders = new Map<string, RollupBuilder>()
  for (const event of events) {
    const hour = hourOf(Date.parse(event.at))
    const builder = builders.get(hour) ?? new RollupBuilder()
    builders.set(hour, builder)
    builder.add(event)
  }
  const rollups = [...builders].map(([hour, builder]) => builder.build(hour, seal))
  const byDate = Map.groupBy(rollups, ({ hour }) => hour.slice(0, 10))
  return [...byDate].map(([date, ofDate]) => [date, addRollups(ofDate)] as const)
}

const datesOf = (from: number, to: number): string[] => [
  ...new Set(hoursBetween(hourOf(from), hourOf(to - 1)).map((hour) => hour.slice(0, 10))),
]
