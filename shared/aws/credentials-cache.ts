/**
 * The AWS credentials that the SDK's provider supplies. Temporary credentials are renewed in the background before they
 * expire, so a request waits for the provider only when no valid credentials are left.
 */
import type { Credentials } from './signer.ts'

export interface ProvidedCredentials extends Credentials {
  /** Set for temporary credentials. */
  expiration?: Date | undefined
}

/**
 * Interval of the calls to the provider. The provider has its own cache, and renews only credentials that expire within
 * five minutes.
 */
const refreshIntervalMs = 60_000
const retryIntervalMs = 1000

/** Credentials that are valid for less than this time may expire before the request arrives. */
const minValidityMs = 10_000

export class CredentialsCache {
  readonly #provider: () => Promise<ProvidedCredentials>
  readonly #now: () => number
  #current: ProvidedCredentials | null = null
  #refreshAtMs = 0
  #pendingRefresh: Promise<ProvidedCredentials> | null = null

  constructor(provider: () => Promise<ProvidedCredentials>, now = Date.now) {
    this.#provider = provider
    this.#now = now
  }

  /** @throws the provider's error, when no valid credentials are left */
  current(): Credentials | Promise<Credentials> {
    const now = this.#now()
    const current = this.#current
    if (current === null || expiryMsOf(current) < now + minValidityMs) return this.#refresh()
    // An error is ignored here, because the current credentials are still valid. If the provider fails until they
    // expire, the call above returns its error.
    if (now >= this.#refreshAtMs) this.#refresh().catch(() => {})
    return current
  }

  #refresh(): Promise<ProvidedCredentials> {
    this.#pendingRefresh ??= this.#provider()
      .then((provided) => {
        this.#current = provided
        this.#refreshAtMs = this.#now() + refreshIntervalMs
        return provided
      })
      .catch((error) => {
        this.#refreshAtMs = this.#now() + retryIntervalMs
        throw error
      })
      .finally(() => {
        this.#pendingRefresh = null
      })
    return this.#pendingRefresh
  }
}

const expiryMsOf = ({ expiration }: ProvidedCredentials): number =>
  expiration?.getTime() ?? Number.POSITIVE_INFINITY
