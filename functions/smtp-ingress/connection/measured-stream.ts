/**
 * Carries the octets of a TLS session between OpenSSL and its TCP socket, and measures the handshake. Node.js otherwise
 * connects the two in C++, where no code can stop a handshake that is too large. This costs a fifth more processor time
 * per message, so it is used only when a certificate is requested.
 */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

export interface HandshakeObserver {
  maxOctets: number
  /** Whether the handshake must end before its next octets are read. */
  shouldEnd(): boolean
  onTooLarge(): void
  /** @param totalMs time of the handshake so far @param addedMs the part since the last call */
  onTime(totalMs: number, addedMs: number): void
}

export class MeasuredStream extends Duplex {
  readonly #socket: Socket
  readonly #observer: HandshakeObserver
  #isInHandshake = true
  #octets = 0
  #ms = 0

  constructor(socket: Socket, observer: HandshakeObserver) {
    super({ highWaterMark: socket.readableHighWaterMark, allowHalfOpen: true })
    this.#socket = socket
    this.#observer = observer
    socket.on('data', (octets: Buffer) => this.#receive(octets))
    socket.on('end', () => this.push(null))
    socket.on('close', () => this.destroy())
  }

  endHandshake(): void {
    this.#isInHandshake = false
  }

  #receive(octets: Buffer): void {
    if (this.#isInHandshake) this.#measure(octets)
    else this.#pass(octets)
  }

  /** One read may contain the end of the handshake and the first octets after it. */
  #measure(octets: Buffer): void {
    const { maxOctets, shouldEnd, onTooLarge, onTime } = this.#observer
    if (shouldEnd()) {
      this.destroy(handshakeRefused('TLS handshakes too expensive'))
      return
    }
    const allowed = octets.subarray(0, maxOctets - this.#octets)
    const rest = octets.subarray(allowed.length)
    this.#octets += allowed.length
    // Processor time, because a task without processor time left pauses for a tenth of a second.
    const begin = process.threadCpuUsage()
    // OpenSSL reads the octets before `push` returns. The handshake may end meanwhile.
    if (allowed.length > 0) this.#pass(allowed)
    const { user, system } = process.threadCpuUsage(begin)
    const addedMs = (user + system) / 1000
    this.#ms += addedMs
    onTime(this.#ms, addedMs)
    if (rest.length === 0 || this.#socket.destroyed) return
    if (!this.#isInHandshake) this.#pass(rest)
    else {
      onTooLarge()
      this.destroy(handshakeRefused('TLS handshake too large'))
    }
  }

  #pass(octets: Buffer): void {
    if (!this.push(octets)) this.#socket.pause()
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

const handshakeRefused = (message: string): Error => Object.assign(new Error(message), { code: 'EMSGSIZE' })
