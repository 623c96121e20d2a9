/**
 * Limits the time of an attempt. The attack: a server answers each command just before the command's timeout, and so
 * occupies a worker for minutes. The defence: all hosts and commands of the attempt together have one limit, which grows
 * with the message's size and not with the number of commands. After the message's last octet, the reply has a limit of
 * its own, because a timeout then may cause a duplicate (RFC 5321 §6.1).
 */
export interface AttemptLimits {
  /** Milliseconds from the attempt's begin to the message's last octet. */
  messageMs: number
  /** Milliseconds from the message's last octet to its reply. */
  finalReplyMs: number
}

const firstAttemptMs = 60_000
const maxAttemptMs = 240_000
const finalReplyMs = 120_000
/** A slower transmission uses up the attempt's time. */
const minOctetsPerSecond = 10 * 1024

/**
 * Later attempts may take longer, so that a slow but honest server gets its mail.
 * @param attempt number of the attempt, from 1
 */
export const attemptLimits = (attempt: number, octets: number): AttemptLimits => ({
  messageMs: Math.min(attempt * firstAttemptMs, maxAttemptMs) + (octets * 1000) / minOctetsPerSecond,
  finalReplyMs,
})

export class AttemptBudget {
  readonly #limits: AttemptLimits
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout

  constructor(limits: AttemptLimits) {
    this.#limits = limits
    this.#timer = this.#abortAfter(limits.messageMs)
  }

  /** Aborts when the limit is reached. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The message's last octet was written. */
  messageSent(): void {
    clearTimeout(this.#timer)
    this.#timer = this.#abortAfter(this.#limits.finalReplyMs)
  }

  /** The attempt has ended. */
  end(): void {
    clearTimeout(this.#timer)
  }

  #abortAfter(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(), milliseconds)
  }
}
