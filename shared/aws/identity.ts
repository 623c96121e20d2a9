/**
 * The AWS credentials that the SDK's provider supplies. Temporary credentials are renewed in the background before they
 * expire, so a request waits for the provider only when no valid credentials are left.
 */
import type { Credentials } from './signature.ts'

export interface ProvidedCredentials extends Credentials {
  /** Only of temporary credentials. */
  expiration?: Date | undefined
}

/** Milliseconds between calls of the provider. It caches, and renews credentials that expire within five minutes. */
const askEveryMs = 60_000
const askAgainAfterMs = 1000

/** Credentials that expire sooner may have expired when the request arrives. */
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

  /** @throws the provider's error, when no valid credentials are left */
  current(): Credentials | Promise<Credentials> {
    const now = this.#now()
    const current = this.#current
    if (current === null || endOf(current) < now + leastLeftMs) return this.#ask()
    // The current credentials are still valid. If the provider keeps failing until they expire, current() throws.
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
