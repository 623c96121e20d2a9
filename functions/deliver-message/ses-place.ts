/**
 * How many messages are handed to SES at a time. The attack: ten large messages in one batch. While one is sent it is in
 * memory as it is, in base64, and as a form with every sign escaped, twice: four times over, or more. The defence: large
 * ones are read and sent a few at a time. The limit: small ones are not counted.
 */
import { concurrencyLimiter } from '../../shared/limits/concurrency-limiter.ts'
import type { Place } from './batch.ts'
import { readAhead } from './deliver-job.ts'

/** For all batches of a function, which has one at a time. */
export class SesPlaces {
  readonly #large = concurrencyLimiter(3)

  /** @param octets of the message */
  placeFor(octets: number): Place {
    return { inTurn: octets > readAhead ? this.#large : (work) => work(), leave: () => {} }
  }
}
