import type { Attempt } from '../contract/message.ts'

/** An attempt that took this long and failed is slow. */
export const slowAttemptMs = 30_000

/** Enhanced status code of an attempt that timed out. */
export const timedOutStatus = '4.4.315'

/** Whether the attempt failed because the next hop responds slowly or not at all. */
export const isSlowFailure = (attempt: Attempt | null): boolean =>
  attempt !== null &&
  attempt.outcome !== 'Delivered' &&
  (attempt.durationMs >= slowAttemptMs || attempt.reply.enhanced === timedOutStatus)
