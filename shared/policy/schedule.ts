/** Retry times: 0, 1 and 5 minutes, then every 15 until the message expires. */
import { minuteMs } from '../contract/durations.ts'

/** The longest delay of an Amazon SQS message; a deferral is such a delay. */
export const maxDelayMs = 15 * minuteMs

export const defaultDelayNotificationHours = 4

export const defaultExpirationHours = 24

/**
 * Milliseconds until the next attempt. Jitter of up to a tenth spreads the mail of one outage. It is subtracted,
 * because SQS cannot delay longer.
 * @param attempts attempts made, at least 1
 */
export function retryDelayMs(attempts: number, messageId: string): number {
  const base = attempts === 1 ? minuteMs : attempts === 2 ? 4 * minuteMs : maxDelayMs
  return Math.round(base * (1 - 0.1 * hashFraction(`${messageId}#${attempts}`)))
}

/**
 * The next quarter of an hour, counted from receipt. Counted from now, a job that SQS delivers twice would start two
 * timers that run until expiry.
 */
export function nextQuarterHour(receivedAt: Date, now: Date): Date {
  const passed = Math.floor((now.getTime() - receivedAt.getTime()) / maxDelayMs)
  return new Date(receivedAt.getTime() + (passed + 1) * maxDelayMs)
}

/** Maps a text to a number in [0, 1) (FNV-1a). */
function hashFraction(text: string): number {
  let hash = 0x811c9dc5
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return (hash >>> 0) / 2 ** 32
}
