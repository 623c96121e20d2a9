/** Limit of the octets that wait while a command or message is decided, with the overhead of each chunk. */
const maxWeightOctets = 64 * 1024
const chunkOverheadOctets = 128

/** Octets that the client sent ahead, until the session continues. */
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
