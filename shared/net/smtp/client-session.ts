/**
 * The client side of an SMTP session, without sockets and clocks: octets in, octets and requests out. The attack: an
 * active attacker obtains an octet, in the clear, of mail for which TLS is forced. The defence is a type: without a
 * `TlsClearance`, this class writes EHLO, HELO, STARTTLS and QUIT only, and only the assessment of the session's TLS
 * (tls-clearance.ts) creates a clearance. A TLS handshake discards the octets that were received before (RFC 3207 §6). A
 * reply without a command ends the session: the client would take it as the reply to its next command. Not covered: a
 * server that sends such a reply while the reply to a command is expected.
 */
import type { SmtpFault } from '../smtp-faults.ts'
import { ReplyReader, type ServerReply } from './reply-reader.ts'
import type { TlsClearance } from './tls-clearance.ts'

/** What the client waits for. Each has a time limit, except `FinalReply`. `ShortReply`: the reply to RSET or QUIT. */
export type Wait = 'Greeting' | 'Handshake' | 'Reply' | 'Drain' | 'FinalReply' | 'ShortReply'

/** The functions that a session needs from its connection. */
export interface ClientTransport {
  /** @returns whether the client may write more at once; if not, `drained` is called */
  write(octets: string | Buffer): boolean
  /** The server's next octets begin a TLS handshake. */
  startTls(): void
  /** Closes the connection when everything is written. */
  end(): void
  destroy(): void
  /** Calls `timeOut` unless another wait begins within the limit. Null: nothing is expected. */
  startWait(wait: Wait | null): void
}

/** The part of the session that expects replies now. */
export interface ReplyHandler {
  /** A reply to the oldest command that has none. The handler must not write now, but may start TLS. */
  reply(reply: ServerReply): void
  /** All received octets are read. Now the handler may write. */
  step(): void
  /** The session has failed, and writes nothing more. */
  fault(fault: SmtpFault): void
  /** The transport may be written to again. */
  drained?(): void
  /** The TLS handshake is complete. */
  handshakeDone?(): void
}

/** The commands that are permitted before the session's TLS was assessed. */
export type OpeningCommand = `EHLO ${string}` | `HELO ${string}` | 'STARTTLS' | 'QUIT'

const openingCommand = /^(?:(?:EHLO|HELO) [^\r\n]+|STARTTLS|QUIT)$/

export class ClientSession {
  readonly #transport: ClientTransport
  readonly #reader = new ReplyReader()
  #handler: ReplyHandler | null = null
  /** Number of commands without a reply. */
  #expectedReplies = 0
  #unexpectedReply: ServerReply | null = null
  #fault: SmtpFault | null = null
  #isInHandshake = false
  #isSecure = false
  #wait: Wait | null = null

  constructor(transport: ClientTransport) {
    this.#transport = transport
  }

  get isSecure(): boolean {
    return this.#isSecure
  }

