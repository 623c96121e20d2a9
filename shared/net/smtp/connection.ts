/** The connection of one SMTP session as a client: TCP, TLS and time limits. It moves octets for client-session.ts. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Reply } from '../../contract/message.ts'
import type { ServerTls } from '../../tls/assess-server-tls.ts'
import { requiresChain } from '../../tls/requirement.ts'
import type { Extensions } from '../esmtp.ts'
import { causeOf, replyForFault, timedOutReply } from '../smtp-faults.ts'
import { type ClientCredentials, clientTlsOptions, establishedTls } from '../tls-client.ts'
import { ClientSession, type ClientTransport, type Wait } from './client-session.ts'
import { type Milestone, Negotiation, type NegotiationResult, type StartTlsMode } from './negotiation.ts'
import type { TlsRequirements } from './tls-clearance.ts'

export interface Endpoint {
  host: string
  ip: string
  port: number
}

/**
 * In milliseconds. After the message's last octet, only the attempt's own time limit applies: a timeout then would
 * cause a duplicate if the server has accepted the message.
 */
export interface SmtpTimeouts {
  connect: number
  /** Limits the wait for the greeting, and separately the TLS handshake. */
  greeting: number
  /** Limits the wait for a reply to a command. Each of several expected replies has this time. */
  command: number
  /** Limits the time in which the server takes 64 KiB of the message. */
  data: number
}

export const defaultTimeouts: SmtpTimeouts = {
  connect: 30_000,
  greeting: 60_000,
  command: 60_000,
  data: 120_000,
}

export interface SessionOptions extends TlsRequirements {
  /** The name in EHLO (RFC 5321 §4.1.1.1). */
  ehloName: string
  /** The name for SNI; null when the host is an address. */
  serverName: string | null
  /** Presented when the next hop requests a client certificate. */
  credentials?: ClientCredentials | null
  /** Whether DATA is used although the host announces CHUNKING. Never throws. BDAT is used by default. */
  avoidsChunking?: (host: string) => Promise<boolean>
  timeouts: SmtpTimeouts
  /** Ends the opening of the session. Not used after that, because the session may serve other attempts. */
  attemptSignal?: AbortSignal | undefined
  /** Called at each milestone. `answer`: the server's latest reply, or '' before its first reply. */
  onMilestone?: (milestone: Milestone, answer: string) => void
}

export type EstablishResult =
  | { kind: 'Established'; connection: SmtpConnection; extensions: Extensions; tls: ServerTls }
  | { kind: 'TlsFailed'; tls: ServerTls }
  | { kind: 'Failed'; reply: Reply }

/** Connects, negotiates TLS according to `startTls`, and reads the reply to the last EHLO. */
export async function establishConnection(
  hop: Endpoint,
  options: SessionOptions,
  startTls: StartTlsMode,
): Promise<EstablishResult> {
  if (isAborted(options)) return { kind: 'Failed', reply: timedOutReply }
  options.onMilestone?.('Dialled', '')
  const socket = await connectSocket(hop, options)
  if (socket instanceof Error)
    return {
      kind: 'Failed',
      reply: isAborted(options) ? timedOutReply : replyForFault({ kind: 'Ended', cause: causeOf(socket) }),
    }
  options.onMilestone?.('Connected', '')
  return new SmtpConnection(socket, options).negotiate(startTls)
}

const isAborted = ({ signal, attemptSignal }: SessionOptions): boolean =>
  signal.aborted || (attemptSignal?.aborted ?? false)

function connectSocket(
  { ip, port }: Endpoint,
  { timeouts, signal, attemptSignal }: SessionOptions,
): Promise<Socket | Error> {
  return new Promise((resolve) => {
    // Without a delay: each flight of commands is one write.
    const socket = connectTcp({ host: ip, port, signal, noDelay: true })
    const timeOut = () => socket.destroy(Object.assign(new Error('connect'), { code: 'ETIMEDOUT' }))
    socket.setTimeout(timeouts.connect, timeOut)
    attemptSignal?.addEventListener('abort', timeOut)
    socket.once('connect', () => {
      socket.setTimeout(0).removeAllListeners('timeout')
      attemptSignal?.removeEventListener('abort', timeOut)
      resolve(socket)
    })
    socket.once('close', () => attemptSignal?.removeEventListener('abort', timeOut))
    // Never removed: the abort signal may destroy the socket when no other listener is left.
    socket.on('error', resolve)
  })
}

/** Timeout for the reply to RSET or QUIT. */
const shortReplyTimeoutMs = 5_000

export class SmtpConnection implements ClientTransport {
  readonly session: ClientSession
  readonly #options: SessionOptions
  readonly #tcp: Socket
  /** Null before STARTTLS was accepted. */
  #tls: TLSSocket | null = null
  #timer: NodeJS.Timeout | null = null
  /** Settles when the connection is closed. */
  readonly closed: Promise<void>

