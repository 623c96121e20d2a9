/**
 * Timeouts of a session. The attack: sessions that never end because an octet arrives now and then. The defence: each
 * phase has a timeout (RFC 5321 §4.5.3.2: five minutes for a command, three for the next block of a message). A part of
 * a command does not restart the timeout. A message needs a minimum rate after its first ten minutes. Not covered: a
 * client at the minimum rate keeps its session, which occupies little more than a connection.
 */
import type { Phase } from '../protocol/session.ts'

/** Seconds without a step of the client. In `Deciding` the client waits for the server, so no timeout runs. */
const phaseTimeoutSeconds: Record<Phase, number> = {
  Greeting: 60,
  Command: 300,
  Data: 180,
  Handshake: 60,
  Deciding: Number.POSITIVE_INFINITY,
  /** For the client to read the last reply and close the connection. */
  Ended: 10,
}

/** Seconds of a data phase before the minimum rate applies. */
const dataGraceSeconds = 600
/** Minimum rate after those seconds, averaged over the whole data phase. */
const minOctetsPerSecond = 10 * 1024

export interface SessionProgress {
  phase: Phase
  steps: number
  /** Messages begun in this session. */
  messages: number
  /** Octets of the latest message. */
  messageOctets: number
}

/**
 * Counts calls, one per second, instead of reading a clock. So a process that is too busy for these calls does not time
 * out its clients.
 */
export class SessionTimeouts {
  #phase: Phase | null = null
  #steps = 0
  #idleSeconds = 0
  #messages = 0
  #messageSeconds = 0

  /** @returns whether the client has timed out */
  isTimedOut({ phase, steps, messages, messageOctets }: SessionProgress): boolean {
    const isMessage = phase === 'Data'
    if (phase === this.#phase && steps === this.#steps) this.#idleSeconds++
    else this.#idleSeconds = 0
    // The pause between two messages may be shorter than a second, so a new message is recognised by its number, not by
    // the phase.
    if (messages !== this.#messages) this.#messageSeconds = 0
    if (isMessage) this.#messageSeconds++
    this.#phase = phase
    this.#steps = steps
    this.#messages = messages
    if (this.#idleSeconds >= phaseTimeoutSeconds[phase]) return true
    return (
      isMessage &&
      this.#messageSeconds > dataGraceSeconds &&
      messageOctets < this.#messageSeconds * minOctetsPerSecond
    )
  }
}
