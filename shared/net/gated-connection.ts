/**
 * The connection of one SMTP session. In this file, "the client" is nodemailer's SMTP client. The attack: an active
 * attacker obtains an octet, in the clear, of mail for which TLS is forced. The defence is a gate on the one function
 * through which the client writes commands. Until the session's TLS has been assessed, the gate passes only EHLO, HELO,
 * STARTTLS and QUIT, so neither MAIL FROM nor DATA is sent. Where TLS is forced, the client fails unless STARTTLS
 * succeeds. The client discards octets injected after the reply to STARTTLS (RFC 3207 §6). A session may carry several
 * messages: the gate opens for the commands of one message, and closes after that message.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { Recipient, Reply } from '../contract/message.ts'
import type { Revocation } from '../contract/revocation.ts'
import { parseReply, reply } from '../mail/reply.ts'
import type { ServerTls } from '../tls/assess-server-tls.ts'
import {
  forcesTls,
  type HopRequirement,
  type ReportOnlyRequirement,
  requiresChain,
} from '../tls/requirement.ts'
import type { AttemptBudget } from './attempt-budget.ts'
import {
  type Extensions,
  formatMailCommand,
  formatRecipientCommand,
  type MessageTraits,
  parseExtensions,
} from './esmtp.ts'
import type { EncodedChain } from './revocation/checker.ts'
import { causeOf, replyForError, type SmtpError, timedOutReply } from './smtp-errors.ts'
import { type ClientCredentials, clientTlsOptions, establishedTls } from './tls-client.ts'

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
  /**
   * Limits the wait for the greeting, and separately the TLS handshake. The handshake must also end within twice this
   * time after the connection.
   */
  greeting: number
  /** Limits the time without data while a reply to a command is expected. */
  command: number
  /** Limits the time without data while the message is sent. */
  data: number
}

export const defaultTimeouts: SmtpTimeouts = {
  connect: 30_000,
  greeting: 60_000,
  command: 60_000,
  data: 120_000,
}

export interface SessionOptions {
  /** The name in EHLO (RFC 5321 §4.1.1.1). */
  ehloName: string
  /** Checked before a message is sent. */
  enforced: HopRequirement
  /** Report-only requirements: checked and reported, not enforced. */
  reportOnly?: readonly ReportOnlyRequirement[]
  /** The name for SNI; null when the host is an address. */
  serverName: string | null
  /** Presented when the next hop requests a client certificate. */
  credentials?: ClientCredentials | null
  /**
   * Checks the chain's revocation. Never throws, and limits its own time. When this function is absent, the status is
   * undetermined.
   */
  checkRevocation?: (question: EncodedChain, signal: AbortSignal) => Promise<Revocation>
  timeouts: SmtpTimeouts
  /** Ends the session at any point. */
  signal: AbortSignal
  /** Ends the opening of the session. Not used after that, because the session may serve other attempts. */
  attemptSignal?: AbortSignal | undefined
  /** Called at each milestone. `answer`: the server's latest reply, or '' before its first reply. */
  onMilestone?: (milestone: Milestone, answer: string) => void
}

/**
 * The progress of opening a session, in this order. An opportunistic session whose TLS fails starts again in the clear,
 * with a second `Dialled`.
 */
export type Milestone =
  | 'Dialled'
  /** TCP is connected; the greeting comes next. */
  | 'Connected'
  /** The greeting was read; the reply to EHLO comes next. */
  | 'Greeted'
  /** STARTTLS was sent; its reply and the handshake come next. */
  | 'StartTlsSent'
  /** The handshake is done; the reply to EHLO over TLS comes next. */
  | 'Secured'

/** The result of one message in a session. */
export interface Transaction {
  /** The replies by recipient address; 2yz means accepted. */
  replies: Map<string, Reply>
  /**
   * MAIL was refused, or the connection ended before the reply to MAIL, so the content was not sent. In a session that
   * has carried other messages, the cause may be the session and not the message.
   */
  isNotBegun: boolean
  /**
   * The recipients' addresses for which no reply to the whole message arrived: the server may have accepted the
   * message.
   */
  unanswered: readonly string[]
}

/** `Required`: the session ends when TLS cannot be established. */
export type StartTlsMode = 'Required' | 'WhenOffered' | 'Never'

export type EstablishResult =
  | { kind: 'Established'; connection: GatedConnection; tls: ServerTls }
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
    return { kind: 'Failed', reply: isAborted(options) ? timedOutReply : replyForError(socket) }
  options.onMilestone?.('Connected', '')
  return new GatedConnection(socket, hop, options, startTls).greet()
}

