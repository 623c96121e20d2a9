/**
 * Checks the header section of a message as it arrives. The attacks: a mail loop between servers, and a huge header,
 * which every later component reads whole. The defence: hops and header octets are limited.
 * It also reads the field Message-ID.
 */
import { headerTooLarge, type Refusal, tooManyHops } from '../replies.ts'
import { MessageIdReader } from './message-id-reader.ts'

/** RFC 5321 §6.3: more Received fields than this indicate a mail loop. */
export const maxHops = 30

const emptyLine = Buffer.from('\r\n\r\n')
/** RFC 5322 §4.5 permits spaces before the colon. */
const hop = /\r\nreceived[ \t]*:/gi
/** The begin of a hop at the end of a chunk. */
const hopWithoutColon = /\r\nreceived[ \t]+$/i
/** Octets of the begin of a hop, without spaces, that may lie at the end of the previous chunk. */
const overlapOctets = '\r\nreceived'.length

export class HeaderSectionChecker {
  readonly #maxOctets: number
  /** The last octets of previous chunks. Starts as a line end, so that the first line is also matched. */
  #tail = '\r\n'
  #octets = 0
  #hops = 0
  #isOver = false
  readonly #messageIdReader = new MessageIdReader()

  /** @param maxOctets octets, including line ends, without the empty line */
  constructor(maxOctets: number) {
    this.#maxOctets = maxOctets
  }

  /** Number of `Received` fields so far. */
  get hops(): number {
    return this.#hops
  }

  /** Octets of the header section so far, without the empty line. */
  get octets(): number {
    return this.#octets
  }

  /** The field Message-ID so far (MessageIdReader). */
  get messageId(): string | undefined {
    return this.#messageIdReader.messageId
  }

  /**
   * Reads the next chunk. The header section ends before the first empty line (RFC 5322 §2.1); without an empty line,
   * the whole message is header.
   * @returns null, or why the message is refused
   */
  read(octets: Buffer): Refusal | null {
    if (this.#isOver) return null
    const end = this.#findEnd(octets)
    this.#isOver = end !== null
    const length = end ?? octets.length
    const newText = octets.toString('latin1', 0, Math.max(length, 0))
    this.#messageIdReader.read(newText)
    const text = this.#tail + newText
    this.#tail = hopWithoutColon.test(text) ? '\r\nreceived ' : text.slice(-overlapOctets)
    this.#octets += length
    this.#hops += text.match(hop)?.length ?? 0
    if (this.#hops > maxHops) return tooManyHops
    // A CR that may begin the empty line is not counted yet.
    const countedOctets = this.#tail.endsWith('\r\n\r') ? this.#octets - 1 : this.#octets
    return countedOctets > this.#maxOctets ? headerTooLarge(this.#maxOctets) : null
  }

  /**
   * @returns the position in this chunk where the section ends; -1 if the CR of the empty line is the last octet of the
   *   previous chunk; null if the section does not end in this chunk
   */
  #findEnd(octets: Buffer): number | null {
    const matchStart = (this.#tail.slice(-3) + octets.toString('latin1', 0, 3)).indexOf('\r\n\r\n')
    if (matchStart >= 0) return matchStart + 2 - Math.min(this.#tail.length, 3)
    const end = octets.indexOf(emptyLine)
    return end < 0 ? null : end + 2
  }
}
