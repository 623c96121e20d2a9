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
    if (current === null || endOf(current) < now + leastLeftMs) return this.#ask()
    // What is wrong is told to whoever has to wait, should these end before it goes better.
    if (now >= this.#askAt) this.#ask().catch(() => {})
    return current
  }

  #ask(): Promise<ProvidedCredentials> {
    this.#asking ??= this.#provide()
      .then((provided) => {
        this.#current = provided
        this.#askAt = this.#now() + askEveryMs
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

const endOf = ({ expiration }: ProvidedCredentials): number =>
  expiration?.getTime() ?? Number.POSITIVE_INFINITY
