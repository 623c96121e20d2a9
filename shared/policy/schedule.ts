/** Attempts begin about 0, 1 and 5 minutes after receipt, then every 15 minutes until the message expires. */
import { minuteMs } from '../contract/durations.ts'

/** The longest delay of an Amazon SQS message. A deferral is a delayed SQS message. */
export const maxDelayMs = 15 * minuteMs

export const defaultDelayNotificationHours = 4

export const defaultExpirationHours = 24

/**
 * Milliseconds until the next attempt. Jitter of up to a tenth spreads the retries after an outage. The jitter is
 * subtracted, because SQS cannot delay longer than `maxDelayMs`.
 * @param attempts attempts made, at least 1
 */
export function retryDelayMs(attempts: number, messageId: string): number {
  const base = attempts === 1 ? minuteMs : attempts === 2 ? 4 * minuteMs : maxDelayMs
  return Math.round(base * (1 - 0.1 * hashFraction(`${messageId}#${attempts}`)))
}

/**
 * The next time that is a multiple of 15 minutes after receipt. If the 15 minutes were counted from `now`, a job that
 * SQS delivers twice would start two series of retries.
 */
export function nextQuarterHour(receivedAt: Date, now: Date): Date {
  const quartersPassed = Math.floor((now.getTime() - receivedAt.getTime()) / maxDelayMs)
  return new Date(receivedAt.getTime() + (quartersPassed + 1) * maxDelayMs)
}

/** Maps a text to a number in [0, 1) (FNV-1a). */
function hashFraction(text: string): number {
  let hash = 0x811c9dc5
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return (hash >>> 0) / 2 ** 32
}
