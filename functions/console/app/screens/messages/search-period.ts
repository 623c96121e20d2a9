/** What a search cannot have found. Pure. */
import type { ViewState } from '../../use-view-state.ts'

/** Returns the time from which mail of the searched period may be missing (ISO 8601); null if none is. */
export function missingSince({ from, to }: ViewState, completeUntil: string | null): string | null {
  const [start, end, until] = [from, to, completeUntil].map((time) => Date.parse(time ?? ''))
  if (start === undefined || end === undefined || until === undefined) return null
  if (Number.isNaN(start + end + until) || end <= until) return null
  return new Date(Math.max(start, until)).toISOString()
}
