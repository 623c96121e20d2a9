/**
 * Who we are to AWS, as the SDK finds it out. Temporary credentials are renewed before they end, beside the requests
 * that still use the old ones: a request waits for credentials only when there are none.
 */
import type { Credentials } from './signature.ts'

export interface ProvidedCredentials extends Credentials {
  /** Of temporary ones. */
  expiration?: Date | undefined
}

/** How often the provider is asked. It answers from memory, and renews what ends within five minutes. */
const askEveryMs = 60_000
const askAgainAfterMs = 1000

/** What ends so soon may have ended when the request arrives. */
const leastLeftMs = 10_000

export class Identity {
  readonly #provide: () => Promise<ProvidedCredentials>
  readonly #now: () => number
  #current: ProvidedCredentials | null = null
  #askAt = 0
  #asking: Promise<ProvidedCredentials> | null = null

  constructor(provide: () => Promise<ProvidedCredentials>, now = Date.now) {
    this.#provide = provide
    this.#now = now
  }

  /** @throws what the provider throws, when there are no credentials that still count */
  current(): Credentials | Promise<Credentials> {
    const now = this.#now()
    const current = this.#current
    if (current !== null && now < this.#askAt) return current
    const asking = this.#ask()
    if (current === null || (current.expiration?.getTime() ?? Number.POSITIVE_INFINITY) < now + leastLeftMs)
      return asking
    // It stands in the log of whoever has to wait, should the old ones end before it goes better.
    asking.catch(() => {})
    return current
  }

  #ask(): Promise<ProvidedCredentials> {
    this.#asking ??= this.#provide()
      .then((provided) => {
        this.#current = provided
        this.#askAt = Math.min(
          this.#now() + askEveryMs,
          (provided.expiration?.getTime() ?? Infinity) - leastLeftMs,
        )
        return provided
      })
      .catch((error) => {
        this.#askAt = this.#now() + askAgainAfterMs
        throw error
      })
      .finally(() => {
        this.#asking = null
      })
    return this.#asking
  }
}