  /**
   * Why no command can be sent: the connection has ended, or the server has sent a reply, or a part of one, without a
   * command.
   */
  get unusableReason(): SmtpFault | null {
    if (this.#fault) return this.#fault
    const partialReply = this.#expectedReplies === 0 ? this.#reader.partialReply : ''
    const response = this.#unexpectedReply?.text ?? partialReply
    return response === '' ? null : { kind: 'UnexpectedReply', response }
  }

  /** Whether commands can be sent, and all earlier ones have their replies. */
  get isIdle(): boolean {
    return this.unusableReason === null && this.#handler === null && this.#expectedReplies === 0
  }

  /** Octets received since `restartLimits`. */
  get receivedOctets(): number {
    return this.#reader.receivedOctets
  }

  /** The limits of received octets begin again, for a message or for the reply to it. */
  restartLimits(): void {
    this.#reader.restartLimits()
  }

  /** @throws Error when another handler has not ended */
  begin(handler: ReplyHandler): void {
    if (this.#handler !== null) throw new Error('the session has a handler already')
    this.#handler = handler
    if (this.#fault) this.#endHandler(this.#fault)
  }

  /** The handler expects no more replies. */
  finish(): void {
    this.#handler = null
    this.startWait(null)
  }

  expectGreeting(): void {
    this.#expectedReplies++
    this.startWait('Greeting')
  }

  /** @throws Error when the text is another command, or contains a line end */
  writeOpening(command: OpeningCommand): void {
    if (!openingCommand.test(command)) throw new Error('not a command that may open a session')
    this.#writeCommands(`${command}\r\n`, 1)
    this.startWait(command === 'QUIT' ? 'ShortReply' : 'Reply')
  }

  /**
   * Writes commands of a mail transaction, and after BDAT content. In a session that cannot be used, fails instead.
   * @param replies number of replies that the octets cause
   * @returns whether the client may write more at once
   * @throws Error when the clearance is for another session
   */
  write(clearance: TlsClearance, octets: string | Buffer, replies: number): boolean {
    if (!clearance.covers(this)) throw new Error('a clearance of another session')
    return replies > 0 ? this.#writeCommands(octets, replies) : this.#write(octets, replies)
  }

  /** Like `write`, for content after DATA. A part of a reply may have arrived: the server may refuse the content early. */
  writeContent(clearance: TlsClearance, octets: string | Buffer, replies: number): boolean {
    if (!clearance.covers(this)) throw new Error('a clearance of another session')
    return this.#write(octets, replies)
  }

  startWait(wait: Wait | null): void {
    if (this.#fault) return
    this.#wait = wait
    this.#transport.startWait(wait)
  }

  startTls(): void {
    this.#isInHandshake = true
    this.#reader.clear()
    this.startWait('Handshake')
    this.#transport.startTls()
  }

  /** The TLS handshake is complete. */
  finishHandshake(): void {
    if (!this.#isInHandshake || this.#fault) return
    this.#isInHandshake = false
    this.#isSecure = true
    this.#handler?.handshakeDone?.()
  }

  receive(octets: Buffer): void {
    if (this.#fault || this.#isInHandshake) return
    const replies = this.#reader.read(octets)
    if (replies === null) this.destroy({ kind: 'Ended', cause: 'EPROTO' })
    else this.#takeReplies(replies)
  }

  drained(): void {
    if (!this.#fault) this.#handler?.drained?.()
  }

  timeOut(): void {
    this.destroy({ kind: 'Ended', cause: 'ETIMEDOUT' })
  }

  /** The connection has ended. @param cause error code of the system or of OpenSSL */
  connectionEnded(cause: string): void {
    this.#fail({ kind: 'Ended', cause })
  }

  /** Ends the connection at once. */
  destroy(fault: SmtpFault): void {
    this.#transport.destroy()
    this.#fail(fault)
  }

  #takeReplies(replies: readonly ServerReply[]): void {
    for (const reply of replies) {
      this.#takeReply(reply)
      if (this.#isInHandshake) return
    }
    // A part of a reply may be the begin of a refusal of the content: its end is awaited.
    if (replies.length === 0 || !this.#handler) return
    const { unusableReason } = this
    if (unusableReason) {
      this.destroy(unusableReason)
      return
    }
    if (this.#wait === 'Reply' && this.#expectedReplies > 0) this.startWait('Reply')
    this.#handler.step()
  }

  #takeReply(reply: ServerReply): void {
    if (this.#expectedReplies === 0 || this.#unexpectedReply) this.#unexpectedReply ??= reply
    else {
      this.#expectedReplies--
      this.#handler?.reply(reply)
    }
  }

  /** A command must not follow octets that the client would read as the reply to it. */
  #writeCommands(octets: string | Buffer, replies: number): boolean {
    const { unusableReason } = this
    if (unusableReason) this.destroy(unusableReason)
    return this.#write(octets, replies)
  }

  /** Writes nothing in a session that has failed. */
  #write(octets: string | Buffer, replies: number): boolean {
    if (this.#fault) return false
    this.#expectedReplies += replies
    return this.#transport.write(octets)
  }

  #fail(fault: SmtpFault): void {
    if (this.#fault) return
    this.#fault = fault
    this.#transport.startWait(null)
    this.#endHandler(fault)
  }

  #endHandler(fault: SmtpFault): void {
    const handler = this.#handler
    this.#handler = null
    handler?.fault(fault)
  }
}
