/**
 * Recognises the recipient of the last canary. Such mail is accepted from every client, and no list shows it. The attacks:
 *
 * - A stranger sends a canary of its own, so that administrators believe that mail passes, or to hide mail. The defence:
 *   before send-canary sends, it stores the id, which has 80 random bits. Only mail to the last id is a canary. Other
 *   mail to `canary+ID@HOSTNAME` is treated like mail to any recipient: usually refused as relay, so it is neither lost
 *   nor returned later.
 * - A stranger repeats an id that it has read somewhere, such as in the trace. The defence: an id is valid for a minute
 *   and until the next one, and deliver-message counts it once. The session needs TLS, and the client of send-canary
 *   verifies the certificate, so no attacker reads an id on the way.
 * - A stranger tries ids, so that each RCPT TO causes a read of the table. The defence: all sessions share one read, at
 *   most ten times a second, and an id of another time needs none.
 * - A stranger makes others get DSNs. The defence: only mail from `<>` is a canary, so it never causes a DSN.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isCanaryTime } from '../../../shared/mail/canary-address.ts'

/** Milliseconds from the start of one read to the next. */
const minReadIntervalMs = 100

export class LastCanary {
  readonly #read: () => Promise<string | null>
  readonly #monotonicNow: () => number
  /** A read that has not begun. */
  #plannedRead: Promise<string | null> | null = null
  #lastReadAt = Number.NEGATIVE_INFINITY

  /**
   * @param read returns the id of the last canary that was sent
   * @param monotonicNow milliseconds of a monotonic clock
   */
  constructor(read: () => Promise<string | null>, monotonicNow: () => number = () => performance.now()) {
    this.#read = read
    this.#monotonicNow = monotonicNow
  }

  /** The read begins after this call. @throws by rejection, when the read fails */
  async hasId(id: string, now: Date): Promise<boolean> {
    if (!isCanaryTime(id, now)) return false
    this.#plannedRead ??= this.#readWhenDue()
    return (await this.#plannedRead) === id
  }

  async #readWhenDue(): Promise<string | null> {
    await delay(Math.max(0, this.#lastReadAt + minReadIntervalMs - this.#monotonicNow()))
    this.#plannedRead = null
    this.#lastReadAt = this.#monotonicNow()
    return this.#read()
  }
}
