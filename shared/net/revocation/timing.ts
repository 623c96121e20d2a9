/** When a source's result expires, and when it is requested again. All times in milliseconds since the epoch. */
import { minuteMs } from '../../contract/durations.ts'
import { isFinalRevocation } from '../../tls/revocation/reported-revocation.ts'
import type { RevocationSource } from '../../tls/revocation/status.ts'
import type { CachedSource } from './revocation-store.ts'

/** A response is valid for days, but a revocation should be noticed earlier. */
const renewalIntervalMs = 60 * minuteMs
/** Interval after which a source without a result is queried again, so that not every message waits for its timeout. */
const retryIntervalMs = 5 * minuteMs

export const isDecisive = ({ status }: RevocationSource): boolean => status !== 'Unknown'

/**
 * The result to cache after a request. A valid previous result is kept when the new result is missing, or is `Good`
 * after a final revocation.
 */
export function updateCached(
  result: RevocationSource,
  previous: CachedSource | null,
  now: number,
): CachedSource {
  const isReversal = result.status === 'Good' && previous !== null && isFinalRevocation(previous.source)
  if (isDecisive(result) && !(isReversal && now < previous.validUntil)) {
    const renewAt = Math.min(now + renewalIntervalMs, validUntilOf(result, now))
    return { source: result, renewAt, validUntil: Math.max(renewAt, validUntilOf(result, now)) }
  }
  if (previous !== null && isDecisive(previous.source) && now < previous.validUntil)
    return { ...previous, renewAt: Math.min(now + retryIntervalMs, previous.validUntil) }
  return { source: result, renewAt: now + retryIntervalMs, validUntil: now + retryIntervalMs }
}

/**
 * Returns the better of two results of one source: the result that is decisive and still valid. If that applies to both
 * or to neither, returns the result that is renewed later.
 */
export function chooseBetter(
  first: CachedSource | null,
  second: CachedSource | null,
  now: number,
): CachedSource | null {
  if (first === null || second === null) return first ?? second
  const [isFirstDecisive, isSecondDecisive] = [first, second].map(
    (result) => isDecisive(result.source) && now < result.validUntil,
  )
  if (isFirstDecisive !== isSecondDecisive) return isFirstDecisive ? first : second
  return second.renewAt > first.renewAt ? second : first
}

/**
 * A result is valid until its `nextUpdate`, but at least for a minute; without `nextUpdate`, for the retry interval.
 */
const validUntilOf = ({ nextUpdate }: RevocationSource, now: number): number =>
  nextUpdate === null ? now + retryIntervalMs : Math.max(Date.parse(nextUpdate), now + minuteMs)
