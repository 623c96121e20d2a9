/** Days of UTC, as `YYYY-MM-DD` (RFC 8460 §4.1). Pure. */
import { dayMs } from '../contract/durations.ts'

export const dayOf = (at: Date): string => at.toISOString().slice(0, 10)

export const previousDay = (at: Date): string => dayOf(new Date(at.getTime() - dayMs))

/** The first and last second of the day, as seconds since 1970-01-01 UTC. */
export function dayBounds(day: string): { begin: number; end: number } {
  const begin = Date.parse(`${day}T00:00:00Z`) / 1000
  return { begin, end: begin + 86_399 }
}
