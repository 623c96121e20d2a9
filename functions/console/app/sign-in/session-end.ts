/** How long a session lasts. Pure. */

const minuteMs = 60_000

/**
 * OpenID Connect Core 1.0 §3.1.2.1: the provider must authenticate a person again whose authentication is older.
 * @returns the parameter `max_age` of an authorization request, in seconds
 */
export const maxAge = (sessionMinutes: number): number => Math.floor(sessionMinutes * 60)

interface Authentication {
  /** When the provider authenticated the person, in seconds since the epoch. Some providers do not say it. */
  auth_time?: number | undefined
  /** When it issued the ID token. */
  iat: number
}

/**
 * Both times are of the provider's clock, so that a wrong clock of this computer does not count. Without `auth_time` the
 * session counts from now.
 * @param now milliseconds since the epoch
 * @returns the end in milliseconds since the epoch; it is not after `now` if the authentication is too old
 */
export function sessionEnd({ auth_time, iat }: Authentication, sessionMinutes: number, now: number): number {
  const ageMs = auth_time === undefined ? 0 : Math.max(0, iat - auth_time) * 1000
  return now + sessionMinutes * minuteMs - ageMs
}

/** A person is warned this long before the end, or half of a short session. */
export const warningMs = (sessionMinutes: number): number => Math.min(5, sessionMinutes / 2) * minuteMs
