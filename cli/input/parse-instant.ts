/** Parses the times in command options. */
import { dayMs, hourMs, minuteMs } from '../../shared/contract/durations.ts'
import { UsageError } from '../command-error.ts'
import { fromLocalTime } from './time-zone.ts'

const unitMs: Readonly<Record<string, number>> = { m: minuteMs, h: hourMs, d: dayMs }

/**
 * @param option the option's name, for messages
 * @param text ISO 8601 (in the time zone if it has no offset), or a duration before `now`: `30m`, `2h`, `3d`
 * @param now milliseconds since the epoch
 * @param timeZone IANA name
 * @returns ISO 8601 in UTC
 */
export function parseInstant(option: string, text: string, now: number, timeZone = 'UTC'): string {
  const [, count, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? []
  if (count !== undefined) return new Date(now - Number(count) * (unitMs[unit] ?? 0)).toISOString()
  const iso = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/i.exec(text)
  const time = iso ? Date.parse(`${iso[1]}T${iso[2] ?? '00:00'}${iso[3] ?? 'Z'}`) : Number.NaN
  if (!Number.isNaN(time) && isDay(iso?.[1] ?? ''))
    return new Date(iso?.[3] === undefined ? fromLocalTime(time, timeZone) : time).toISOString()
  throw new UsageError(`${option} ${text}: not a time; examples: 2026-02-03T11:00:00Z, 2h (two hours ago)`)
}

/** `Date` reads 30 February as 1 or 2 March. @param text `YYYY-MM-DD` */
const isDay = (text: string): boolean => {
  const time = Date.parse(`${text}T00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}
