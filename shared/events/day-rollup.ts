/**
 * The rollups of a day, added together, so that a report reads one object for a day. Each row keeps its counts by hour,
 * because a report may count days of another time zone. Pure.
 */
import { createHash } from 'node:crypto'
import { addCounts, keyOf, limitRejected } from './rollup-builder.ts'
import type { Rollup, RollupRow } from './rollup-row.ts'

/** What an hour counts, in the order of `DayRow.hours`. */
export const hourCounts = ['events', 'count', 'octets', 'recipients'] as const
const step = hourCounts.length + 1

export interface DayRow extends RollupRow {
  /** For each hour with events: the hour (UTC, 0 to 23), then `hourCounts`. One flat list needs little memory. */
  hours: number[]
}

export interface DayRollup {
  /** Digest of the rollups that were added: with other rollups of the day, this object is out of date. */
  sources: string
  rows: DayRow[]
}

/** The counts of one hour of a row. `hour`: UTC, `YYYY-MM-DDTHH`. */
export type HourCounts = { hour: string } & Record<(typeof hourCounts)[number], number>

/** Digest of the keys and contents of rollups. */
export const digestOf = (objects: readonly { key: string; etag: string }[]): string =>
  createHash('sha256')
    .update(objects.map(({ key, etag }) => `${key} ${etag}\n`).join(''))
    .digest('hex')

/** @param rollups of the hours of one day, in any order */
export function addRollups(rollups: Iterable<Rollup>): DayRow[] {
  const rows = new Map<string, DayRow>()
  for (const { hour, rows: added } of rollups)
    for (const row of added) {
      const key = keyOf(row)
      const counts = [Number(hour.slice(11)), row.events, row.count, row.octets, row.recipients]
      const known = rows.get(key)
      if (known === undefined) rows.set(key, { ...row, samples: [...row.samples], hours: counts })
      else {
        addCounts(known, row)
        addHours(known.hours, counts)
      }
    }
  return limitRejected([...rows.values()], (row, other) => {
    addCounts(row, other)
    addHours(row.hours, other.hours)
  })
}

function addHours(hours: number[], other: readonly number[]): void {
  for (let start = 0; start < other.length; start += step) {
    const known = indexOfHour(hours, other[start] as number)
    if (known < 0) hours.push(...other.slice(start, start + step))
    else
      for (let index = 1; index < step; index++)
        hours[known + index] = (hours[known + index] as number) + (other[start + index] as number)
  }
}

function indexOfHour(hours: readonly number[], hour: number): number {
  for (let start = 0; start < hours.length; start += step) if (hours[start] === hour) return start
  return -1
}

/** @param date the UTC day of the row, `YYYY-MM-DD` */
export function* hoursOf({ hours }: Pick<DayRow, 'hours'>, date: string): Generator<HourCounts> {
  for (let start = 0; start < hours.length; start += step) {
    const [hour = 0, events = 0, count = 0, octets = 0, recipients = 0] = hours.slice(start, start + step)
    yield { hour: `${date}T${String(hour).padStart(2, '0')}`, events, count, octets, recipients }
  }
}
