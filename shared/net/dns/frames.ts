/** DNS messages in a stream: each follows its length in two octets (RFC 1035 §4.2.2). */

export function encodeFrame(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

/** Splits a stream into messages. Buffers at most one incomplete message beside the last chunk. */
export class FrameReader {
  #parts: Buffer[] = []
  #bufferedOctets = 0
  /** Octets to buffer before parsing continues: first the length, then the length and the message. */
  #requiredOctets = 2

  /** @returns the messages that are complete now */
  read(octets: Buffer): Buffer[] {
    this.#parts.push(octets)
    this.#bufferedOctets += octets.length
    if (this.#bufferedOctets < this.#requiredOctets) return []
    let rest = this.#parts.length === 1 ? octets : Buffer.concat(this.#parts)
    const messages: Buffer[] = []
    for (;;) {
      this.#requiredOctets = rest.length < 2 ? 2 : 2 + rest.readUInt16BE(0)
      if (rest.length < this.#requiredOctets) break
      messages.push(rest.subarray(2, this.#requiredOctets))
      rest = rest.subarray(this.#requiredOctets)
    }
    this.#parts = [rest]
    this.#bufferedOctets = rest.length
    return messages
  }
}
