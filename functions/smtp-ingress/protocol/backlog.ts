/** Octets that may wait while a command or message is decided, and the overhead counted for each chunk. */
const mostWeight = 64 * 1024
const chunkWeight = 128

/** Octets that the client sent ahead, until the session continues. */
export class Backlog {
  #chunks: Buffer[] = []
  #weight = 0

  /** The session should apply backpressure. */
  get isFull(): boolean {
    return this.#weight > mostWeight
  }

  keep(octets: Buffer): void {
    this.#chunks.push(octets)
    this.#weight += octets.length + chunkWeight
  }

  /** @returns all octets in order */
  take(): Buffer {
    const octets = Buffer.concat(this.#chunks)
    this.drop()
    return octets
  }

  drop(): void {
    this.#chunks = []
    this.#weight = 0
  }
}
