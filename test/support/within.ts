/** That of the system, also while a test mocks the clock. */
const { setTimeout, clearTimeout } = globalThis

/**
 * Waits for what should happen soon, so that a test fails with the name of what did not, and not by the limit of the
 * test command.
 * @param what the subject of the sentence, such as `the end of the connection`
 * @throws Error when that many milliseconds have passed
 */
export async function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`${what} did not come within ${ms} ms`)), ms)
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
