/** One client connection: address, session, TLS and closing. */
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import type { ConnectionLimiter } from '../limits/connection-limiter.ts'
import { type HandshakeCosts, maxHandshakeOctets } from '../limits/handshake-costs.ts'
import type { KnownSenders } from '../limits/known-senders.ts'
import type { Log } from '../log.ts'
import {
  Session,
  type SessionOptions,
  type SessionPolicy,
  type SessionTransport,
} from '../protocol/session.ts'
import type { Refusal } from '../replies.ts'
import type { TlsService } from '../tls/tls-service.ts'
import { FlowControl } from './flow-control.ts'
import { MeasuredStream } from './measured-stream.ts'
import { readProxyHeader } from './proxy-protocol.ts'
import { SessionActivity } from './session-activity.ts'
import { SessionTimeouts } from './session-timeouts.ts'

export interface Peer {
  ip: string
  port: number
}

/** The policy of a session, which also records the errors of its connection. */
export interface ConnectionPolicy extends SessionPolicy {
  /** @returns null, or the refusal */
  checkGreeting(): Refusal | null
  /** @returns null, or the refusal that ends the session */
  checkTlsSession(socket: TLSSocket, wasCertificateRequested: boolean): Refusal | null
  /** Whether an `OnPremises` connector identified the client. */
  readonly isAttributed: boolean
  /** @param clientName the client's name in EHLO */
  recordHandshakeError(error: Error, clientName: string): void
  recordConnectionError(error: Error): void
}

export interface ConnectionParts {
  sessionOptions: SessionOptions
  tls: TlsService
  connectionLimiter: Pick<ConnectionLimiter, 'admit' | 'release' | 'sessionsOf'>
  handshakeCosts: HandshakeCosts
  knownSenders: Pick<KnownSenders, 'add' | 'has'>
  /** Whether this address is a load balancer that sends a PROXY protocol header. */
  isTrustedProxy(address: string): boolean
  createSessionPolicy(peer: Peer): ConnectionPolicy
  log: Log
  /** The session has ended; the client may still read the last reply and close. */
  onEnd(connection: Connection): void
  onClose(connection: Connection): void
}

/**
 * Milliseconds before the greeting. A client must wait for the greeting (RFC 5321 §4.3.1); a client that does not wait
 * is no mail server.
 */
const greetingDelayMs = 100
/**
 * Octets of a client that Node buffers while reading is paused. OpenSSL returns at most the same number of octets in
 * one read.
 */
export const socketOptions = { highWaterMark: 16 * 1024 }
/** Sessions that an address with accepted messages keeps while the task has few free ones. */
const maxKeptSessions = 5
/** Seconds for the PROXY protocol header. A load balancer sends it immediately. */
const proxyHeaderTimeoutSeconds = 10

interface Client {
  address: string
  session: Session
  policy: ConnectionPolicy
  timeouts: SessionTimeouts
  activity: SessionActivity
  /** True while the connection limiter counts the session. */
  isCounted: boolean
}

type State =
  | { phase: 'AwaitingProxyHeader'; seconds: number }
  | { phase: 'Talking' | 'AwaitingHello' | 'Handshaking'; client: Client }
  /** An error was reported; the sockets are about to close. */
  | { phase: 'Failed'; client: Client | null }
  | { phase: 'Closed' }

export class Connection implements SessionTransport {
  readonly #parts: ConnectionParts
  readonly #tcp: Socket
  /** TCP, or TLS on top of it. */
  #socket: Socket | TLSSocket
  readonly #flowControl = new FlowControl()
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
    const address = unmapIPv4(socket.remoteAddress)
    if (address === null) socket.destroy()
    else if (this.#parts.isTrustedProxy(address)) this.#readProxyHeader(address)
    else this.#startSession({ ip: address, port: socket.remotePort ?? 0 })
  }

