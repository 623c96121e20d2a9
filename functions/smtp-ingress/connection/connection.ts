/** A client's connection: its address, its session, TLS beneath it, and its end. */
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import type { SessionCounts } from '../limits/admission.ts'
import type { Log } from '../log.ts'
import { type Dialogue, Session, type SessionOptions, type Wire } from '../protocol/session.ts'
import type { Refused } from '../replies.ts'
import type { TlsService } from '../tls/service.ts'
import { Patience } from './patience.ts'
import { readProxyHeader } from './proxy.ts'

export interface Peer {
  ip: string
  port: number
}

/** A dialogue that is told of the connection beneath it. */
export interface ConnectedDialogue extends Dialogue {
  /** @returns why the session does not begin */
  welcome(): Refused | null
  /** @returns why the session does not go on */
  secured(socket: TLSSocket): Refused | null
  handshakeFailed(error: Error): void
  connectionFailed(error: Error): void
}

export interface ConnectionParts {
  options: SessionOptions
  tls: TlsService
  admission: Pick<SessionCounts, 'admit' | 'release'>
  /** Whether this address is a load balancer that says in a header of the PROXY protocol who connects. */
  isProxy(address: string): boolean
  dialogueWith(peer: Peer): ConnectedDialogue
  log: Log
  /** Its session has ended; what is left is to read the last reply and close. */
  onEnd(connection: Connection): void
  onClose(connection: Connection): void
}

/** Who talks before the greeting is no mail server (RFC 5321 §4.3.1: a client waits for it). */
const greetingDelayMs = 100
/** Octets that are read of a client which is held back; what OpenSSL hands over at once is as much. */
export const reading = { highWaterMark: 16 * 1024 }
/** Seconds for the header of the PROXY protocol, which is there when the connection is. */
const proxyPatience = 10
/** Seconds in which nothing of what is written is read. */
const stallPatience = 300

export class Connection implements Wire {
  readonly #parts: ConnectionParts
  readonly #tcp: Socket
  /** The socket that is read and written: TCP's own, then TLS upon it. */
  #socket: Socket | TLSSocket
  readonly #patience = new Patience()
  #session: Session | null = null
  #dialogue: ConnectedDialogue | null = null
  #address = ''
  #isAdmitted = false
  #isClosed = false
  #isShaking = false
  #hasFailed = false
  #isHeld = false
  #isStalled = false
  #seconds = 0

  constructor(socket: Socket, parts: ConnectionParts) {
    this.#tcp = socket
    this.#socket = socket
    this.#parts = parts
  }

