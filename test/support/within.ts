/** The system's timers, even while a test simulates the clock. */
const { setTimeout, clearTimeout } = globalThis

/** Limits the time of a wait, so that the test names what did not come. */
export function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms)
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
