import type { Socket } from 'node:net'

/** Seconds in which a client may read nothing of what was written to it. */
const stallTimeoutSeconds = 300

/**
 * Backpressure: stops reading from a client while its session cannot take more, or while the client does not read
 * replies.
 */
export class FlowControl {
  #isHeld = false
  #isStalled = false
  #stalledSeconds = 0

  get isStalled(): boolean {
    return this.#isStalled
  }

  /** @param isHeld true while the session cannot take more octets */
  setSessionFull(isHeld: boolean, socket: Socket): void {
    this.#isHeld = isHeld
    this.#apply(socket)
  }

  /** @param isStalled true while the client does not read written octets */
  setStalled(isStalled: boolean, socket: Socket): void {
    this.#isStalled = isStalled
    this.#apply(socket)
  }

  /** Must be called once per second. @returns whether the client has read nothing for too long */
  tick(): boolean {
    this.#stalledSeconds = this.#isStalled ? this.#stalledSeconds + 1 : 0
    return this.#stalledSeconds >= stallTimeoutSeconds
  }

  #apply(socket: Socket): void {
    if (this.#isHeld || this.#isStalled) socket.pause()
    else socket.resume()
  }
}
