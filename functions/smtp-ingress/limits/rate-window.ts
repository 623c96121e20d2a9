/** Computes one process's view of a message count that several processes share during one minute. */
import type { OtherCounts } from '../../../shared/transport/rate-table.ts'

export interface RateWindow {
  /** Messages of this process. */
  ownCount: number
  /** The part of `ownCount` that was reported. */
  reportedCount: number
  /** Counts of the other processes at the last report. */
  otherProcesses: OtherCounts
  /** When the last report began, in milliseconds since 1970. */
  reportedAt: number
  /** True when the last report failed. */
  isFailing: boolean
}

/** Milliseconds after which even a single message is reported. */
export const reportIntervalMs = 1000

/** @param counters number of other processes that are expected to count in this minute */
export const emptyWindow = (counters = 0): RateWindow => ({
  ownCount: 0,
  reportedCount: 0,
  otherProcesses: { messages: 0, counters },
  reportedAt: Number.NEGATIVE_INFINITY,
  isFailing: false,
})

/** Minutes since 1970. */
export const minuteOf = (at: number): number => Math.floor(at / 60_000)

/** @param limit messages of all processes together */
export const isBelowLimit = ({ ownCount, otherProcesses: others }: RateWindow, limit: number): boolean =>
  ownCount + others.messages < limit

/**
 * Updates the window after a successful report. The number of other processes does not shrink, because some of them may
 * not have reported in this minute yet.
 */
export const applyReport = (
  window: RateWindow,
  reportedCount: number,
  { messages, counters }: OtherCounts,
): RateWindow => ({
  ...window,
  reportedCount,
  otherProcesses: { messages, counters: Math.max(counters, window.otherProcesses.counters) },
  isFailing: false,
})

/** Whether there are unreported messages and the last report began at least one second ago. */
export const isReportOverdue = ({ ownCount, reportedCount, reportedAt }: RateWindow, at: number): boolean =>
  ownCount > reportedCount && at - reportedAt >= reportIntervalMs

/**
 * Whether this process has used half of its share of the remaining messages, so that it must report now. The share
 * assumes at least four processes, because a new process does not know the others yet. So the unreported messages of a
 * process are at most an eighth of the limit, and fewer near the limit.
 */
export function isReportUrgent(
  { ownCount, reportedCount, otherProcesses: others, isFailing }: RateWindow,
  limit: number,
): boolean {
  if (ownCount === reportedCount || isFailing) return false
  const share = (limit - reportedCount - others.messages) / Math.max(4, others.counters + 1)
  return ownCount - reportedCount >= Math.max(1, Math.floor(share / 2))
}
