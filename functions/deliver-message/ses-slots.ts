/**
 * Limits concurrent requests to SES. The attack: ten large messages in one batch. During a request a message is in
 * memory raw, in base64, and twice as a form with escapes or as JSON: four times its size or more. The defence: at most three
 * large messages are read and sent at the same time. Not covered: small messages, which need no slot.
 */
import { concurrencyLimiter } from '../../shared/limits/concurrency-limiter.ts'
import type { QueueEntry } from './batch.ts'
import { maxPreloadOctets } from './deliver-job.ts'

/** Shared by all batches of one instance of the function, which handles one batch at a time. */
export class SesSlots {
  readonly #large = concurrencyLimiter(3)

  /** @param octets size of the message, in octets */
  slotFor(octets: number): QueueEntry {
    return { runExclusive: octets > maxPreloadOctets ? this.#large : (work) => work(), leave: () => {} }
  }
}
