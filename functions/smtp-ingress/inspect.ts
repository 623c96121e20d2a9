/**
 * What a message may not hold. The attack: a bare LF or CR that another server takes for the end of a line, and
 * so for the end of the message, which smuggles a second one in (RFC 5321 §2.3.8, §4.1.1.4). The defence: such
 * a message is refused, never repaired.
 */
const cr = 0x0d
const lf = 0x0a

/** Sees a message chunk by chunk. */
export class LineInspector {
  #previous = 0
  #lawful = true

  see(chunk: Buffer): void {
    if (!this.#lawful) return
    let previous = this.#previous
    for (const octet of chunk) {
      if (octet === 0 || (octet === lf) !== (previous === cr)) {
        this.#lawful = false
        return
      }
      previous = octet
    }
    this.#previous = previous
  }

  /** Whether every CR was followed by LF, every LF preceded by CR, and nothing was NUL, up to the end. */
  isLawful(): boolean {
    return this.#lawful && this.#previous !== cr
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