  start(): void {
    const socket = this.#tcp
    socket.setNoDelay(true)
    socket.on('error', (error) => this.#failed(error))
    socket.on('end', () => this.#finished())
    socket.on('close', () => this.#closed())
    const address = plainAddress(socket.remoteAddress)
    if (address === null) socket.destroy()
    else if (this.#parts.isProxy(address)) this.#readProxyHeader(address)
    else this.#open({ ip: address, port: socket.remotePort ?? 0 })
  }

  /** To be called once a second. */
  tick(): void {
    const session = this.#session
    this.#seconds = this.#isStalled || session === null ? this.#seconds + 1 : 0
    if (session === null) {
      if (this.#seconds >= proxyPatience) this.#tcp.destroy()
    } else if (this.#isStalled) {
      if (this.#seconds >= stallPatience) this.#socket.destroy()
    } else if (this.#patience.isOver(session)) this.#timeOut(session)
  }

  /**
   * Ends the session as soon as nothing of the client's is in flight. Before its first octet of TLS nothing is, and
   * between STARTTLS and that there is no way to say so.
   */
  drain(): void {
    const isAwaitingHello = this.#isShaking && this.#socket === this.#tcp
    if (this.#session && !isAwaitingHello) this.#session.drain()
    else this.#tcp.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  write(text: string): void {
    if (this.#isClosed || this.#socket.write(text, 'latin1')) return
    this.#isStalled = true
    this.#applyHold()
  }

  hold(): void {
    this.#isHeld = true
    this.#applyHold()
  }

  release(): void {
    this.#isHeld = false
    this.#applyHold()
  }

  /** What the client still sends is read and dropped: a reset would take our last reply with it. */
  end(): void {
    if (this.#isClosed) return
    this.#leave()
    this.release()
    this.#socket.end()
    this.#parts.onEnd(this)
  }

  secure(): void {
    this.#isShaking = true
    this.#tcp.removeAllListeners('data')
    let hello = Buffer.alloc(0)
    const take = (octets: Buffer) => {
      hello = Buffer.concat([hello, octets])
      const context = this.#contextFor(hello)
      if (context === null) return
      this.#tcp.off('data', take)
      this.#tcp.pause()
      this.#tcp.unshift(hello)
      this.#shakeHands(context)
    }
    this.#tcp.on('data', take)
  }

  /** @returns null when more has to come, or the connection has ended since nobody can say */
  #contextFor(hello: Buffer): SecureContext | null {
    try {
      return this.#parts.tls.contextFor(hello, this.#address)
    } catch (error) {
      this.#dialogue?.failed(error)
      this.#tcp.destroy()
      return null
    }
  }

  /** What lies unread on the connection is the handshake's. */
  #shakeHands(secureContext: SecureContext): void {
    const secured = new TLSSocket(this.#tcp, {
      isServer: true,
      ...reading,
      secureContext,
      requestCert: true,
      rejectUnauthorized: false,
    })
    this.#socket = secured
    secured.once('secure', () => this.#secured(secured))
    for (const event of ['error', '_tlsError']) secured.on(event, (error: Error) => this.#failed(error))
    secured.on('end', () => this.#finished())
    secured.on('close', () => this.#closed())
  }

  #secured(socket: TLSSocket): void {
    this.#isShaking = false
    this.#listen()
    this.#session?.secured(this.#dialogue?.secured(socket) ?? null)
  }

  #open(peer: Peer, early: Buffer | null = null): void {
    const dialogue = this.#parts.dialogueWith(peer)
    this.#dialogue = dialogue
    this.#address = peer.ip
    const session = new Session(this.#parts.options, this, dialogue)
    this.#session = session
    this.#listen()
    const refused = dialogue.welcome() ?? this.#admit()
    if (early !== null) session.receive(early)
    if (refused === null) setTimeout(() => session.greet(), greetingDelayMs)
    else session.greet(refused)
  }

  #admit(): Refused | null {
    const refused = this.#parts.admission.admit(this.#address)
    this.#isAdmitted = refused === null
    return refused
  }

  /** The session counts until it ends, not until the client has read its last reply and closed. */
  #leave(): void {
    if (this.#isAdmitted) this.#parts.admission.release(this.#address)
    this.#isAdmitted = false
  }

  #listen(): void {
    const session = this.#session
    this.#socket.on('data', (octets: Buffer) => session?.receive(octets))
    this.#socket.on('drain', () => {
      this.#isStalled = false
      this.#applyHold()
    })
  }

  #readProxyHeader(proxy: string): void {
    let octets = Buffer.alloc(0)
    const take = (chunk: Buffer) => {
      octets = Buffer.concat([octets, chunk])
      const header = readProxyHeader(octets)
      if ('need' in header) return
      this.#tcp.off('data', take)
      if ('fault' in header) {
        this.#parts.log('warn', 'connection without a PROXY header', { ip: proxy, cause: header.fault })
        this.#tcp.destroy()
        return
      }
      const rest = octets.subarray(header.length)
      const peer = header.source ?? { ip: proxy, port: this.#tcp.remotePort ?? 0 }
      this.#open(peer, rest.length > 0 ? rest : null)
    }
    this.#tcp.on('data', take)
  }

  #applyHold(): void {
    if (this.#isClosed) return
    if (this.#isHeld || this.#isStalled) this.#socket.pause()
    else this.#socket.resume()
  }

  #timeOut(session: Session): void {
    if (session.phase === 'Handshake')
      this.#failed(Object.assign(new Error('the handshake took too long'), { code: 'ETIMEDOUT' }))
    else if (session.phase === 'Ended') this.#socket.destroy()
    else session.timeOut()
  }

  /**
   * An error comes once for each socket that it passes, on TLS and beneath it. Of what breaks TLS after the handshake
   * Node only tells.
   */
  #failed(error: Error): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    if (this.#isShaking) this.#dialogue?.handshakeFailed(error)
    else this.#dialogue?.connectionFailed(error)
    this.#tcp.destroy()
  }

  /** The client sends no more, and may still read. */
  #finished(): void {
    if (this.#session === null || this.#isShaking) this.#tcp.destroy()
    else this.#session.finish()
  }

  #closed(): void {
    if (this.#isClosed) return
    if (this.#isShaking) this.#failed(new Error('connection closed during the handshake'))
    this.#isClosed = true
    this.#session?.close()
    this.#leave()
    this.#parts.onClose(this)
  }
}

/** An IPv4 client of a socket for both families appears as one of IPv6. Undefined when it has left already. */
function plainAddress(address: string | undefined): string | null {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? null
}
