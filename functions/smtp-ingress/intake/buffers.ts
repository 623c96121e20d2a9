/** Buffers that serve one message after another: what is allocated anew costs the system a page fault for each page. */
export class Buffers {
  readonly #free = new Map<number, Buffer[]>()
  #left: number

  /** @param kept octets that may lie unused */
  constructor(kept: number) {
    this.#left = kept
  }

  /** @returns a buffer of exactly so many octets, which may hold anything */
  take(octets: number): Buffer {
    const buffer = this.#free.get(octets)?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(octets)
    this.#left += octets
    return buffer
  }

  /** @param buffer whole, and in nobody's use any more */
  giveBack(buffer: Buffer): void {
    const { length } = buffer
    if (length === 0 || length > this.#left) return
    this.#left -= length
    const alike = this.#free.get(length)
    if (alike === undefined) this.#free.set(length, [buffer])
    else alike.push(buffer)
  }
}
