/** Signed requests to one AWS service, with up to three tries, over connections that stay open. */
import { setTimeout as delay } from 'node:timers/promises'
import type { CredentialsCache } from './credentials-cache.ts'
import { classifyError, NoResponseError, ServiceError } from './errors.ts'
import {
  HttpConnections,
  type HttpRequest,
  type HttpResponse,
  type RequestLimits,
} from './http-connections.ts'
import { Signer } from './signer.ts'
import type { Target } from './target.ts'

export interface ServiceRequest extends Omit<HttpRequest, 'path'> {
  /** Appended to the target's path. */
  path: string
  /** Percent-encoded once, without `?`. */
  query?: string
  /** SHA-256 of the body in hexadecimal, or `UNSIGNED-PAYLOAD`. */
  payloadHash: string
}

/** Randomness and time, replaced in tests. */
export interface ClockAndRandom {
  /** Returns a number in [0, 1). */
  random(): number
  now(): number
  sleep(ms: number): Promise<void>
}

const systemClockAndRandom: ClockAndRandom = { random: Math.random, now: Date.now, sleep: (ms) => delay(ms) }

const maxTries = 3

/** Upper bound of the first backoff; the bound doubles with each try. */
const maxBackoffMs = { Transient: 100, Throttled: 500 }

/**
 * Difference between the service's time and the signature's time above which the clock skew is corrected. AWS refuses a
 * signature whose time differs by five minutes or more.
 */
const minClockSkewMs = 4 * 60_000

export class ServiceClient {
  readonly target: Target
  readonly #credentials: CredentialsCache
  readonly #clockAndRandom: ClockAndRandom
  readonly #connections: HttpConnections
  readonly #signer: Signer
  readonly #host: string
  /** The service's time minus the local time. */
  #clockSkewMs = 0

  constructor(
    target: Target,
    credentialsCache: CredentialsCache,
    limits: RequestLimits,
    clockAndRandom: ClockAndRandom = systemClockAndRandom,
  ) {
    this.target = target
    this.#credentials = credentialsCache
    this.#clockAndRandom = clockAndRandom
    this.#connections = new HttpConnections(target, limits)
    this.#signer = new Signer(target)
    this.#host = target.port === null ? target.hostname : `${target.hostname}:${target.port}`
  }

  /**
   * Only for idempotent requests: a request without a response is sent again.
   * @param limit of tries
   * @returns a 2xx response
   * @throws ServiceError or NoResponseError of the last try
   */
  async send(request: ServiceRequest, limit = maxTries): Promise<HttpResponse> {
    let useNewConnection = false
    for (let tries = 1; ; tries++) {
      try {
        return await this.#try(request, useNewConnection)
      } catch (error) {
        const errorClass = classifyError(error)
        if (errorClass === 'Final' || tries >= limit) throw error
        // A broken idle connection is no sign of a fault of the service: the request is repeated immediately over a new
        // connection.
        const isBrokenConnection = !useNewConnection && error instanceof NoResponseError
        if (!isBrokenConnection)
          await this.#clockAndRandom.sleep(
            this.#clockAndRandom.random() * maxBackoffMs[errorClass] * 2 ** (tries - 1),
          )
        useNewConnection ||= error instanceof NoResponseError
      }
    }
  }

  close(): void {
    this.#connections.close()
  }

  async #try(request: ServiceRequest, useNewConnection: boolean): Promise<HttpResponse> {
    const current = this.#credentials.current()
    const credentials = current instanceof Promise ? await current : current
    const path = this.target.path + request.path
    const headers = { ...request.headers, host: this.#host }
    const now = this.#clockAndRandom.now()
    const at = new Date(now + this.#clockSkewMs)
    const signed = this.#signer.sign({ ...request, path, headers }, credentials, at)
    const pathAndQuery = request.query ? `${path}?${request.query}` : path
    const response = await this.#connections.send(
      { ...request, path: pathAndQuery, headers: signed },
      useNewConnection,
    )
    if (response.status >= 200 && response.status < 300) return response
    throw new ServiceError(response, this.#correctClock(response, now, at.getTime()))
  }

  /**
   * @param now local time when the request was signed, in milliseconds
   * @param at time in the request's signature, in milliseconds
   * @returns whether the signature's time explains the refusal; then the clock skew was corrected
   */
  #correctClock({ status, headers: { date } }: HttpResponse, now: number, at: number): boolean {
    const serviceTimeMs = Date.parse(date ?? '')
    if (status >= 500 || !(Math.abs(serviceTimeMs - at) > minClockSkewMs)) return false
    this.#clockSkewMs = serviceTimeMs - now
    return true
  }
}