const isAborted = ({ signal, attemptSignal }: SessionOptions): boolean =>
  signal.aborted || (attemptSignal?.aborted ?? false)

function connectSocket(
  { ip, port }: Endpoint,
  { timeouts, signal, attemptSignal }: SessionOptions,
): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: ip, port, signal })
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

/**
 * Members that this file uses although they do not belong to the client's documented API. The constructor checks that
 * the functions exist.
 */
interface ClientInternals {
  _sendCommand(command: string, loggedAs?: string): void
  _onData(chunk: Buffer): void
  _actionDATA(answer: string, callback: (error: SmtpError | null) => void): void
  /** Received data that is not yet a whole reply. */
  _remainder: string
  _responseQueue: string[]
}

/**
 * Limits of the data received until the first message, and again for each message. 4096 lines are about forty for each
 * of a hundred recipients. The client limits the length of one reply, but not the number of queued replies. Without
 * these limits, a server that sends empty lines without end would take memory and time from other deliveries.
 */
const receiveLimits = { octets: 1024 * 1024, lines: 4096 }

/** The fields that nodemailer's client adds to its envelope. */
interface EnvelopeProgress {
  accepted?: string[]
  rejectedErrors?: (SmtpError & { recipient?: string })[]
}

interface SendResult {
  reply: Reply
  /** Whether `reply` is the reply to MAIL. */
  isSenderRefused: boolean
  /** Whether the reply is missing because the connection ended. False after a timeout or an abort. */
  isConnectionLost: boolean
  /** Whether the whole message was sent without a reply to it. */
  isUnanswered: boolean
}

/** Timeout for the reply to RSET or QUIT. */
const quitTimeoutMs = 5_000

const allowedBeforeTls = /^(?:EHLO|HELO|STARTTLS|QUIT)\b/

export class GatedConnection {
  readonly #client: SMTPConnection
  readonly #options: SessionOptions
  readonly #startTls: StartTlsMode
  #rewriteCommand: ((command: string) => string) | null = null
  readonly #received = { octets: 0, lines: 0 }
  #lastCommand = ''
  #extensions: Extensions = new Map()
  /** True from the start of a transaction until a 2yz reply to the end of data, or to RSET, ends the transaction. */
  #hasOpenTransaction = false
  #isQuitting = false

