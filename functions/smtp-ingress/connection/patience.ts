/**
 * How long a client is waited for. The attack: sessions that never end, each with an octet now and then. The defence:
 * a time for each phase that only a whole step begins anew (RFC 5321 §4.5.3.2: five minutes for a command, three for
 * the next block of a message), and for a message a rate after its first ten minutes. The limit: a client that goes
 * just fast enough keeps its session; it holds little more than the connection itself.
 */
import type { Phase } from '../protocol/session.ts'

/** Seconds. While the server decides, nobody is waited for. */
const longest: Record<Phase, number> = {
  Greeting: 60,
  Command: 300,
  Data: 180,
  Handshake: 60,
  Deciding: Number.POSITIVE_INFINITY,
  /** To read the last reply. */
  Ended: 10,
}

/** Seconds in which a message may come as slowly as it likes, and octets a second that it has to average after them. */
const leisure = 600
const slowest = 10 * 1024

export interface Progress {
  phase: Phase
  steps: number
  /** Messages that have begun. */
  messages: number
  /** Of the last of them. */
  messageOctets: number
}

/** Time is counted in calls, one a second: a process too busy to call excuses its clients. */
export class Patience {
  #phase: Phase | null = null
  #steps = 0
  #idle = 0
  #messages = 0
  #ofMessage = 0

  /** @returns whether the client has been waited for long enough */
  isOver({ phase, steps, messages, messageOctets }: Progress): boolean {
    const isMessage = phase === 'Data'
    if (phase === this.#phase && steps === this.#steps) this.#idle++
    else this.#idle = 0
    // What is between two messages may be shorter than a second, and is not seen.
    if (messages !== this.#messages) this.#ofMessage = 0
    if (isMessage) this.#ofMessage++
    this.#phase = phase
    this.#steps = steps
    this.#messages = messages
    if (this.#idle >= longest[phase]) return true
    return isMessage && this.#ofMessage > leisure && messageOctets < this.#ofMessage * slowest
  }
}
