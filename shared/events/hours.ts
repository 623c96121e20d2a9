/** Hours of UTC, as in the keys of the events bucket: `YYYY-MM-DDTHH`. Pure. */
import { hourMs } from '../contract/durations.ts'

/** @param at ms since the epoch */
export const hourOf = (at: number): string => new Date(at).toISOString().slice(0, 13)

/** @returns ms since the epoch */
export const startOf = (hour: string): number => Date.parse(`${hour}:00:00Z`)

export const addHours = (hour: string, count: number): string => hourOf(startOf(hour) + count * hourMs)

/** Returns the hours from `first` to `last`, both included. */
export function hoursBetween(first: string, last: string): string[] {
  const count = (startOf(last) - startOf(first)) / hourMs + 1
  return Array.from({ length: Math.max(0, count) }, (_, index) => addHours(first, index))
}
