/** Assembles command lines from chunks. A line ends at CRLF and has a bounded length. */
import { bareLineFeed, endlessLine, lineTooLong, noTlsYet, type Refused } from '../replies.ts'

/** Octets of a command line with its CRLF: RFC 5321 §4.5.3.1.4, plus the parameters of DSN and SMTPUTF8. */
const longestCommand = 4096
/** Octets of a too long line that are skipped before the session ends. */
const longestPassedOver = 64 * 1024

const carriageReturn = 13
/** RFC 8446 §5.1 */
const handshakeRecord = 22
const nothing = Buffer.alloc(0)

export class LineReader {
  /** An incomplete line. */
  #begun = nothing
  #passedOver = 0

  /** @param end the rest of a line, with its LF @returns the line without CRLF, or the refusal */
  finish(end: Buffer): Buffer | Refused {
    const line = this.#begun.length === 0 ? end : Buffer.concat([this.#begun, end])
    const isTooLong = this.#passedOver > 0 || line.length > longestCommand
    this.clear()
    if (isTooLong) return lineTooLong
    return line.at(-2) === carriageReturn ? line.subarray(0, -2) : bareLineFeed
  }

  /** @param part of an incomplete line @returns the refusal if more is pointless, or null */
  keep(part: Buffer): Refused | null {
    if (this.#passedOver === 0 && this.#begun.length + part.length <= longestCommand) {
      this.#begun = Buffer.concat([this.#begun, part])
      // A TLS client waits for a TLS response; it will never send a line end.
      return this.#begun[0] === handshakeRecord ? noTlsYet : null
    }
    this.#passedOver += this.#begun.length + part.length
    this.#begun = nothing
    return this.#passedOver > longestPassedOver ? endlessLine : null
  }

  clear(): void {
    this.#begun = nothing
    this.#passedOver = 0
  }
}
