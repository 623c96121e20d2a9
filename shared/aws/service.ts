/** Requests to one AWS service: signed, tried up to three times, over connections that stay open. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Exchange, type Patience, type Request } from './exchange.ts'
import { NoAnswerError, prospectOf, ServiceError } from './faults.ts'
import type { Identity } from './identity.ts'
import { Signer } from './signature.ts'
import type { Target } from './target.ts'

export interface ServiceRequest extends Omit<Request, 'path'> {
  /** Appended to the target's path. */
  path: string
  /** SHA-256 of the body in hexadecimal, or `UNSIGNED-PAYLOAD`. */
  payload: string
}

/** Randomness and time, replaced in tests. */
export interface Chance {
  /** In [0, 1). */
  random(): number
  now(): number
  pause(ms: number): Promise<void>
}

const systemChance: Chance = { random: Math.random, now: Date.now, pause: (ms) => delay(ms) }

const mostTries = 3

/** Upper bound of the first backoff in milliseconds; it doubles with each try. */
const pauses = { Transient: 100, Throttled: 500 }

/** Milliseconds. AWS refuses a signature whose time is five minutes or more from its own. */
const noticeableSkewMs = 4 * 60_000

export class Service {
  readonly target: Target
  readonly #identity: Identity
  readonly #chance: Chance
  readonly #exchange: Exchange
  readonly #signer: Signer
  readonly #host: string
  /** Milliseconds by which the service's clock is ahead of the local clock. */
  #skewMs = 0

  constructor(target: Target, identity: Identity, patience: Patience, chance: Chance = systemChance) {
    this.target = target
    this.#identity = identity
    this.#chance = chance
    this.#exchange = new Exchange(target, patience)
    this.#signer = new Signer(target)
    this.#host = target.port === null ? target.hostname : `${target.hostname}:${target.port}`
  }

  /**
   * Only for idempotent requests: a request without a response is sent again.
   * @returns a 2xx response
   * @throws ServiceError, NoAnswerError: that of the last try
   */
  async send(request: ServiceRequest): Promise<Answer> {
    let afresh = false
    for (let tries = 1; ; tries++) {
      try {
        return await this.#try(request, afresh)
      } catch (error) {
        const prospect = prospectOf(error)
        if (prospect === 'Final' || tries === mostTries) throw error
        // A broken idle connection says nothing about the service: the request is repeated at once over a new one.
        const isStale = !afresh && error instanceof NoAnswerError
        if (!isStale) await this.#chance.pause(this.#chance.random() * pauses[prospect] * 2 ** (tries - 1))
        afresh ||= error instanceof NoAnswerError
      }
    }
  }

  close(): void {
    this.#exchange.close()
  }

  async #try(request: ServiceRequest, afresh: boolean): Promise<Answer> {
    const known = this.#identity.current()
    const credentials = known instanceof Promise ? await known : known
    const path = this.target.path + request.path
    const headers = { ...request.headers, host: this.#host }
    const now = this.#chance.now()
    const at = new Date(now + this.#skewMs)
    const signed = this.#signer.sign({ ...request, path, headers }, credentials, at)
    const answer = await this.#exchange.send({ ...request, path, headers: signed }, afresh)
    if (answer.status >= 200 && answer.status < 300) return answer
    throw new ServiceError(answer, this.#setClockBy(answer, now, at.getTime()))
  }

  /**
   * @param now local time in milliseconds when the request was signed
   * @param at the time in its signature
   * @returns whether the service refused the signature for its time
   */
  #setClockBy({ status, headers: { date } }: Answer, now: number, at: number): boolean {
    const theirs = Date.parse(date ?? '')
    if (status >= 500 || !(Math.abs(theirs - at) > noticeableSkewMs)) return false
    this.#skewMs = theirs - now
    return true
  }
}