  /** Must be called once per second. */
  tick(): void {
    const state = this.#state
    if (state.phase === 'AwaitingProxyHeader') {
      if (++state.seconds >= proxyHeaderTimeoutSeconds) this.#tcp.destroy()
    } else if (this.#flowControl.tick()) this.#socket.destroy()
    else if (this.#client && !this.#flowControl.isStalled) this.#checkTimeout(this.#client)
    if (this.#client) this.#recordActivity(this.#client)
  }

  /**
   * Ends the session as soon as no message is in flight. Before the session begins, and between STARTTLS and the end of
   * the ClientHello, no reply can be sent, so the connection is closed.
   */
  drain(): void {
    const state = this.#state
    if (state.phase === 'Talking' || state.phase === 'Handshaking') state.client.session.drain()
    else this.#tcp.destroy()
  }

  /** @returns the connection with the largest rank ends first, when another client needs it; null for one that stays */
  get rank(): number | null {
    const client = this.#client
    if (client === null || !client.isCounted || this.#isKept(client)) return null
    return client.activity.rank(client.session)
  }

  /** Ends the session, so that another client can have one. */
  endAsIdle(): void {
    const client = this.#client
    if (this.#isInHandshake) this.#tcp.destroy()
    else client?.session.endAsIdle()
    this.#releaseConnection()
  }

  #isKept({ address, policy }: Client): boolean {
    const { knownSenders, connectionLimiter } = this.#parts
    if (policy.isAttributed) return true
    return connectionLimiter.sessionsOf(address) <= maxKeptSessions && knownSenders.has(address)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  write(text: string): void {
    if (this.#isClosing || this.#socket.write(text, 'latin1')) return
    this.#flowControl.setStalled(true, this.#socket)
  }

  pauseReading(): void {
    if (!this.#isClosing) this.#flowControl.setSessionFull(true, this.#socket)
  }

  resumeReading(): void {
    if (!this.#isClosing) this.#flowControl.setSessionFull(false, this.#socket)
  }

  /**
   * Closes the connection after the last reply. Later octets of the client are read and dropped: unread octets would
   * cause a TCP reset, and the client might lose the reply.
   */
  end(): void {
    if (this.#isClosing) return
    this.#releaseConnection()
    this.resumeReading()
    this.#socket.end()
    this.#parts.onEnd(this)
  }

  startTls(): void {
    const client = this.#client
    if (client === null) return
    this.#state = { phase: 'AwaitingHello', client }
    this.#tcp.removeAllListeners('data')
    let hello = Buffer.alloc(0)
    const onData = (octets: Buffer) => {
      hello = Buffer.concat([hello, octets])
      const context = this.#selectTlsContext(hello, client)
      if (context === null) return
      this.#tcp.off('data', onData)
      this.#tcp.pause()
      this.#tcp.unshift(hello)
      this.#startHandshake(context, client)
    }
    this.#tcp.on('data', onData)
  }

  get #client(): Client | null {
    return 'client' in this.#state ? this.#state.client : null
  }

  /** True when nothing more can be written. */
  get #isClosing(): boolean {
    return this.#state.phase === 'Failed' || this.#state.phase === 'Closed'
  }

  get #isInHandshake(): boolean {
    return this.#state.phase === 'AwaitingHello' || this.#state.phase === 'Handshaking'
  }

  #watch(socket: Socket | TLSSocket): void {
    socket.on('error', (error: Error) => this.#handleError(error))
    // TLS octets may be unread when the TCP connection's other side is closed.
    socket.on('end', () => socket === this.#socket && this.#handleInputEnd())
    socket.on('close', () => this.#handleClose())
  }

  /** @returns null when more octets are needed, or after an error that closed the connection */
  #selectTlsContext(hello: Buffer, { address, policy }: Client): SecureContext | null {
    try {
      return this.#parts.tls.contextForHello(hello, address)
    } catch (error) {
      policy.recordError(error)
      this.#tcp.destroy()
      return null
    }
  }

  /** The octets that are still unread in the TCP socket begin the handshake. */
  #startHandshake(secureContext: SecureContext, client: Client): void {
    const { address } = client
    const name = client.session.clientName
    const costs = this.#parts.handshakeCosts
    const isRequested = costs.shouldRequest(address, name)
    const measured = isRequested
      ? new MeasuredStream(this.#tcp, {
          maxOctets: maxHandshakeOctets,
          shouldEnd: () => costs.isExpensive(address),
          onTooLarge: () => costs.recordTooLarge(address),
          onTime: (totalMs, addedMs) => costs.addTime(address, totalMs, addedMs),
        })
      : null
    const tlsSocket = new TLSSocket(measured ?? this.#tcp, {
      isServer: true,
      ...socketOptions,
      secureContext,
      requestCert: isRequested,
      rejectUnauthorized: false,
    })
    this.#socket = tlsSocket
    this.#state = { phase: 'Handshaking', client }
    tlsSocket.once('secure', () => {
      measured?.endHandshake()
      // A resumed session does not show whether the client has a certificate.
      if (isRequested && !tlsSocket.isSessionReused())
        costs.recordEnd(address, name, tlsSocket.getPeerX509Certificate() !== undefined)
      this.#finishHandshake(tlsSocket, isRequested)
    })
    measured?.on('error', (error: Error) => this.#handleError(error))
    this.#watch(tlsSocket)
    // Node does not close the socket on TLS errors after the handshake; it only emits this event.
    tlsSocket.on('_tlsError', (error: Error) => this.#handleError(error))
  }

  #finishHandshake(socket: TLSSocket, wasCertificateRequested: boolean): void {
    if (this.#state.phase !== 'Handshaking') return
    const { client } = this.#state
    this.#state = { phase: 'Talking', client }
    this.#attachSession(client.session)
    client.session.finishHandshake(client.policy.checkTlsSession(socket, wasCertificateRequested))
  }

  #startSession(peer: Peer, earlyOctets: Buffer | null = null): void {
    const policy = this.#parts.createSessionPolicy(peer)
    const session = new Session(this.#parts.sessionOptions, this, policy)
    const client: Client = {
      address: peer.ip,
      session,
      policy,
      timeouts: new SessionTimeouts(),
      activity: new SessionActivity(),
      isCounted: false,
    }
    this.#state = { phase: 'Talking', client }
    this.#attachSession(session)
    const refusal = policy.checkGreeting() ?? this.#admit(client)
    if (earlyOctets !== null) session.receive(earlyOctets)
    if (refusal === null) setTimeout(() => session.sendGreeting(), greetingDelayMs)
    else session.sendGreeting(refusal)
  }

  #admit(client: Client): Refusal | null {
    const refusal = this.#parts.connectionLimiter.admit(client.address)
    client.isCounted = refusal === null
    return refusal
  }

  /**
   * The connection limiter counts the session until it ends, not until the client has read its last reply and closed.
   */
  #releaseConnection(): void {
    const client = this.#client
    if (!client?.isCounted) return
    client.isCounted = false
    if (client.session.acceptedMessages > 0) this.#parts.knownSenders.add(client.address)
    this.#parts.connectionLimiter.release(client.address, client.policy.isAttributed)
  }

  #attachSession(session: Session): void {
    this.#socket.on('data', (octets: Buffer) => session.receive(octets))
    this.#socket.on('drain', () => {
      if (!this.#isClosing) this.#flowControl.setStalled(false, this.#socket)
    })
  }

  #readProxyHeader(proxy: string): void {
    let octets = Buffer.alloc(0)
    const onData = (chunk: Buffer) => {
      octets = Buffer.concat([octets, chunk])
      const header = readProxyHeader(octets)
      if ('need' in header) return
      this.#tcp.off('data', onData)
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
      this.#startSession(peer, rest.length > 0 ? rest : null)
    }
    this.#tcp.on('data', onData)
  }

  #recordActivity({ address, session, activity }: Client): void {
    activity.tick(session)
    if (session.acceptedMessages > 0) this.#parts.knownSenders.add(address)
  }

