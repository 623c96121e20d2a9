/** Octets that may lie unread while a command or a message is decided, and what each chunk of them weighs besides. */
const mostWeight = 64 * 1024
const chunkWeight = 128

/** What the client has sent ahead, until the session goes on. */
export class Backlog {
  #chunks: Buffer[] = []
  #weight = 0

  /** The client should be held back. */
  get isFull(): boolean {
    return this.#weight > mostWeight
  }

  keep(octets: Buffer): void {
    this.#chunks.push(octets)
    this.#weight += octets.length + chunkWeight
  }

  /** @returns all of it, in the order it came */
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
