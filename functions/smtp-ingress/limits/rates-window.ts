/** Arithmetic of one minute of a shared count, as one of several processes sees it. */
import type { Others } from '../../../shared/transport/rates.ts'

export interface Window {
  /** Messages of this process. */
  own: number
  /** How many of them were reported. */
  reported: number
  /** Counts of the others at the last report. */
  others: Others
  /** When the last report began, in milliseconds since 1970. */
  reportedAt: number
  /** The last report failed. */
  isFailing: boolean
}

/** Milliseconds after which even a single message is reported. */
export const reportEveryMs = 1000

/** @param counters other processes expected to count */
export const emptyWindow = (counters = 0): Window => ({
  own: 0,
  reported: 0,
  others: { taken: 0, counters },
  reportedAt: Number.NEGATIVE_INFINITY,
  isFailing: false,
})

/** Minutes since 1970. */
export const minuteOf = (at: number): number => Math.floor(at / 60_000)

/** @param limit messages of all processes together */
export const hasRoom = ({ own, others }: Window, limit: number): boolean => own + others.taken < limit

/** After a successful report. Other processes may not have reported yet, so their expected number does not shrink. */
export const afterReport = (window: Window, reported: number, { taken, counters }: Others): Window => ({
  ...window,
  reported,
  others: { taken, counters: Math.max(counters, window.others.counters) },
  isFailing: false,
})

/** Whether a second has passed with unreported messages. */
export const isOverdue = ({ own, reported, reportedAt }: Window, at: number): boolean =>
  own > reported && at - reportedAt >= reportEveryMs

/**
 * Whether to report now: half of this process's share of the remainder is used. A share assumes at least four
 * processes, since a new process knows of no others. So unreported messages are at most an eighth of the limit, and
 * fewer near the limit.
 */
export function isMuch({ own, reported, others, isFailing }: Window, limit: number): boolean {
  if (own === reported || isFailing) return false
  const share = (limit - reported - others.taken) / Math.max(4, others.counters + 1)
  return own - reported >= Math.max(1, Math.floor(share / 2))
}