  #checkTimeout({ session, timeouts }: Client): void {
    if (!timeouts.isTimedOut(session)) return
    if (session.phase === 'Handshake')
      this.#handleError(Object.assign(new Error('TLS handshake timed out'), { code: 'ETIMEDOUT' }))
    else if (session.phase === 'Ended') this.#socket.destroy()
    else session.timeOut()
  }

  /**
   * Closes the connection. One error may arrive twice, from the TLS socket and from the TCP socket; the second is
   * ignored.
   */
  #handleError(error: Error): void {
    if (this.#isClosing) return
    const client = this.#client
    if (this.#isInHandshake) client?.policy.recordHandshakeError(error, client.session.clientName)
    else client?.policy.recordConnectionError(error)
    this.#state = { phase: 'Failed', client }
    this.#tcp.destroy()
  }

  /** The client sends no more, but may still read. */
  #handleInputEnd(): void {
    if (this.#state.phase === 'Talking') this.#state.client.session.endInput()
    else this.#tcp.destroy()
  }

  #handleClose(): void {
    if (this.#state.phase === 'Closed') return
    if (this.#isInHandshake) this.#handleError(new Error('connection closed during the handshake'))
    this.#client?.session.close()
    this.#releaseConnection()
    this.#state = { phase: 'Closed' }
    this.#parts.onClose(this)
  }
}

/** A dual-stack socket shows an IPv4 client as `::ffff:192.0.2.1`. Null when the client has already disconnected. */
function unmapIPv4(address: string | undefined): string | null {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? null
}
