import type { Socket } from 'node:net'

/** Seconds in which nothing of what is written is read. */
const stallSeconds = 300

/** Whether a client is read from: not while its session holds it back, nor while it does not read what it is told. */
export class FlowControl {
  #isHeld = false
  #isStalled = false
  #stalledSeconds = 0

  get isStalled(): boolean {
    return this.#isStalled
  }

  /** @param isHeld by the session, which cannot take more */
  hold(isHeld: boolean, socket: Socket): void {
    this.#isHeld = isHeld
    this.#apply(socket)
  }

  /** @param isStalled what is written stays unread */
  stall(isStalled: boolean, socket: Socket): void {
    this.#isStalled = isStalled
    this.#apply(socket)
  }

  /** To be called once a second. @returns whether the client has read nothing for too long */
  tick(): boolean {
    this.#stalledSeconds = this.#isStalled ? this.#stalledSeconds + 1 : 0
    return this.#stalledSeconds >= stallSeconds
  }

  #apply(socket: Socket): void {
    if (this.#isHeld || this.#isStalled) socket.pause()
    else socket.resume()
  }
}
