/** The result of a load: its messages with their times, and its failures. */
import type { TLSSocket } from 'node:tls'

export interface Tally {
  /** Messages answered with 250 in the measured time. */
  count: number
  /** Messages answered with 250 in all, including those before and after the measured time. */
  total: number
  /** Milliseconds of each message of `count`. */
  times: Float64Array
  /** Number of failures of each kind, including those before and after the measured time. */
  errors: Map<string, number>
  handshakes: number
  resumed: number
  /** The negotiated protocol and cipher, or null. */
  tls: string | null
}

/**
 * Maximum number of kinds of errors. Further kinds are counted as `others`, because each reply with a message id or a
 * time would be a kind of its own.
 */
const errorKinds = 20

export class TallyCounter {
  readonly #times: number[] = []
  readonly #errors = new Map<string, number>()
  #from = Number.POSITIVE_INFINITY
  #to = Number.POSITIVE_INFINITY
  #total = 0
  #handshakes = 0
  #resumed = 0
  #tls: string | null = null

  /** Sets the measured time, in milliseconds of `performance.now`. Handshakes before this call are not counted. */
  begin(from: number, to: number): void {
    this.#from = from
    this.#to = to
    this.#handshakes = this.#resumed = 0
  }

  accepted(startedAt: number): void {
    const now = performance.now()
    this.#total++
    if (now >= this.#from && now < this.#to) this.#times.push(now - startedAt)
  }

  failed(cause: string): void {
    const kind = this.#errors.has(cause) || this.#errors.size < errorKinds ? cause : 'others'
    this.#errors.set(kind, (this.#errors.get(kind) ?? 0) + 1)
  }

  secured(socket: TLSSocket): void {
    this.#handshakes++
    if (socket.isSessionReused()) this.#resumed++
    this.#tls ??= `${socket.getProtocol()}, ${socket.getCipher().name}`
  }

  get tally(): Tally {
    return {
      count: this.#times.length,
      total: this.#total,
      times: Float64Array.from(this.#times),
      errors: this.#errors,
      handshakes: this.#handshakes,
      resumed: this.#resumed,
      tls: this.#tls,
    }
  }
}

/** Adds up the tallies of several processes with one load. */
export function addTallies(tallies: readonly Tally[]): Tally {
  const sum = (figure: (tally: Tally) => number) => tallies.reduce((total, tally) => total + figure(tally), 0)
  const errors = new Map<string, number>()
  for (const tally of tallies)
    for (const [cause, times] of tally.errors) errors.set(cause, (errors.get(cause) ?? 0) + times)
  return {
    count: sum(({ count }) => count),
    total: sum(({ total }) => total),
    times: concatenate(tallies.map(({ times }) => times)),
    errors,
    handshakes: sum(({ handshakes }) => handshakes),
    resumed: sum(({ resumed }) => resumed),
    tls: tallies.find(({ tls }) => tls !== null)?.tls ?? null,
  }
}

function concatenate(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
