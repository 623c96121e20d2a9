/** The arithmetic of one minute, as one of several processes knows it that count messages together. */
import type { Others } from '../../../shared/transport/rates.ts'

export interface Window {
  /** Messages that this process took. */
  own: number
  /** As many of them as the others can know of. */
  reported: number
  /** What was known of the others at the last report. */
  others: Others
  /** When the last report began, milliseconds since 1970. */
  reportedAt: number
  /** The last report was not answered. */
  isFailing: boolean
}

/** Milliseconds after which others hear of what was taken, however little it is. */
export const reportEveryMs = 1000

/** @param counters other processes that are expected to count */
export const emptyWindow = (counters = 0): Window => ({
  own: 0,
  reported: 0,
  others: { taken: 0, counters },
  reportedAt: Number.NEGATIVE_INFINITY,
  isFailing: false,
})

/** Since 1970. */
export const minuteOf = (at: number): number => Math.floor(at / 60_000)

/** @param limit messages that all may take together */
export const hasRoom = ({ own, others }: Window, limit: number): boolean => own + others.taken < limit

/** What is known once somebody has answered to a report of so many: the others may not all have reported yet. */
export const afterReport = (window: Window, reported: number, { taken, counters }: Others): Window => ({
  ...window,
  reported,
  others: { taken, counters: Math.max(counters, window.others.counters) },
  isFailing: false,
})

/** Whether others have to hear of what was taken before long: there is something, and a second has passed. */
export const isOverdue = ({ own, reported, reportedAt }: Window, at: number): boolean =>
  own > reported && at - reportedAt >= reportEveryMs

/**
 * Whether others should hear now: half of this process's share of what was left at the last report is taken. Four are
 * taken to share at least, since who has just begun knows of nobody. So what the others do not know of is an eighth of
 * the limit at most, and less as the limit comes near.
 */
export function isMuch({ own, reported, others, isFailing }: Window, limit: number): boolean {
  if (own === reported || isFailing) return false
  const share = (limit - reported - others.taken) / Math.max(4, others.counters + 1)
  return own - reported >= Math.max(1, Math.floor(share / 2))
}
