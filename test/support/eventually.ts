/** Waits for conditions that become true soon, without an event that a test could await. */
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Checks repeatedly until the condition holds.
 * @throws Error with the description after ten seconds
 */
export async function eventually(condition: () => boolean, description: string): Promise<void> {
  for (const limit = performance.now() + 10_000; !condition(); await delay(5))
    if (performance.now() > limit) throw new Error(`${description}: not within 10 s`)
}
