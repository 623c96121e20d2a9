/** Assembles command lines from chunks. A line ends at CRLF and has a bounded length. */
import { bareLineFeed, lineTooLong, lineWithoutEnd, type Refusal, tlsWithoutStartTls } from '../replies.ts'
import { hasChunk } from './command.ts'
import { chunkSizeUnknown } from './refusals.ts'

/** Octets of a command line with its CRLF: RFC 5321 §4.5.3.1.4, plus the parameters of DSN and SMTPUTF8. */
const maxCommandOctets = 4096
/** Octets of a too long line that are skipped before the session ends. */
const maxSkippedOctets = 64 * 1024

const carriageReturn = 13
/** RFC 8446 §5.1 */
const handshakeRecord = 22
const emptyBuffer = Buffer.alloc(0)

export class LineReader {
  /** An incomplete line. */
  #partialLine = emptyBuffer
  #skippedOctets = 0
  /** Whether the skipped line is a BDAT. */
  #hasSkippedChunk = false

  /** @param end the rest of a line, with its LF @returns the line without CRLF, or the refusal */
  completeLine(end: Buffer): Buffer | Refusal {
    const line = this.#partialLine.length === 0 ? end : Buffer.concat([this.#partialLine, end])
    const isTooLong = this.#skippedOctets > 0 || line.length > maxCommandOctets
    const isChunk = this.#skippedOctets > 0 ? this.#hasSkippedChunk : hasChunk(line)
    this.clear()
    if (!isTooLong && line.at(-2) === carriageReturn) return line.subarray(0, -2)
    return isChunk ? chunkSizeUnknown : isTooLong ? lineTooLong : bareLineFeed
  }

  /** @param part of an incomplete line @returns the refusal if reading on is pointless, or null */
  addPart(part: Buffer): Refusal | null {
    if (this.#skippedOctets === 0 && this.#partialLine.length + part.length <= maxCommandOctets) {
      this.#partialLine = Buffer.concat([this.#partialLine, part])
      // A TLS client waits for a TLS response; it will never send a line end.
      return this.#partialLine[0] === handshakeRecord ? tlsWithoutStartTls : null
    }
    if (this.#skippedOctets === 0)
      this.#hasSkippedChunk = hasChunk(Buffer.concat([this.#partialLine, part.subarray(0, maxCommandOctets)]))
    this.#skippedOctets += this.#partialLine.length + part.length
    this.#partialLine = emptyBuffer
    return this.#skippedOctets > maxSkippedOctets ? lineWithoutEnd : null
  }

  clear(): void {
    this.#partialLine = emptyBuffer
    this.#skippedOctets = 0
    this.#hasSkippedChunk = false
  }
}
