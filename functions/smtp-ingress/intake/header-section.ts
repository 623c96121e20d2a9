/**
 * Checks the header section of a message as it arrives. The attacks: a mail loop between servers, and a huge header,
 * which every later component reads whole. The defence: hops and header octets are limited.
 */
import { headerTooLarge, type Refusal, tooManyHops } from '../replies.ts'

/** RFC 5321 §6.3: more Received fields than this indicate a mail loop. */
export const maximumHops = 30

const emptyLine = Buffer.from('\r\n\r\n')
/** Octets of a search pattern that may lie at the end of the previous chunk. */
const seam = '\r\nreceived:'.length - 1

export class HeaderSection {
  readonly #maximum: number
  /** The last octets of previous chunks. Starts as a line end, so that the first line is matched too. */
  #tail = '\r\n'
  #octets = 0
  #hops = 0
  #isOver = false

  /** @param maximum octets, including line ends, without the empty line */
  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /**
   * Reads the next chunk. The header section ends before the first empty line (RFC 5322 §2.1); without one, the whole
   * message is header.
   * @returns null, or why the message is refused
   */
  see(octets: Buffer): Refusal | null {
    if (this.#isOver) return null
    const end = this.#endIn(octets)
    this.#isOver = end !== null
    const length = end ?? octets.length
    const text = this.#tail + octets.toString('latin1', 0, Math.max(length, 0))
    this.#tail = text.slice(-seam)
    this.#octets += length
    this.#hops += text.match(/\r\nreceived:/gi)?.length ?? 0
    if (this.#hops > maximumHops) return tooManyHops
    // A CR that may begin the empty line is not counted yet.
    const counted = this.#tail.endsWith('\r\n\r') ? this.#octets - 1 : this.#octets
    return counted > this.#maximum ? headerTooLarge(this.#maximum) : null
  }

  /**
   * @returns where the section ends in this chunk: -1 if its last CR was in the previous chunk; null if it does not end
   */
  #endIn(octets: Buffer): number | null {
    const atSeam = (this.#tail.slice(-3) + octets.toString('latin1', 0, 3)).indexOf('\r\n\r\n')
    if (atSeam >= 0) return atSeam + 2 - Math.min(this.#tail.length, 3)
    const end = octets.indexOf(emptyLine)
    return end < 0 ? null : end + 2
  }
}
