/** The system's timers, which run even while a test simulates the clock. */
const { setTimeout, clearTimeout } = globalThis

/** Limits the time of a wait, so that the test's error describes the missing event. */
export function within<T>(ms: number, promise: Promise<T>, description: string): Promise<T> {
  const { promise: timeout, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`${description}: not within ${ms} ms`)), ms)
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer))
}
