/**
 * What a message may not hold. The attack: a bare LF or CR that another server takes for the end of a line, and
 * so for the end of the message, which smuggles a second one in (RFC 5321 §2.3.8, §4.1.1.4). The defence: such
 * a message is refused, never repaired.
 */
/** NUL, CR without LF, LF without CR; at the edges of a chunk the neighbour decides. */
const unlawful = /\0|\r(?!\n|$)|(?<!\r|^)\n/

/** Sees a message chunk by chunk. */
export class LineInspector {
  #lawful = true
  #endedInCr = false

  see(chunk: Buffer): void {
    if (!this.#lawful || chunk.length === 0) return
    const text = chunk.toString('latin1')
    this.#lawful = text.startsWith('\n') === this.#endedInCr && !unlawful.test(text)
    this.#endedInCr = text.endsWith('\r')
  }

  /** Whether every CR was followed by LF, every LF preceded by CR, and nothing was NUL, up to the end. */
  isLawful(): boolean {
    return this.#lawful && !this.#endedInCr
  }
}

/** RFC 5321 §6.3: a message that has passed this many servers goes in circles. */
export const maximumHops = 30

/** Trace headers in a message's head, as far as it is given. */
export function countReceived(head: Buffer): number {
  const end = head.indexOf('\r\n\r\n')
  const headers = end < 0 ? head : head.subarray(0, end)
  return headers.toString('latin1').match(/^received:/gim)?.length ?? 0
}
