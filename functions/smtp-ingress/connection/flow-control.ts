import type { Socket } from 'node:net'

/** Seconds for which a client may leave replies unread. */
const stallTimeoutSeconds = 300

/**
 * Backpressure: stops reading from a client while its session cannot take more, or while the client does not read
 * replies.
 */
export class FlowControl {
  #isSessionFull = false
  #isStalled = false
  #stalledSeconds = 0

  get isStalled(): boolean {
    return this.#isStalled
  }

  /** @param isFull true while the session cannot take more octets */
  setSessionFull(isFull: boolean, socket: Socket): void {
    this.#isSessionFull = isFull
    this.#apply(socket)
  }

  /** @param isStalled true while the client has not read all replies */
  setStalled(isStalled: boolean, socket: Socket): void {
    this.#isStalled = isStalled
    this.#apply(socket)
  }

  /** Must be called once per second. @returns whether the client has left replies unread for too long */
  tick(): boolean {
    this.#stalledSeconds = this.#isStalled ? this.#stalledSeconds + 1 : 0
    return this.#stalledSeconds >= stallTimeoutSeconds
  }

  #apply(socket: Socket): void {
    if (this.#isSessionFull || this.#isStalled) socket.pause()
    else socket.resume()
  }
}
