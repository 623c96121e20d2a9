/**
 * The recipient of a canary: `canary+ID@HOSTNAME`. A canary is the message that send-canary sends every minute through
 * the whole gateway. The id is a ULID: the time of sending, and 80 random bits.
 */
import { minuteMs } from '../contract/durations.ts'
import { domainOf } from './address.ts'

const localPart = /^canary\+([0-7][0-9A-HJKMNP-TV-Z]{25})$/i

export const canaryAddress = (id: string, hostname: string): string => `canary+${id}@${hostname}`

/**
 * @param hostname in comparable form
 * @returns the id in upper case; null when the address is no canary's address
 */
export function canaryIdOf(address: string, hostname: string): string | null {
  const id = localPart.exec(address.slice(0, address.lastIndexOf('@')))?.[1]
  return id !== undefined && domainOf(address) === hostname ? id.toUpperCase() : null
}

/** Crockford's base 32, which ULIDs use. */
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Returns the time at which the sending of a canary began. A ULID begins with its time, in ten digits. */
export const canarySentAt = (id: string): Date =>
  new Date([...id.slice(0, 10)].reduce((time, digit) => time * 32 + digits.indexOf(digit), 0))

const maxSessionMs = minuteMs
const maxClockDifferenceMs = 5_000

/** Whether a canary may arrive at the ingress at this time. Its session ends before the next canary is sent. */
export function isCanaryTime(id: string, now: Date): boolean {
  const ageMs = now.getTime() - canarySentAt(id).getTime()
  return ageMs >= -maxClockDifferenceMs && ageMs <= maxSessionMs
}
