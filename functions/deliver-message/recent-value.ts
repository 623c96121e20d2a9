/**
 * Reads a value, and returns a function that returns it, and reads it again when the last read is older than `maxAgeMs`.
 * @throws when the first read fails; the function rejects when a later one does
 */
export async function recentValue<T>(
  read: () => Promise<T>,
  maxAgeMs: number,
  now: () => number = () => performance.now(),
): Promise<() => Promise<T>> {
  let last = { value: read(), startedAt: now() }
  await last.value
  return () => {
    if (now() - last.startedAt >= maxAgeMs) {
      const next = { value: read(), startedAt: now() }
      last = next
      // After a failure, the next call reads at once.
      next.value.catch(() => {
        next.startedAt = Number.NEGATIVE_INFINITY
      })
    }
    return last.value
  }
}
