/** RFC 1035 §4.2.2: messages in a stream, each after its length in two octets. */

export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

/** Splits a stream into messages. Buffers at most one incomplete message beside the last chunk. */
export class Frames {
  #parts: Buffer[] = []
  #held = 0
  /** Octets until the next read: the length first, then the message. */
  #needed = 2

  /** @returns the messages that are complete now */
  take(octets: Buffer): Buffer[] {
    this.#parts.push(octets)
    this.#held += octets.length
    if (this.#held < this.#needed) return []
    let rest = this.#parts.length === 1 ? octets : Buffer.concat(this.#parts)
    const messages: Buffer[] = []
    for (;;) {
      this.#needed = rest.length < 2 ? 2 : 2 + rest.readUInt16BE(0)
      if (rest.length < this.#needed) break
      messages.push(rest.subarray(2, this.#needed))
      rest = rest.subarray(this.#needed)
    }
    this.#parts = [rest]
    this.#held = rest.length
    return messages
  }
}
