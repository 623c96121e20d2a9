/**
 * How slowly a message may come. The attack: messages that never end, an octet now and then, each holding memory
 * and a session. The defence: ten minutes for the whole of a message, and for one that holds much a rate. The
 * limit: RFC 5321 §4.5.3.2.5 lets three minutes pass between two blocks of data; a message that holds little has
 * them.
 */
import type { Readable } from 'node:stream'
import { Refusal, tooSlow } from './replies.ts'

const checkEveryMs = 10_000
const checksAMinute = 60_000 / checkEveryMs
const mostChecks = 10 * checksAMinute

/** Octets a minute, after the first, of a message that holds much. */
const slowest = 60 * 1024
const holdsMuch = 64 * 1024

/** Time is counted in checks: a process too busy to check excuses its clients. */
export class Pace {
  #checks = 0
  #received = 0
  #thisMinute = 0
  #waiting = false
  #excused = false

  received(octets: number): void {
    this.#received += octets
    this.#thisMinute += octets
  }

  /** While the promise is pending the client is held back, and no fault of its own makes it slow. */
  async whileWaiting(pending: Promise<void>): Promise<void> {
    this.#waiting = true
    try {
      await pending
    } finally {
      this.#waiting = false
    }
  }

  /** To be called every ten seconds. */
  isTooSlow(): boolean {
    this.#checks++
    this.#excused ||= this.#waiting
    if (this.#checks >= mostChecks) return true
    if (this.#checks % checksAMinute !== 0) return false
    const isFirstMinute = this.#checks === checksAMinute
    const crawls = this.#received > holdsMuch && this.#thisMinute < slowest
    const isFault = crawls && !isFirstMinute && !this.#excused
    this.#thisMinute = 0
    this.#excused = false
    return isFault
  }
}

/** Ends the messages that come too slowly. One timer for all: most are gone before it rings. */
export class Pacemaker {
  readonly #messages = new Map<Readable, Pace>()
  readonly #timer = setInterval(() => this.#check(), checkEveryMs).unref()

  /** A message that is too slow has its stream destroyed with a Refusal. */
  watch(stream: Readable): Pace {
    const pace = new Pace()
    this.#messages.set(stream, pace)
    return pace
  }

  unwatch(stream: Readable): void {
    this.#messages.delete(stream)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #check(): void {
    for (const [stream, pace] of this.#messages) if (pace.isTooSlow()) stream.destroy(new Refusal(tooSlow))
  }
}
