/** One client connection: address, session, TLS and closing. */
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import type { SessionCounts } from '../limits/admission.ts'
import type { Log } from '../log.ts'
import { type Dialogue, Session, type SessionOptions, type Wire } from '../protocol/session.ts'
import type { Refused } from '../replies.ts'
import type { TlsService } from '../tls/service.ts'
import { FlowControl } from './flow-control.ts'
import { SessionTimeouts } from './patience.ts'
import { readProxyHeader } from './proxy.ts'

export interface Peer {
  ip: string
  port: number
}

/** Decisions of a session, with the events of its connection. */
export interface ConnectedDialogue extends Dialogue {
  /** @returns null, or why the session is refused */
  welcome(): Refused | null
  /** @returns null, or why the session must end */
  secured(socket: TLSSocket): Refused | null
  handshakeFailed(error: Error): void
  connectionFailed(error: Error): void
}

export interface ConnectionParts {
  options: SessionOptions
  tls: TlsService
  admission: Pick<SessionCounts, 'admit' | 'release'>
  /** Whether this address is a load balancer that sends a PROXY protocol header. */
  isProxy(address: string): boolean
  dialogueWith(peer: Peer): ConnectedDialogue
  log: Log
  /** The session has ended; the client may still read the last reply and close. */
  onEnd(connection: Connection): void
  onClose(connection: Connection): void
}

/** RFC 5321 §4.3.1: a client waits for the greeting. One that does not is no mail server. */
const greetingDelayMs = 100
/** Octets read from a client under backpressure; OpenSSL hands over the same amount at once. */
export const reading = { highWaterMark: 16 * 1024 }
/** Seconds for the PROXY protocol header. A load balancer sends it immediately. */
const proxyHeaderTimeoutSeconds = 10

interface Client {
  address: string
  session: Session
  dialogue: ConnectedDialogue
  timeouts: SessionTimeouts
  /** The connection limiter counts the session. */
  isAdmitted: boolean
}

type State =
  | { phase: 'AwaitingProxyHeader'; seconds: number }
  | { phase: 'Talking' | 'AwaitingHello' | 'Handshaking'; client: Client }
  /** An error was reported; the sockets are about to close. */
  | { phase: 'Failed'; client: Client | null }
  | { phase: 'Closed' }

export class Connection implements Wire {
  readonly #parts: ConnectionParts
  readonly #tcp: Socket
  /** TCP, or TLS on top of it. */
  #socket: Socket | TLSSocket
  readonly #flow = new FlowControl()
  #state: State = { phase: 'AwaitingProxyHeader', seconds: 0 }

  constructor(socket: Socket, parts: ConnectionParts) {
    this.#tcp = socket
    this.#socket = socket
    this.#parts = parts
  }

