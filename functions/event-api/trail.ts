/**
 * Reads the events of one message from the Parquet files of the hours after its receipt, and from unsealed hours. A refusal
 * that has no message is found by its own id.
 */
import { decodeTime } from 'ulid'
import { messageHash } from '../../shared/contract/events.ts'
import { mayHoldMessage, parquetPrefix } from '../../shared/events/event-keys.ts'
import type { EventStore } from '../../shared/events/event-store.ts'
import { addHours, hourOf, hoursBetween } from '../../shared/events/hours.ts'
import { readRows } from '../../shared/events/read-parquet.ts'
import type { UnsealedEvents } from '../../shared/events/unsealed-events.ts'
import { concurrencyLimiter } from '../../shared/limits/concurrency-limiter.ts'

/**
 * Hours after the time in a message's id in which its events happen: a day of deferrals, and a DSN has the id's time of the
 * message that it reports.
 */
const lifetimeHours = 72

/** Numbers of hours after which a complete message is read no further. Most have all events in their first hour. */
const stepEnds = [3, 8, 24, lifetimeHours + 2]

const maxConcurrentFiles = 16

export type TrailEvent = Record<string, unknown> & { id: string; kind: string; at: string }

export interface Trail {
  /** In the order of time. */
  events: TrailEvent[]
  /** The first hour that is not sealed, `YYYY-MM-DDTHH`, if the events of this hour and later ones could not be read. */
  unreadSince: string | null
}

export class TrailReader {
  readonly #store: Pick<EventStore, 'get' | 'list'>
  readonly #unsealed: Pick<UnsealedEvents, 'firstHour' | 'read'>
  readonly #limit = concurrencyLimiter(maxConcurrentFiles)

  constructor(store: Pick<EventStore, 'get' | 'list'>, unsealed: Pick<UnsealedEvents, 'firstHour' | 'read'>) {
    this.#store = store
    this.#unsealed = unsealed
  }

  /** @param id of a message, or of a refusal: a ULID */
  async read(id: string): Promise<Trail> {
    const open = await this.#unsealed.firstHour()
    const received = hourOf(decodeTime(id))
    const last = addHours(received, lifetimeHours)
    const isOpen = last >= open
    const recent = isOpen ? await this.#unsealed.read(open) : []
    const events = new Map<string, TrailEvent>()
    for (const event of recent ?? [])
      if (event.messageId === id || event.id === id) events.set(event.id, event)
    if (events.has(id)) return { events: [...events.values()], unreadSince: null }
    const hours = hoursBetween(addHours(received, -1), isOpen ? open : last)
    let end = 0
    while (end < hours.length && !isComplete([...events.values()], hours[end - 1])) {
      const step = hours.slice(
        end,
        stepEnds.find((next) => next > end),
      )
      const read = await Promise.all(step.map((hour) => this.#hour(hour, 'messageId', id)))
      for (const event of read.flat()) events.set(event.id, event)
      if (end === 0 && events.size === 0) {
        const refusal = await this.#refusal(step, id)
        if (refusal !== null) return { events: [refusal], unreadSince: null }
      }
      end += step.length
    }
    return {
      events: [...events.values()].sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? -1 : 1)),
      unreadSince: recent === null ? open : null,
    }
  }

  /** A refusal has the hour of its id, or the hour before: those of a minute are counted together. */
  async #refusal(hours: readonly string[], id: string): Promise<TrailEvent | null> {
    const read = await Promise.all(hours.map((hour) => this.#hour(hour, 'id', id)))
    return read.flat()[0] ?? null
  }

  async #hour(hour: string, column: 'messageId' | 'id', id: string): Promise<TrailEvent[]> {
    const hash = messageHash(id)
    const objects = (await this.#limit(() => this.#store.list(parquetPrefix(hour)))).filter(({ key }) =>
      mayHoldMessage(key, hash),
    )
    const rows = await Promise.all(
      objects.map((object) => this.#limit(() => readRows(this.#store, object, column, id))),
    )
    return rows.flat().map(toEvent)
  }
}

/** Whether each recipient is delivered or bounced, and an hour without events followed, in which a DSN could be. */
function isComplete(events: readonly TrailEvent[], lastHour: string | undefined): boolean {
  const accepted = events.find(({ kind }) => kind === 'Accepted')
  const settled = new Set(
    events.filter(({ kind }) => kind === 'Delivered' || kind === 'Bounced').map(({ recipient }) => recipient),
  )
  const isSettled = accepted !== undefined && settled.size >= Number(accepted.recipients)
  return isSettled && events.every(({ at }) => lastHour !== undefined && hourOf(Date.parse(at)) < lastHour)
}

/** A row without its empty columns, as the event was sent. */
function toEvent(row: Record<string, unknown>): TrailEvent {
  const columns = Object.entries(row).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries(
    columns.map(([name, value]) => [name, value instanceof Date ? value.toISOString() : value]),
  ) as TrailEvent
}
