/** For conditions that become true soon, without an event that a test could await. */
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Checks repeatedly until the condition holds.
 * @throws Error that names `what` after ten seconds
 */
export async function eventually(isSo: () => boolean, what: string): Promise<void> {
  for (const limit = performance.now() + 10_000; !isSo(); await delay(5))
    if (performance.now() > limit) throw new Error(`${what}: not within 10 s`)
}
