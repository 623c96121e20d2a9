/** Converts between instants and the local time of a time zone. */
import { hourMs, minuteMs } from '../../shared/contract/durations.ts'
import { UsageError } from '../command-error.ts'

/** @throws UsageError if the text is not the IANA name of a time zone */
export function checkTimeZone(option: string, text: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text })
  } catch {
    throw new UsageError(`${option} ${text}: not a time zone; example: Europe/Berlin`)
  }
}

/** @returns `2026-02-03 11:00` */
export const formatLocalTime = (time: number, timeZone: string): string =>
  // Sweden's format is ISO 8601's.
  new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(time)

/**
 * @param local the time that a clock in the time zone shows, as if it were in UTC; milliseconds
 * @returns milliseconds since the epoch. Of a time that occurs twice, the first or the second; of a time that the clock
 * skips, one within an hour of it
 */
export function fromLocalTime(local: number, timeZone: string): number {
  const guess = local - offsetAt(local, timeZone)
  return local - offsetAt(guess, timeZone)
}

/** Milliseconds by which the zone's clocks are ahead of UTC. */
function offsetAt(time: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' })
  // `GMT`, `GMT+05:30`, and long ago `GMT+00:53:28`.
  const [, sign, hours, minutes, seconds = 0] =
    /([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(format.format(time)) ?? []
  if (sign === undefined) return 0
  const offset = Number(hours) * hourMs + Number(minutes) * minuteMs + Number(seconds) * 1000
  return sign === '-' ? -offset : offset
}
