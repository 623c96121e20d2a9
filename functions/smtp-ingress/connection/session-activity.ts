/**
 * Ranks sessions for the case that a task has few free sessions. The attack: a few clients open every session that a
 * task may have, and send only as much as keeps the timeouts away. The defence: the session that has done nothing for
 * longest ends first. A transaction counts only with a recipient, and while it proceeds. Not covered: clients that send
 * real messages at a real rate in every session.
 */
import type { Phase } from '../protocol/session.ts'

export interface SessionState {
  phase: Phase
  /** Whether a transaction with an accepted recipient is open. */
  hasRecipient: boolean
  /** Messages accepted in this session. */
  acceptedMessages: number
  /** Octets of the latest message so far. */
  messageOctets: number
}

/** Seconds in which a new session begins its first transaction, or an old one its next. */
const minIdleSeconds = 5
/** Seconds of a transaction until `minOctetsPerSecond` applies. */
const transactionGraceSeconds = 10
const minOctetsPerSecond = 1024

/** Any idle session ends before any session with a transaction. */
const idleRank = 1_000_000

/** Counts calls, one per second, as SessionTimeouts does. */
export class SessionActivity {
  #acceptedMessages = 0
  #idleSeconds = 0
  #transactionSeconds = 0

  tick({ hasRecipient, acceptedMessages }: SessionState): void {
    const hasAccepted = acceptedMessages > this.#acceptedMessages
    this.#acceptedMessages = acceptedMessages
    this.#idleSeconds = hasAccepted ? 0 : this.#idleSeconds + 1
    this.#transactionSeconds = hasRecipient && !hasAccepted ? this.#transactionSeconds + 1 : 0
  }

  /** @returns the session with the largest rank ends first; null for a session that does not end */
  rank({ phase, hasRecipient, messageOctets }: SessionState): number | null {
    // In `Deciding` the client waits for the ingress.
    if (phase === 'Deciding' || phase === 'Ended') return null
    if (!hasRecipient) return this.#idleSeconds >= minIdleSeconds ? idleRank + this.#idleSeconds : null
    const seconds = this.#transactionSeconds
    return seconds > transactionGraceSeconds && messageOctets < seconds * minOctetsPerSecond ? seconds : null
  }
}
