/** Requests to one service: signed, tried up to three times, over connections that stay open. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Exchange, type Patience, type Request } from './exchange.ts'
import { NoAnswerError, prospectOf, ServiceError } from './faults.ts'
import type { Identity } from './identity.ts'
import { Signer } from './signature.ts'
import type { Target } from './target.ts'

/** What differs from request to request. */
export interface ServiceRequest extends Omit<Request, 'path'> {
  /** Behind the target's own. */
  path: string
  /** SHA-256 of the body in hexadecimal, or the word that stands for a body that is not signed. */
  payload: string
}

/** Chance and time, as a test gives its own. */
export interface Chance {
  /** In [0, 1). */
  random(): number
  now(): number
  pause(ms: number): Promise<void>
}

const systemChance: Chance = { random: Math.random, now: Date.now, pause: (ms) => delay(ms) }

const mostTries = 3

/** Milliseconds that the first pause may last; each next one twice as many. */
const pauses = { Transient: 100, Throttled: 500 }

/** The service refuses a request that is signed five minutes from its own time. */
const noticeableSkewMs = 4 * 60_000

export class Service {
  readonly target: Target
  readonly #identity: Identity
  readonly #chance: Chance
  readonly #exchange: Exchange
  readonly #signer: Signer
  readonly #host: string
  /** How far the service's clock is ahead of ours. */
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
   * Only for what may be done twice: a request whose answer was lost is sent again.
   * @returns an answer of success
   * @throws ServiceError, NoAnswerError: of the last try
   */
  async send(request: ServiceRequest): Promise<Answer> {
    let afresh = false
    for (let tries = 1; ; tries++) {
      try {
        return await this.#try(request, afresh)
      } catch (error) {
        const prospect = prospectOf(error)
        if (prospect === 'Final' || tries === mostTries) throw error
        // A connection that broke says nothing of the service: a new one is tried at once.
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
   * @param now by our own clock, when the request was signed
   * @param at what it was signed with
   * @returns whether that was so wrong that the signature counted for nothing
   */
  #setClockBy({ status, headers: { date } }: Answer, now: number, at: number): boolean {
    const theirs = Date.parse(date ?? '')
    if (status >= 500 || !(Math.abs(theirs - at) > noticeableSkewMs)) return false
    this.#skewMs = theirs - now
    return true
  }
}
