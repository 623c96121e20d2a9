/**
 * The header section of a message, seen as it comes. The attacks: a message that goes in circles between servers, and
 * one whose header alone is as long as a message, which everything behind the ingress reads whole. The defence: both
 * are counted and refused.
 */
import { headerTooLarge, type Refused, tooManyHops } from '../replies.ts'

/** RFC 5321 §6.3: a message that has passed this many servers goes in circles. */
export const maximumHops = 30

const emptyLine = Buffer.from('\r\n\r\n')
/** Octets by which the beginning of what is looked for may lie in the octets before. */
const seam = '\r\nreceived:'.length - 1

export class HeaderSection {
  readonly #maximum: number
  /** The last octets seen. What stands before the first line is an end of line. */
  #tail = '\r\n'
  #octets = 0
  #hops = 0
  #isOver = false

  /** @param maximum octets, with the ends of lines and without the empty line */
  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /**
   * Looks at what comes next of a message, whose header section ends before the first empty line (RFC 5322 §2.1). One
   * without an empty line is all header section.
   * @returns why the message is refused
   */
  see(octets: Buffer): Refused | null {
    if (this.#isOver) return null
    const end = this.#endIn(octets)
    this.#isOver = end !== null
    const length = end ?? octets.length
    const text = this.#tail + octets.toString('latin1', 0, Math.max(length, 0))
    this.#tail = text.slice(-seam)
    this.#octets += length
    this.#hops += text.match(/\r\nreceived:/gi)?.length ?? 0
    if (this.#hops > maximumHops) return tooManyHops
    // The CR of what may be the empty line is not counted yet.
    const counted = this.#tail.endsWith('\r\n\r') ? this.#octets - 1 : this.#octets
    return counted > this.#maximum ? headerTooLarge(this.#maximum) : null
  }

  /** @returns where in these octets the section ends: before them, by one, where its last CR was in those before */
  #endIn(octets: Buffer): number | null {
    const atSeam = (this.#tail.slice(-3) + octets.toString('latin1', 0, 3)).indexOf('\r\n\r\n')
    if (atSeam >= 0) return atSeam + 2 - Math.min(this.#tail.length, 3)
    const end = octets.indexOf(emptyLine)
    return end < 0 ? null : end + 2
  }
}