  constructor(socket: Socket, options: SessionOptions) {
    this.#tcp = socket
    this.#options = options
    this.session = new ClientSession(this)
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    this.#listen(socket)
  }

  /** Reads the greeting and negotiates TLS, up to the reply to the last EHLO. */
  negotiate(startTls: StartTlsMode): Promise<EstablishResult> {
    const { ehloName, onMilestone = () => {}, attemptSignal } = this.#options
    const options = { ehloName, startTls, onMilestone }
    return this.endOnAbort(attemptSignal, () =>
      new Promise<NegotiationResult>((resolve) => {
        new Negotiation(this.session, options, resolve)
      }).then((result) => this.#resultOf(result)),
    )
  }

  /** Ends the connection when the signal aborts before `work` has ended. */
  async endOnAbort<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const abort = () => this.session.destroy({ kind: 'Ended', cause: 'ETIMEDOUT' })
    signal?.addEventListener('abort', abort)
    try {
      if (signal?.aborted) abort()
      return await work()
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** Sends QUIT without waiting for the reply. While a reply is expected, ends the connection instead. */
  quit(): void {
    const { session } = this
    if (session.isIdle) {
      session.begin({ reply() {}, step: () => this.end(), fault() {} })
      session.writeOpening('QUIT')
    } else session.destroy({ kind: 'Ended', cause: 'ECONNABORTED' })
  }

  write(octets: string | Buffer): boolean {
    return this.#socket.write(octets)
  }

  startTls(): void {
    this.#tcp.removeAllListeners('data')
    try {
      this.#tls = this.#connectTls()
    } catch (error) {
      // OpenSSL has refused the options, such as a client certificate.
      this.session.destroy({ kind: 'Ended', cause: causeOf(error as Error) })
      return
    }
    this.#tls.once('secureConnect', () => this.session.finishHandshake())
    this.#listen(this.#tls)
  }

  #connectTls(): TLSSocket {
    const { enforced, serverName, credentials = null } = this.#options
    return connectTls({
      socket: this.#tcp,
      ...clientTlsOptions(enforced, trustAnchorsFor(this.#options), credentials),
      ...(serverName === null ? {} : { servername: serverName }),
    })
  }

  end(): void {
    this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  startWait(wait: Wait | null): void {
    if (this.#timer) clearTimeout(this.#timer)
    const limitMs = wait && this.#limitOf(wait)
    this.#timer = limitMs ? setTimeout(() => this.session.timeOut(), limitMs) : null
  }

  #limitOf(wait: Wait): number | null {
    const { greeting, command, data } = this.#options.timeouts
    const limits = { Greeting: greeting, Handshake: greeting, Reply: command, Drain: data }
    return wait === 'FinalReply' ? null : wait === 'ShortReply' ? shortReplyTimeoutMs : limits[wait]
  }

  get #socket(): Socket {
    return this.#tls ?? this.#tcp
  }

  #listen(socket: Socket): void {
    const { session } = this
    socket.on('data', (octets) => session.receive(octets))
    socket.on('drain', () => session.drained())
    socket.on('error', (error) => session.connectionEnded(causeOf(error)))
    socket.on('end', () => session.connectionEnded('ECONNECTION'))
    socket.on('close', () => session.connectionEnded('ECONNECTION'))
  }

  #resultOf(result: NegotiationResult): EstablishResult {
    if (result.kind === 'Ready') return this.#established(result.extensions)
    this.destroy()
    if (isAborted(this.#options)) return { kind: 'Failed', reply: timedOutReply }
    return result.kind === 'TlsFailed' ? result : { kind: 'Failed', reply: replyForFault(result.fault) }
  }

  #established(extensions: Extensions): EstablishResult {
    const tls: ServerTls = this.#tls
      ? establishedTls(this.#tls, trustAnchorsFor(this.#options))
      : { kind: 'NotOffered', serverReply: null }
    return { kind: 'Established', connection: this, extensions, tls }
  }
}

/**
 * The trust anchors of the handshake: those of the enforced requirement, if it needs a chain. Otherwise those of a
 * report-only requirement that needs a chain, preferably one with the public roots: assess-server-tls.ts can verify a
 * chain to other anchors later, but not to the public roots.
 */
function trustAnchorsFor({ enforced, reportOnly = [] }: TlsRequirements): readonly string[] {
  if (requiresChain(enforced)) return enforced.certificateAuthorities
  const chainRequirements = reportOnly.map(({ requirement }) => requirement).filter(requiresChain)
  const selected =
    chainRequirements.find(({ certificateAuthorities }) => certificateAuthorities.length === 0) ??
    chainRequirements[0]
  return (selected ?? enforced).certificateAuthorities
}
