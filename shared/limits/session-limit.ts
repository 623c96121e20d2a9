/**
 * The limit of concurrent deliveries to one destination. It grows with success and shrinks on failure, as TCP's
 * congestion window does: it doubles until a threshold, then grows by about one per round, and halves
 * when the destination is overloaded. Pure.
 */
export interface SessionLimit {
  /** At least 1. The fraction is the growth towards the next whole number. */
  limit: number
  /** The limit doubles below this value, and grows by one per round above it. */
  threshold: number
  /** Milliseconds since 1970; 0 before the first reduction. */
  reducedAtMs: number
}

/** What a worker's deliveries to the destination have shown since its last report. */
export interface LoadReport {
  /** Deliveries that the destination accepted. */
  accepted: number
  /** Deliveries that failed because the destination is overloaded, hangs or cannot be reached. */
  overloaded: number
}

/**
 * Deliveries that began before a reduction may report the same overload after it, so they cause no other one. Longer
 * than most deliveries take.
 */
const reductionIntervalMs = 5_000

export const initialSessionLimit = (limit: number): SessionLimit => ({
  limit,
  threshold: Number.MAX_SAFE_INTEGER,
  reducedAtMs: 0,
})

/**
 * Returns the limit after a worker's report.
 * @param slots number of concurrent deliveries that the worker made
 * @param isInUse whether the limit kept a worker from more deliveries; an unused limit shows nothing
 */
export function nextSessionLimit(
  current: SessionLimit,
  { accepted, overloaded }: LoadReport,
  { slots, isInUse, maxLimit }: { slots: number; isInUse: boolean; maxLimit: number },
  nowMs: number,
): SessionLimit {
  if (overloaded > 0) return reduce(current, nowMs)
  const { limit, threshold } = current
  if (accepted === 0 || !isInUse || limit >= maxLimit) return current
  // All workers together have `limit` slots, so their reports double the limit, or add 1 to it.
  const grown = limit < threshold ? Math.min(limit + slots, threshold) : limit + slots / limit
  return { ...current, limit: Math.min(grown, maxLimit) }
}

function reduce(current: SessionLimit, nowMs: number): SessionLimit {
  if (nowMs - current.reducedAtMs < reductionIntervalMs) return current
  const limit = Math.max(1, current.limit / 2)
  return { limit, threshold: limit, reducedAtMs: nowMs }
}
