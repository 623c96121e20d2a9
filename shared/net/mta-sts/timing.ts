/** When a stored policy applies, and when it is fetched again. All times in milliseconds since the epoch. */
import { dayMs, minuteMs } from '../../contract/durations.ts'
import type { DomainState, FailedFetch, StoredPolicy } from './policy-store.ts'

/**
 * The wait after a failed fetch. RFC 8461 §3.3: at least five minutes for the same id. The policy of a new id may have
 * no fault, so the wait for it is shorter.
 */
const retryIntervalMs = { sameId: 5 * minuteMs, otherId: minuteMs }

export const isValid = ({ validUntil }: StoredPolicy, now: number): boolean => now < validUntil

/**
 * RFC 8461 §3.3, §10.2: a policy is renewed long before it expires, so that an attacker must suppress the renewal for
 * all that time. Policies are renewed daily; a policy with a max_age of less than two days is renewed after half of its
 * max_age.
 */
export function isRenewalDue({ fetchedAt, maxAge }: StoredPolicy, now: number): boolean {
  return now - fetchedAt >= Math.min(dayMs, (maxAge * 1000) / 2)
}

export function isRetryPaused(failure: FailedFetch | null, id: string, now: number): boolean {
  if (failure === null) return false
  return now - failure.at < (failure.id === id ? retryIntervalMs.sameId : retryIntervalMs.otherId)
}

/** Merges two states of a domain: the later policy, and the later failure unless that policy was fetched after it. */
export function mergeLater(first: DomainState, second: DomainState): DomainState {
  const policy = latest(first.policy, second.policy, ({ fetchedAt }) => fetchedAt)
  const failure = latest(first.failure, second.failure, ({ at }) => at)
  const isFailureObsolete = policy !== null && failure !== null && policy.fetchedAt > failure.at
  return { policy, failure: isFailureObsolete ? null : failure }
}

export const withoutExpired = ({ policy, failure }: DomainState, now: number): DomainState => ({
  policy: policy && isValid(policy, now) ? policy : null,
  failure,
})

function latest<T>(first: T | null, second: T | null, at: (item: T) => number): T | null {
  if (first === null || second === null) return first ?? second
  return at(second) > at(first) ? second : first
}
