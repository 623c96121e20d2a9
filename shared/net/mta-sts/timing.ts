/** When a kept policy holds, when it is fetched again, and when not yet. All times in milliseconds since the epoch. */
import { dayMs, minuteMs } from '../../contract/durations.ts'
import type { FailedFetch, KeptPolicy, KnownOfDomain } from './policy-store.ts'

/** RFC 8461 §3.3: five minutes or longer for one id. A new one may mend what was wrong, but not as often as it likes. */
const pause = { sameId: 5 * minuteMs, otherId: minuteMs }

export const holds = ({ validUntil }: KeptPolicy, now: number): boolean => now < validUntil

/**
 * RFC 8461 §3.3, §10.2: long before its end, so that whoever would suppress it has to stand in the way all that time.
 * Daily; what lasts less than two days, when half of it is over.
 */
export function isDue({ fetchedAt, maxAge }: KeptPolicy, now: number): boolean {
  return now - fetchedAt >= Math.min(dayMs, (maxAge * 1000) / 2)
}

export function isPaused(failure: FailedFetch | null, id: string, now: number): boolean {
  if (failure === null) return false
  return now - failure.at < (failure.id === id ? pause.sameId : pause.otherId)
}

/** Of what two have found out about one domain, the later. */
export function later(one: KnownOfDomain, other: KnownOfDomain): KnownOfDomain {
  const policy = latest(one.policy, other.policy, ({ fetchedAt }) => fetchedAt)
  const failure = latest(one.failure, other.failure, ({ at }) => at)
  const overcome = policy !== null && failure !== null && policy.fetchedAt > failure.at
  return { policy, failure: overcome ? null : failure }
}

/** Without a policy that is over. */
export const withoutOver = ({ policy, failure }: KnownOfDomain, now: number): KnownOfDomain => ({
  policy: policy && holds(policy, now) ? policy : null,
  failure,
})

function latest<T>(one: T | null, other: T | null, at: (item: T) => number): T | null {
  if (one === null || other === null) return one ?? other
  return at(other) > at(one) ? other : one
}
