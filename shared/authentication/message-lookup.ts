/**
 * The DNS queries for one message, with one time limit for all of them. The attack: name servers that answer late or
 * never. The defence: after the limit every query fails, so that the results that depend on it are `temperror`. Only the
 * time with a query in progress counts, because reading a large message may take longer.
 * The number of queries has limits of its own: RFC 7208 §4.6.4 for SPF, ten DKIM signatures, 50 ARC seals (RFC 8617
 * §4.2.1), and eight for each tree walk (RFC 9989 §4.10).
 */
import type { DNSResolver } from 'mailauth'
import { mailauthLookup } from '../net/mailauth-lookup.ts'
import { raceWithSignal } from '../net/race-with-signal.ts'
import type { Resolver } from '../net/resolver.ts'

export const dnsTimeoutMs = 5_000

export interface MessageLookup {
  lookup: DNSResolver
  /** Whether a query about the name failed, so that it is unknown whether it has records. */
  hasFailed(name: string): boolean
}

/**
 * @param timeoutMs for all queries together
 * @param cancel ends all queries
 */
export function messageLookup(resolver: Resolver, timeoutMs: number, cancel?: AbortSignal): MessageLookup {
  const time = new QueryTime(timeoutMs)
  const signal = cancel ? AbortSignal.any([time.signal, cancel]) : time.signal
  const query = mailauthLookup(resolver, signal)
  const answers = new Map<string, ReturnType<DNSResolver>>()
  const failedNames = new Set<string>()
  const limited: DNSResolver = async (name, type) => {
    try {
      const answer = signal.aborted
        ? null
        : await time.measure(() => raceWithSignal(query(name, type), signal))
      if (answer !== null) return answer
      throw Object.assign(new Error(`ETIMEOUT ${name}`), { code: 'ETIMEOUT' })
    } catch (error) {
      if (!isNegativeAnswer(error)) failedNames.add(name.toLowerCase())
      throw error
    }
  }
  return {
    lookup: (name, type) => {
      const question = `${type} ${name.toLowerCase()}`
      const answer = answers.get(question) ?? limited(name, type)
      answers.set(question, answer)
      return answer
    },
    hasFailed: (name) => failedNames.has(name.toLowerCase()),
  }
}

class QueryTime {
  readonly #controller = new AbortController()
  #remainingMs: number
  #inProgress = 0
  #startedAt = 0
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number) {
    this.#remainingMs = timeoutMs
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  async measure<T>(query: () => Promise<T>): Promise<T> {
    if (this.#inProgress++ === 0) {
      this.#startedAt = performance.now()
      this.#timer = setTimeout(() => this.#controller.abort(), Math.max(0, this.#remainingMs))
    }
    try {
      return await query()
    } finally {
      if (--this.#inProgress === 0) {
        clearTimeout(this.#timer)
        this.#remainingMs -= performance.now() - this.#startedAt
      }
    }
  }
}

const isNegativeAnswer = (error: unknown): boolean =>
  ['ENOTFOUND', 'ENODATA'].includes((error as { code?: string }).code ?? '')
