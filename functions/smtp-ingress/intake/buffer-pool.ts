/** Reuses buffers between messages, because a new buffer costs a page fault for each page. */
export class BufferPool {
  readonly #free = new Map<number, Buffer[]>()
  #remainingOctets: number

  /** @param maxUnusedOctets octets of unused buffers to keep */
  constructor(maxUnusedOctets: number) {
    this.#remainingOctets = maxUnusedOctets
  }

  /** @returns an uninitialised buffer of exactly this size */
  take(octets: number): Buffer {
    const buffer = this.#free.get(octets)?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(octets)
    this.#remainingOctets += octets
    return buffer
  }

  /** @param buffer the whole buffer; the caller must not use it again */
  release(buffer: Buffer): void {
    const { length } = buffer
    if (length === 0 || length > this.#remainingOctets) return
    this.#remainingOctets -= length
    const sameSize = this.#free.get(length)
    if (sameSize === undefined) this.#free.set(length, [buffer])
    else sameSize.push(buffer)
  }
}