  constructor(connection: Socket, { host }: Endpoint, options: SessionOptions, startTls: StartTlsMode) {
    const { ehloName, timeouts, enforced, serverName, credentials } = options
    this.#options = options
    this.#startTls = startTls
    this.#client = new SMTPConnection({
      connection,
      name: ehloName,
      host,
      requireTLS: startTls === 'Required',
      ignoreTLS: startTls === 'Never',
      connectionTimeout: 2 * timeouts.greeting,
      greetingTimeout: timeouts.greeting,
      socketTimeout: timeouts.command,
      maxResponseSize: 65_536,
      tls: {
        ...clientTlsOptions(enforced, trustAnchorsFor(options), credentials ?? null),
        ...(serverName === null ? {} : { servername: serverName }),
      },
    })
    this.#client.on('error', () => {})
    this.#installGate()
    this.#requireContinuation()
    this.#limitReceived()
  }

  get extensions(): Extensions {
    return this.#extensions
  }

  /** Reads the greeting and negotiates TLS, up to the reply to the last EHLO. */
  greet(): Promise<EstablishResult> {
    return this.#endOnAbort(this.#options.attemptSignal, () => this.#greet())
  }

  /** Ends the connection when the signal aborts before `work` has ended. */
  async #endOnAbort<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const destroy = () => this.#destroy()
    signal?.addEventListener('abort', destroy)
    try {
      if (signal?.aborted) destroy()
      return await work()
    } finally {
      signal?.removeEventListener('abort', destroy)
    }
  }

  #greet(): Promise<EstablishResult> {
    const greeted = (resolve: (result: EstablishResult) => void) => {
      const fail = (error: SmtpError) => resolve(this.#classifyFailure(error))
      this.#client.once('error', fail)
      this.#client.connect((error) => {
        if (error) return fail(error as SmtpError)
        this.#extensions = parseExtensions(this.#client.lastServerResponse || '')
        resolve(this.#established())
      })
    }
    return this.#resolveUnlessEnded(greeted, () => this.#classifyFailure(connectionEnded))
  }

  /**
   * The client emits only `end`, and no error, when its connection is gone before the client writes. Then the result is
   * `otherwise()`.
   */
  #resolveUnlessEnded<T>(begin: (resolve: (value: T) => void) => void, otherwise: () => T): Promise<T> {
    return new Promise((resolve) => {
      // If the client also emits an error, it does so in the same turn of the event loop: the error decides the result.
      const end = () => setImmediate(() => resolve(otherwise()))
      this.#client.once('end', end)
      begin((value) => {
        this.#client.off('end', end)
        resolve(value)
      })
    })
  }

  #established(): EstablishResult {
    const unusableReason = this.unusableReason()
    if (unusableReason) return { kind: 'Failed', reply: unusableReason }
    const socket = this.#client._socket
    const tls: ServerTls =
      socket instanceof TLSSocket
        ? establishedTls(socket, trustAnchorsFor(this.#options))
        : { kind: 'NotOffered', serverReply: null }
    return { kind: 'Established', connection: this, tls }
  }

  /**
   * Closes the connection after an unexpected reply.
   * @returns why no command can be sent: the connection has ended, or the server sent an unexpected reply; null when
   * commands can be sent
   */
  unusableReason(): Reply | null {
    const socket = this.#client._socket
    if (!socket || socket.destroyed) return replyForError(connectionEnded)
    const unexpected = this.#unexpectedData
    if (unexpected === null) return null
    this.#client.close()
    return replyForError(unexpectedReplyError(unexpected))
  }

  /** Data that the server sent without a command: the client would take that data as the reply to its next command. */
  get #unexpectedData(): string | null {
    const { _responseQueue, _remainder } = this.#client as unknown as ClientInternals
    return [..._responseQueue, _remainder].find((line) => line.trim() !== '') ?? null
  }

  /** @throws Error when TLS is forced and the session is in the clear, whatever the assessment was */
  openGate(mail: MessageTraits, recipients: readonly Recipient[]): void {
    if (forcesTls(this.#options.enforced) && !this.#client.secure)
      throw new Error('forced TLS, but the session is in the clear')
    const { extensions } = this
    const commands = new Map(
      recipients.map((recipient) => [
        `RCPT TO:<${recipient.address}>`,
        formatRecipientCommand(recipient, extensions),
      ]),
    )
    this.#rewriteCommand = (command) =>
      command.startsWith('MAIL FROM:')
        ? formatMailCommand(mail, extensions)
        : (commands.get(command) ?? command)
  }

  closeGate(): void {
    this.#rewriteCommand = null
  }

  /** @param budget limits the time of the transaction */
  send(
    mail: MessageTraits,
    recipients: readonly Recipient[],
    content: Buffer,
    budget?: AttemptBudget,
  ): Promise<Transaction> {
    return this.#endOnAbort(budget?.signal, () => this.#send(mail, recipients, content, budget))
  }

  async #send(
    mail: MessageTraits,
    recipients: readonly Recipient[],
    content: Buffer,
    budget: AttemptBudget | undefined,
  ): Promise<Transaction> {
    const addresses = recipients.map(({ address }) => address)
    const envelope: { from: string; to: string[] } & EnvelopeProgress = {
      from: mail.envelope.mailFrom,
      to: [...addresses],
    }
    const source = this.#contentStream(content, budget)
    this.#received.octets = this.#received.lines = 0
    this.#setIdleTimeout(this.#options.timeouts.command)
    this.#hasOpenTransaction = true
    const {
      reply: answer,
      isSenderRefused,
      isConnectionLost,
      isUnanswered,
    } = await this.#sendMessage(
      envelope,
      source,
      () => this.#options.signal.aborted || (budget?.signal.aborted ?? false),
    )
    const isContentUnread = source.readableFlowing === null
    this.#hasOpenTransaction = !source.readableEnded || answer.code >= 300
    // A server that replied before the end of the message would read the rest as commands.
    if (!isContentUnread && !source.readableEnded) this.#client.close()
    // With PIPELINING, a server that has refused MAIL also replies to RCPT, and only repeats the refusal.
    const rejections = isSenderRefused ? [] : (envelope.rejectedErrors ?? [])
    const rejected = new Map(rejections.map((error) => [error.recipient, replyForError(error)]))
    return {
      replies: new Map(addresses.map((address) => [address, rejected.get(address) ?? answer])),
      isNotBegun: isContentUnread && (isSenderRefused || (isConnectionLost && this.#received.octets === 0)),
      unanswered: isUnanswered ? addresses.filter((address) => !rejected.has(address)) : [],
    }
  }

  get isIdle(): boolean {
    const client = this.#client as unknown as ClientInternals
    const hasNoPendingReply = client._responseQueue.length === 0 && client._remainder === ''
    return !this.#isQuitting && !this.#client.destroyed && this.#client._socket !== false && hasNoPendingReply
  }

  /** Resets an unfinished transaction with RSET (RFC 5321 §4.1.1.5). @returns whether another transaction may begin */
  async prepareForNext(): Promise<boolean> {
    if (!this.isIdle) return false
    if (!this.#hasOpenTransaction) return true
    // The whole reply has this time: a server that sends a line now and then must not occupy the attempt.
    const timer = setTimeout(() => this.#destroy(), quitTimeoutMs)
    const answered = await new Promise<boolean>((resolve) => {
      this.#client.once('end', () => resolve(false))
      this.#rewriteCommand = (command) => allowOnlyReset(command)
      this.#client.reset((error) => resolve(!error))
      this.#rewriteCommand = null
    })
    clearTimeout(timer)
    this.#hasOpenTransaction = !answered
    return answered && this.isIdle
  }

  quit(): void {
    if (this.#client.destroyed || this.#isQuitting) return
    this.#isQuitting = true
    // While the gate is open, this may be the data phase, where a command would become part of the message.
    if (this.#rewriteCommand !== null) this.#destroy()
    else {
      this.#setIdleTimeout(quitTimeoutMs)
      this.#client.quit()
    }
  }

  get closed(): Promise<void> {
    if (this.#client.destroyed) return Promise.resolve()
    return new Promise((resolve) => this.#client.once('end', () => resolve()))
  }

  #destroy(): void {
    const socket = this.#client._socket
    if (socket) socket.destroy()
  }

  /** @param milliseconds without data until the connection times out; 0 for no limit */
  #setIdleTimeout(milliseconds: number): void {
    const socket = this.#client._socket
    if (socket) socket.setTimeout(milliseconds)
  }

  /** Sends the envelope and the message, and resolves with the reply to the message or the failure. */
  #sendMessage(
    envelope: { from: string; to: string[] },
    source: Readable,
    isTimedOut: () => boolean,
  ): Promise<SendResult> {
    const sendMessage = (resolve: (result: SendResult) => void) => {
      this.#client.send(envelope, source, (error, info) => {
        if (!error)
          return resolve({
            reply: parseReply(info?.response ?? '') ?? reply(250, '2.0.0', 'OK'),
            isSenderRefused: false,
            isConnectionLost: false,
            isUnanswered: false,
          })
        const failure = error as SmtpError
        resolve({
          reply: failureReply(failure, source.readableEnded, isTimedOut()),
          isSenderRefused: failure.command === 'MAIL FROM',
          isConnectionLost: !failure.response && causeOf(failure) !== 'ETIMEDOUT' && !isTimedOut(),
          isUnanswered: !failure.response && source.readableEnded,
        })
      })
    }
    return this.#resolveUnlessEnded(sendMessage, () => ({
      reply: failureReply(connectionEnded, source.readableEnded, isTimedOut()),
      isSenderRefused: false,
      isConnectionLost: !isTimedOut(),
      isUnanswered: source.readableEnded,
    }))
  }

  #contentStream(content: Buffer, budget: AttemptBudget | undefined): Readable {
    const { data } = this.#options.timeouts
    const received = this.#received
    const chunks = function* (this: GatedConnection) {
      this.#setIdleTimeout(data)
      for (let at = 0; at < content.length; at += chunkOctets) yield content.subarray(at, at + chunkOctets)
      this.#setIdleTimeout(0)
      // The limits of received data start again for the final reply: a long reply must not cause a duplicate of an
      // accepted message.
      received.octets = received.lines = 0
      budget?.messageSent()
    }
    return Readable.from(chunks.call(this), { objectMode: false })
  }

  #installGate(): void {
    const client = this.#client as unknown as ClientInternals
    if (typeof client._sendCommand !== 'function')
      throw new Error('nodemailer is not supported: SMTPConnection has no method _sendCommand')
    const write = client._sendCommand.bind(client)
    client._sendCommand = (command) => {
      this.#lastCommand = command
      this.#reportMilestone(command)
      if (allowedBeforeTls.test(command)) return write(command)
      if (this.#rewriteCommand === null)
        throw new Error("a command of a mail transaction before the session's TLS was assessed")
      write(this.#rewriteCommand(command))
    }
  }

  /**
   * RFC 5321 §4.3.2: only 354 requests the message. A server that replies 250 to DATA, or has already sent another
   * reply, would read the message as commands.
   */
  #requireContinuation(): void {
    const client = this.#client as unknown as ClientInternals
    if (typeof client._actionDATA !== 'function')
      throw new Error('nodemailer is not supported: SMTPConnection has no method _actionDATA')
    const readDataReply = client._actionDATA.bind(client)
    client._actionDATA = (answer, callback) => {
      const unexpectedReply = /^2/.test(answer) ? answer : /^3/.test(answer) ? this.#unexpectedData : null
      if (unexpectedReply === null) return readDataReply(answer, callback)
      callback(unexpectedReplyError(unexpectedReply))
      this.#client.close()
    }
  }

  #reportMilestone(command: string): void {
    const { onMilestone } = this.#options
    const answer = this.#client.lastServerResponse || ''
    if (command.startsWith('EHLO')) onMilestone?.(this.#client.secure ? 'Secured' : 'Greeted', answer)
    // RFC 5321 §3.2: a server without EHLO may support HELO. The client refuses HELO while its option requireTLS is
    // set. Over TLS, the option has served its purpose.
    if (this.#client.secure) this.#client.options.requireTLS = false
    if (command === 'STARTTLS') onMilestone?.('StartTlsSent', answer)
  }

  #limitReceived(): void {
    const client = this.#client as unknown as ClientInternals
    if (typeof client._onData !== 'function')
      throw new Error('nodemailer is not supported: SMTPConnection has no method _onData')
    const readChunk = client._onData.bind(client)
    client._onData = (chunk) => {
      const received = this.#received
      received.octets += chunk.length
      for (let at = chunk.indexOf('\n'); at >= 0; at = chunk.indexOf('\n', at + 1)) received.lines += 1
      if (received.octets <= receiveLimits.octets && received.lines <= receiveLimits.lines)
        return readChunk(chunk)
      const socket = this.#client._socket
      if (socket) socket.destroy(Object.assign(new Error('flood'), { code: 'EPROTO' }))
    }
  }

  #classifyFailure(error: SmtpError): EstablishResult {
    if (isAborted(this.#options)) return { kind: 'Failed', reply: timedOutReply }
    const tls = this.#classifyTlsFailure(error)
    return tls ? { kind: 'TlsFailed', tls } : { kind: 'Failed', reply: replyForError(error) }
  }

  #classifyTlsFailure(error: SmtpError): ServerTls | null {
    if (this.#startTls === 'Never') return null
    const { upgrading, secure } = this.#client
    // In TLS 1.3 a server that requires a certificate sends its alert after the client has finished the handshake.
    if (upgrading || (secure && causeOf(error).startsWith('ERR_SSL')))
      return { kind: 'HandshakeFailed', cause: causeOf(error) }
    const isStartTlsRefused = this.#lastCommand === 'STARTTLS'
    const isEhloRefused = error.command === 'EHLO' && error.response?.startsWith('5')
    return isStartTlsRefused || isEhloRefused
      ? { kind: 'NotOffered', serverReply: error.response ?? causeOf(error) }
      : null
  }
}

