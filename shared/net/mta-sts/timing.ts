/** When a stored policy applies, and when it is fetched again. All times in milliseconds since the epoch. */
import { dayMs, minuteMs } from '../../contract/durations.ts'
import type { FailedFetch, KeptPolicy, KnownOfDomain } from './policy-store.ts'

/** RFC 8461 §3.3: at least five minutes for the same id. A new id may fix the fault, but does not remove the limit. */
const pause = { sameId: 5 * minuteMs, otherId: minuteMs }

export const holds = ({ validUntil }: KeptPolicy, now: number): boolean => now < validUntil

/**
 * RFC 8461 §3.3, §10.2: long before the end, so that an attacker must suppress the renewal all that time. Daily; a
 * policy of less than two days at half its time.
 */
export function isDue({ fetchedAt, maxAge }: KeptPolicy, now: number): boolean {
  return now - fetchedAt >= Math.min(dayMs, (maxAge * 1000) / 2)
}

export function isPaused(failure: FailedFetch | null, id: string, now: number): boolean {
  if (failure === null) return false
  return now - failure.at < (failure.id === id ? pause.sameId : pause.otherId)
}

/** Merges two states of a domain: the later policy and the later failure. */
export function later(one: KnownOfDomain, other: KnownOfDomain): KnownOfDomain {
  const policy = latest(one.policy, other.policy, ({ fetchedAt }) => fetchedAt)
  const failure = latest(one.failure, other.failure, ({ at }) => at)
  const overcome = policy !== null && failure !== null && policy.fetchedAt > failure.at
  return { policy, failure: overcome ? null : failure }
}

export const withoutOver = ({ policy, failure }: KnownOfDomain, now: number): KnownOfDomain => ({
  policy: policy && holds(policy, now) ? policy : null,
  failure,
})

function latest<T>(one: T | null, other: T | null, at: (item: T) => number): T | null {
  if (one === null || other === null) return one ?? other
  return at(other) > at(one) ? other : one
}
