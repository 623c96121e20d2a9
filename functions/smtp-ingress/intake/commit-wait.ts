/**
 * Decides how long a batch of a group commit waits for further items. Pure. Each write costs a PUT to S3, which is a
 * large part of the cost of a message, and the client waits for its reply as long as its message waits for others.
 */

/**
 * At 50 messages per second this stores about three in one object instead of about one. Twice as long would save less
 * than half as much again, and an SMTP client's reply takes longer than this anyway: S3 and SQS take about as long.
 */
const maxWaitMs = 50
/** Under load the items of this time are already many, and a longer time would cost throughput. */
const minWaitMs = 5
/** SQS takes ten messages in a request. Beyond that number of messages a further one saves little. */
export const sufficientItems = 10

export interface WaitingBatch {
  /** At least one. */
  items: number
  /** Milliseconds since the arrival of the first item. */
  waitedMs: number
  /** Items per second that are expected now (ArrivalRates). */
  rate: number
  /** Whether another batch is being written. */
  isWriting: boolean
}

/** Returns the milliseconds that a batch should still wait; 0 or less if it should be written now. */
export function commitWaitMs({ items, waitedMs, rate, isWriting }: WaitingBatch): number {
  // In a Poisson process another item comes within a time with a probability of 1 − e^(−rate · time).
  const isAnotherLikely = (rate * maxWaitMs) / 1000 >= Math.LN2
  if (!isAnotherLikely) return isWriting ? minWaitMs - waitedMs : 0
  const untilSufficientMs = (1000 * (sufficientItems - items)) / rate
  return Math.min(maxWaitMs - waitedMs, Math.max(minWaitMs - waitedMs, untilSufficientMs))
}
