/**
 * Carries the octets of a TLS session between OpenSSL and its TCP socket, and measures the handshake. Node.js otherwise
 * connects the two in C++, where no code can stop a handshake that is too large. This costs a fifth more processor time
 * per message, so it is used only for clients whose handshakes are not known to be cheap.
 */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

export class MeasuredStream extends Duplex {
  readonly #socket: Socket
  readonly #maxHandshakeOctets: number
  #isInHandshake = true
  #octets = 0
  #microseconds = 0
  /** Set while OpenSSL works. */
  #begin: NodeJS.CpuUsage | null = null

  constructor(socket: Socket, maxHandshakeOctets: number) {
    super({ highWaterMark: socket.readableHighWaterMark, allowHalfOpen: true })
    this.#socket = socket
    this.#maxHandshakeOctets = maxHandshakeOctets
    socket.on('data', (octets: Buffer) => this.#receive(octets))
    socket.on('end', () => this.push(null))
    socket.on('close', () => this.destroy())
  }

  /** The client's octets in the handshake. */
  get handshakeOctets(): number {
    return this.#octets
  }

  /** Milliseconds of the processor that OpenSSL used for the handshake. */
  get handshakeMs(): number {
    return (this.#microseconds + this.#microsecondsSinceBegin) / 1000
  }

  get #microsecondsSinceBegin(): number {
    if (this.#begin === null) return 0
    const { user, system } = process.threadCpuUsage(this.#begin)
    return user + system
  }

  endHandshake(): void {
    this.#isInHandshake = false
  }

  #receive(octets: Buffer): void {
    if (!this.#isInHandshake) {
      if (!this.push(octets)) this.#socket.pause()
      return
    }
    this.#octets += octets.length
    if (this.#octets > this.#maxHandshakeOctets) {
      this.destroy(Object.assign(new Error('TLS handshake too large'), { code: 'EMSGSIZE' }))
      return
    }
    // Processor time, because a task without processor time left pauses for a tenth of a second.
    this.#begin = process.threadCpuUsage()
    // OpenSSL reads the octets before `push` returns. The handshake may end meanwhile.
    if (!this.push(octets)) this.#socket.pause()
    this.#microseconds += this.#microsecondsSinceBegin
    this.#begin = null
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(octets: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(octets, done)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
