/** A client's connection: its address, its session, TLS beneath it, and its end. */
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import type { SessionCounts } from '../limits/admission.ts'
import type { Log } from '../log.ts'
import { type Dialogue, Session, type SessionOptions, type Wire } from '../protocol/session.ts'
import type { Refused } from '../replies.ts'
import type { TlsService } from '../tls/service.ts'
import { FlowControl } from './flow-control.ts'
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

/** Who is connected, and what is said with it. */
interface Client {
  address: string
  session: Session
  dialogue: ConnectedDialogue
  patience: Patience
  /** It has a place among the sessions that there may be. */
  isAdmitted: boolean
}

type State =
  | { phase: 'AwaitingProxyHeader'; seconds: number }
  | { phase: 'Talking' | 'AwaitingHello' | 'Handshaking'; client: Client }
  /** An error was told of; the sockets are about to close. */
  | { phase: 'Failed'; client: Client | null }
  | { phase: 'Closed' }

export class Connection implements Wire {
  readonly #parts: ConnectionParts
  readonly #tcp: Socket
  /** The socket that is read and written: TCP's own, then TLS upon it. */
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

  /** To be called once a second. */
  tick(): void {
    const state = this.#state
    if (state.phase === 'AwaitingProxyHeader') {
      if (++state.seconds >= proxyPatience) this.#tcp.destroy()
    } else if (this.#flow.tick()) this.#socket.destroy()
    else if (this.#client && !this.#flow.isStalled) this.#waitFor(this.#client)
  }

  /**
   * Ends the session as soon as nothing of the client's is in flight. Before its first octet of TLS nothing is, and
   * between STARTTLS and that there is no way to say so.
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

  /** What the client still sends is read and dropped: a reset would take our last reply with it. */
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

  /** Nothing is written any more. */
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

  /** @returns null when more has to come, or the connection has ended since nobody can say */
  #contextFor(hello: Buffer, { address, dialogue }: Client): SecureContext | null {
    try {
      return this.#parts.tls.contextFor(hello, address)
    } catch (error) {
      dialogue.failed(error)
      this.#tcp.destroy()
      return null
    }
  }

  /** What lies unread on the connection is the handshake's. */
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
    // Of what breaks TLS after the handshake Node only tells.
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
    const client = { address: peer.ip, session, dialogue, patience: new Patience(), isAdmitted: false }
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

  #waitFor({ session, patience }: Client): void {
    if (!patience.isOver(session)) return
    if (session.phase === 'Handshake')
      this.#failed(Object.assign(new Error('the handshake took too long'), { code: 'ETIMEDOUT' }))
    else if (session.phase === 'Ended') this.#socket.destroy()
    else session.timeOut()
  }

  /** An error comes once for each socket that it passes, on TLS and beneath it. */
  #failed(error: Error): void {
    if (this.#isOver) return
    const client = this.#client
    if (this.#isShaking) client?.dialogue.handshakeFailed(error)
    else client?.dialogue.connectionFailed(error)
    this.#state = { phase: 'Failed', client }
    this.#tcp.destroy()
  }

  /** The client sends no more, and may still read. */
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

/** An IPv4 client of a socket for both families appears as one of IPv6. Undefined when it has left already. */
function plainAddress(address: string | undefined): string | null {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? null
}
