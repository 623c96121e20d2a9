/** Reuses buffers between messages: each new allocation costs a page fault for each page. */
export class Buffers {
  readonly #free = new Map<number, Buffer[]>()
  #left: number

  /** @param kept octets of unused buffers to keep */
  constructor(kept: number) {
    this.#left = kept
  }

  /** @returns an uninitialised buffer of exactly this size */
  take(octets: number): Buffer {
    const buffer = this.#free.get(octets)?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(octets)
    this.#left += octets
    return buffer
  }

  /** @param buffer the whole buffer; the caller must not use it again */
  giveBack(buffer: Buffer): void {
    const { length } = buffer
    if (length === 0 || length > this.#left) return
    this.#left -= length
    const alike = this.#free.get(length)
    if (alike === undefined) this.#free.set(length, [buffer])
    else alike.push(buffer)
  }
}
