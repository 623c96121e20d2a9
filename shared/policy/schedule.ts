/** When to try again: at 0, 1 and 5 minutes, then every 15 until the message expires. */
import { minuteMs } from '../contract/durations.ts'

/** Deferral is a queue delay, and Amazon SQS delays no longer than this. */
export const longestDelayMs = 15 * minuteMs

/** After how long a message gets a delay DSN, when the deployment says nothing else. */
export const defaultDelayNotificationHours = 4

/** How long a deferred message is tried when no connector says otherwise. */
export const defaultExpirationHours = 24

/**
 * Milliseconds to wait after an attempt. Up to a tenth is taken off, by message and attempt, so that the mail of
 * one outage does not return in one wave; never added, since a queue cannot wait longer.
 * @param attempts attempts made, at least 1
 */
export function retryDelayMs(attempts: number, messageId: string): number {
  const base = attempts === 1 ? minuteMs : attempts === 2 ? 4 * minuteMs : longestDelayMs
  return Math.round(base * (1 - 0.1 * spread(`${messageId}#${attempts}`)))
}

/**
 * The first quarter of an hour since receipt that is still to come. Counted from now, a job that is decided twice
 * would lead to two timers instead of one that comes twice, and they would run side by side until the end.
 */
export function nextQuarter(receivedAt: Date, now: Date): Date {
  const passed = Math.floor((now.getTime() - receivedAt.getTime()) / longestDelayMs)
  return new Date(receivedAt.getTime() + (passed + 1) * longestDelayMs)
}

/** A number in [0, 1) that depends on nothing but the text (FNV-1a). */
function spread(text: string): number {
  let hash = 0x811c9dc5
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return (hash >>> 0) / 2 ** 32
}
