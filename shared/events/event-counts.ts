/**
 * The counts of events in a span of time: rollups of sealed hours, and the raw events of hours that are not sealed yet,
 * if these are few.
 */
import { addRollups, type DayRow } from './day-rollup.ts'
import { DayRollups } from './day-rollups.ts'
import type { EventStore } from './event-store.ts'
import { addHours, hourOf, hoursBetween, startOf } from './hours.ts'
import { RollupBuilder } from './rollup-builder.ts'
import { windowHours } from './seal-plan.ts'
import type { UnsealedEvents } from './unsealed-events.ts'

/** Hours after an event in which it is recorded, unless it is late. */
const recordedLaterHours = 2

/** Hours after the first unsealed hour in which events can have happened: it is at most `windowHours` ago. */
const futureHours = windowHours + 24

export interface CountedSpan {
  /** Rows by UTC day, `YYYY-MM-DD`. A day may occur twice. */
  days: (readonly [date: string, rows: readonly DayRow[]])[]
  /** From this time on, events may be missing, in milliseconds since the epoch; null if the span ends before. */
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
    // The events of the end of an hour are recorded in the next.
    const isOpen = startOf(addHours(open, -recordedLaterHours)) < to
    const events = isOpen ? await this.#unsealed.read(open) : []
    const complete = startOf(events === null ? addHours(open, -1) : open)
    // What is not read from the raw events is read from the rollups, if a seal began to write them.
    const until = events === null ? '9999' : open
    const sealed = await Promise.all(
      hoursByDate(from, Math.min(to, startOf(addHours(open, futureHours)))).map(
        async ([date, hours]) => [date, await this.#days.read(date, until, hours)] as const,
      ),
    )
    const counted = (events ?? []).filter(({ at }) => from <= Date.parse(at) && Date.parse(at) < to)
    return { days: [...sealed, ...countByDay(counted, open)], soFar: complete < to ? complete : null }
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

const hoursByDate = (from: number, to: number): [date: string, hours: string[]][] => [
  ...Map.groupBy(hoursBetween(hourOf(from), hourOf(to - 1)), (hour) => hour.slice(0, 10)),
]
