/** Maximum of waiting octets, including the overhead of each chunk. */
const maxWeightOctets = 64 * 1024
const chunkOverheadOctets = 128

/** Holds the octets that the client sends while the session is in the phase `Deciding`. */
export class Backlog {
  #chunks: Buffer[] = []
  #weight = 0

  /** True when the session should apply backpressure. */
  get isFull(): boolean {
    return this.#weight > maxWeightOctets
  }

  add(octets: Buffer): void {
    this.#chunks.push(octets)
    this.#weight += octets.length + chunkOverheadOctets
  }

  /** @returns all octets in order */
  take(): Buffer {
    const octets = Buffer.concat(this.#chunks)
    this.clear()
    return octets
  }

  clear(): void {
    this.#chunks = []
    this.#weight = 0
  }
}