/**
 * The trust anchors of the handshake: those of the enforced requirement, if it needs a chain. Otherwise those of a
 * report-only requirement that needs a chain, preferably one with the public roots: assess-server-tls.ts can verify a
 * chain to other anchors later, but not to the public roots.
 */
function trustAnchorsFor({ enforced, reportOnly = [] }: SessionOptions): readonly string[] {
  if (requiresChain(enforced)) return enforced.certificateAuthorities
  const chainRequirements = reportOnly.map(({ requirement }) => requirement).filter(requiresChain)
  const selected =
    chainRequirements.find(({ certificateAuthorities }) => certificateAuthorities.length === 0) ??
    chainRequirements[0]
  return (selected ?? enforced).certificateAuthorities
}

/** RFC 5321 §6.1: the client cannot find out whether a message without its final reply was accepted. */
function failureReply(error: SmtpError, isMessageSent: boolean, isTimedOut: boolean): Reply {
  const answer = isTimedOut && !error.response ? timedOutReply : replyForError(error)
  if (error.response || !isMessageSent) return answer
  return { ...answer, text: `${answer.text}, after the message and before its reply: it may arrive twice` }
}

const connectionEnded: SmtpError = Object.assign(new Error('ended'), { code: 'ECONNRESET' })

/**
 * The error for a reply that arrived before its command, and for a 2yz reply to DATA. If the reply is 4yz or 5yz, it is
 * also the reply of the attempt.
 */
const unexpectedReplyError = (response: string): SmtpError =>
  Object.assign(new Error('out of turn'), { code: 'EPROTOCOL', response })

const chunkOctets = 65_536

function allowOnlyReset(command: string): string {
  if (command !== 'RSET') throw new Error('a command of a mail transaction instead of RSET')
  return command
}