  start(): void {
    const socket = this.#tcp
    socket.setNoDelay(true)
    this.#watch(socket)
    const address = plainAddress(socket.remoteAddress)
    if (address === null) socket.destroy()
    else if (this.#parts.isProxy(address)) this.#readProxyHeader(address)
    else this.#open({ ip: address, port: socket.remotePort ?? 0 })
  }

  /** Must be called once a second. */
  tick(): void {
    const state = this.#state
    if (state.phase === 'AwaitingProxyHeader') {
      if (++state.seconds >= proxyHeaderTimeoutSeconds) this.#tcp.destroy()
    } else if (this.#flow.tick()) this.#socket.destroy()
    else if (this.#client && !this.#flow.isStalled) this.#checkTimeout(this.#client)
  }

  /**
   * Ends the session as soon as no message is in flight. Between STARTTLS and the first octet of TLS no reply can be
   * sent, so the connection is closed.
   */
  drain(): void {
    const state = this.#state
    if (state.phase === 'Talking' || state.phase === 'Handshaking') state.client.session.drain()
    else this.#tcp.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  write(text: string): void {
    if (this.#isOver || this.#socket.write(text, 'latin1')) return
    this.#flow.stall(true, this.#socket)
  }

  hold(): void {
    if (!this.#isOver) this.#flow.hold(true, this.#socket)
  }

  release(): void {
    if (!this.#isOver) this.#flow.hold(false, this.#socket)
  }

  /** What the client still sends is read and dropped: a TCP reset could destroy the last reply. */
  end(): void {
    if (this.#isOver) return
    this.#leave()
    this.release()
    this.#socket.end()
    this.#parts.onEnd(this)
  }

  secure(): void {
    const client = this.#client
    if (client === null) return
    this.#state = { phase: 'AwaitingHello', client }
    this.#tcp.removeAllListeners('data')
    let hello = Buffer.alloc(0)
    const take = (octets: Buffer) => {
      hello = Buffer.concat([hello, octets])
      const context = this.#contextFor(hello, client)
      if (context === null) return
      this.#tcp.off('data', take)
      this.#tcp.pause()
      this.#tcp.unshift(hello)
      this.#shakeHands(context, client)
    }
    this.#tcp.on('data', take)
  }

  get #client(): Client | null {
    return 'client' in this.#state ? this.#state.client : null
  }

  /** Nothing more can be written. */
  get #isOver(): boolean {
    return this.#state.phase === 'Failed' || this.#state.phase === 'Closed'
  }

  get #isShaking(): boolean {
    return this.#state.phase === 'AwaitingHello' || this.#state.phase === 'Handshaking'
  }

  #watch(socket: Socket | TLSSocket): void {
    socket.on('error', (error: Error) => this.#failed(error))
    socket.on('end', () => this.#finished())
    socket.on('close', () => this.#closed())
  }

  /** @returns null when more octets are needed, or after an error that closed the connection */
  #contextFor(hello: Buffer, { address, dialogue }: Client): SecureContext | null {
    try {
      return this.#parts.tls.contextFor(hello, address)
    } catch (error) {
      dialogue.failed(error)
      this.#tcp.destroy()
      return null
    }
  }

  /** Octets not yet read from the socket belong to the handshake. */
  #shakeHands(secureContext: SecureContext, client: Client): void {
    const secured = new TLSSocket(this.#tcp, {
      isServer: true,
      ...reading,
      secureContext,
      requestCert: true,
      rejectUnauthorized: false,
    })
    this.#socket = secured
    this.#state = { phase: 'Handshaking', client }
    secured.once('secure', () => this.#secured(secured))
    this.#watch(secured)
    // Node does not close the socket on TLS errors after the handshake; it only emits this event.
    secured.on('_tlsError', (error: Error) => this.#failed(error))
  }

  #secured(socket: TLSSocket): void {
    if (this.#state.phase !== 'Handshaking') return
    const { client } = this.#state
    this.#state = { phase: 'Talking', client }
    this.#listen(client.session)
    client.session.secured(client.dialogue.secured(socket))
  }

  #open(peer: Peer, early: Buffer | null = null): void {
    const dialogue = this.#parts.dialogueWith(peer)
    const session = new Session(this.#parts.options, this, dialogue)
    const client: Client = {
      address: peer.ip,
      session,
      dialogue,
      timeouts: new SessionTimeouts(),
      isAdmitted: false,
    }
    this.#state = { phase: 'Talking', client }
    this.#listen(session)
    const refused = dialogue.welcome() ?? this.#admit(client)
    if (early !== null) session.receive(early)
    if (refused === null) setTimeout(() => session.greet(), greetingDelayMs)
    else session.greet(refused)
  }

  #admit(client: Client): Refused | null {
    const refused = this.#parts.admission.admit(client.address)
    client.isAdmitted = refused === null
    return refused
  }

  /** The session counts until it ends, not until the client has read its last reply and closed. */
  #leave(): void {
    const client = this.#client
    if (!client?.isAdmitted) return
    client.isAdmitted = false
    this.#parts.admission.release(client.address)
  }

  #listen(session: Session): void {
    this.#socket.on('data', (octets: Buffer) => session.receive(octets))
    this.#socket.on('drain', () => {
      if (!this.#isOver) this.#flow.stall(false, this.#socket)
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
        this.#parts.log('warn', 'connection closed: no valid PROXY protocol header', {
          ip: proxy,
          cause: header.fault,
        })
        this.#tcp.destroy()
        return
      }
      const rest = octets.subarray(header.length)
      const peer = header.source ?? { ip: proxy, port: this.#tcp.remotePort ?? 0 }
      this.#open(peer, rest.length > 0 ? rest : null)
    }
    this.#tcp.on('data', take)
  }

  #checkTimeout({ session, timeouts }: Client): void {
    if (!timeouts.isTimedOut(session)) return
    if (session.phase === 'Handshake')
      this.#failed(Object.assign(new Error('TLS handshake timed out'), { code: 'ETIMEDOUT' }))
    else if (session.phase === 'Ended') this.#socket.destroy()
    else session.timeOut()
  }

  /** One error arrives twice: from the TLS socket and from the TCP socket. */
  #failed(error: Error): void {
    if (this.#isOver) return
    const client = this.#client
    if (this.#isShaking) client?.dialogue.handshakeFailed(error)
    else client?.dialogue.connectionFailed(error)
    this.#state = { phase: 'Failed', client }
    this.#tcp.destroy()
  }

  /** The client sends no more, but may still read. */
  #finished(): void {
    if (this.#state.phase === 'Talking') this.#state.client.session.finish()
    else this.#tcp.destroy()
  }

  #closed(): void {
    if (this.#state.phase === 'Closed') return
    if (this.#isShaking) this.#failed(new Error('connection closed during the handshake'))
    this.#client?.session.close()
    this.#leave()
    this.#state = { phase: 'Closed' }
    this.#parts.onClose(this)
  }
}

/** A dual-stack socket shows an IPv4 client as `::ffff:192.0.2.1`. Null when the client has already left. */
function plainAddress(address: string | undefined): string | null {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? null
}
