/**
 * Server side of an SMTP session (RFC 5321), without sockets and clocks: octets in, replies and requests out. The
 * attacks: octets that another server reads differently, such as commands within a message; commands that are injected
 * before a TLS handshake; endless sessions. The defence: a command ends at CRLF and a message at CRLF.CRLF only. A
 * handshake discards all earlier octets and state. Errors, idle commands and waiting octets are limited.
 */
import type { Reply } from '../../../shared/contract/message.ts'
import { comparableMailbox } from '../../../shared/mail/address.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import type { Refusal } from '../replies.ts'
import {
  cannotVerify,
  dataBefore354,
  dataFollows,
  flushed,
  helpText,
  httpRequest,
  idleSessionEnded,
  internalErrorClosing,
  needsGreeting,
  needsMail,
  needsRecipient,
  needsSmtpUtf8,
  nestedMail,
  noopDone,
  quitReply,
  readyForTls,
  recipientAccepted,
  requiresTls,
  shuttingDown,
  spokeBeforeGreeting,
  timedOut,
  tlsAlreadyActive,
  tlsWithoutStartTls,
  tooManyCommands,
  tooManyErrors,
  tooManyRecipients,
} from '../replies.ts'
import { Backlog } from './backlog.ts'
import { type Command, type MailCommand, parseCommand, type RecipientCommand } from './command.ts'
import { DataReader, type DataReaderOptions } from './data-reader.ts'
import { LineReader } from './line-reader.ts'
import type { MessageSink } from './message-sink.ts'

/** The functions that a session needs from its connection. */
export interface SessionTransport {
  write(text: string): void
  /** The client's next octets begin a TLS handshake. */
  startTls(): void
  /** Stops reading, and closes the connection when everything is written. */
  end(): void
  pauseReading(): void
  resumeReading(): void
}

export interface ClientGreeting {
  name: string
  /** EHLO instead of HELO. */
  isEsmtp: boolean
}

export interface Transaction {
  greeting: ClientGreeting
  mail: MailCommand
  /** In order of arrival, each mailbox once. */
  recipients: readonly RecipientCommand['recipient'][]
}

/** Decides what the protocol leaves open. A reply code below 300 accepts the command; 421 ends the session. */
export interface SessionPolicy {
  mail(mail: MailCommand): Reply | Promise<Reply>
  recipient(recipient: RecipientCommand, mail: MailCommand): Reply | Promise<Reply>
  data(transaction: Transaction): MessageSink | Reply
  /** Records a refusal that the session decided without the policy. */
  recordRefusal(refusal: Refusal): void
  /** Records an internal error that ends the session. */
  recordError(error: unknown): void
}

export interface SessionOptions extends DataReaderOptions {
  hostname: string
  maxMessageOctets: number
  maxRecipients: number
  /** Maximum of replies 4yz and 5yz since the last accepted message. */
  maxErrors: number
  /** Maximum of commands since the last accepted message that do not advance a transaction. */
  maxIdleCommands: number
}

const lineFeed = 10

/** What the session waits for. In `Deciding` it waits for the policy or for the message sink, not for the client. */
export type Phase = 'Greeting' | 'Command' | 'Data' | 'Handshake' | 'Deciding' | 'Ended'

interface DataPhase {
  sink: MessageSink
  reader: DataReader
}

type State =
  | { phase: Exclude<Phase, 'Data' | 'Deciding'> }
  | { phase: 'Data'; message: DataPhase }
  | {
      phase: 'Deciding'
      /** The message whose reply or sink the session waits for; null while a command is decided. */
      message: DataPhase | null
      /** True while the sink has no room. Reading stops until there is room; then the message continues. */
      needsRoom: boolean
    }

interface OpenTransaction {
  mail: MailCommand
  /** Keys are mailboxes. */
  recipients: Map<string, RecipientCommand['recipient']>
}

/**
 * A reply; the text of a reply without an enhanced status code; or a refusal. Null when there is nothing to send now.
 */
type CommandOutcome = Reply | Refusal | string | null

export class Session {
  readonly #options: SessionOptions
  readonly #transport: SessionTransport
  readonly #policy: SessionPolicy
  #state: State = { phase: 'Greeting' }
  #isSecure = false
  #isDraining = false
  #isInputEnded = false
  #greeting: ClientGreeting | null = null
  #clientName = ''
  #transaction: OpenTransaction | null = null
  readonly #progress = { steps: 0, messages: 0, messageOctets: 0, acceptedMessages: 0 }
  /** Counts since the last accepted message. */
  #sinceAcceptedMessage = { errors: 0, idleCommands: 0 }
  readonly #lineReader = new LineReader()
  readonly #backlog = new Backlog()
  #isReadingPaused = false
  #pendingReplies = ''

  constructor(options: SessionOptions, transport: SessionTransport, policy: SessionPolicy) {
    this.#options = options
    this.#transport = transport
    this.#policy = policy
  }

  get phase(): Phase {
    return this.#state.phase
  }

  /** Grows with every step of the client: a line, octets of a message, a handshake. */
  get steps(): number {
    return this.#progress.steps
  }

  /** Number of messages begun. */
  get messages(): number {
    return this.#progress.messages
  }

  /** Octets of the latest message so far. */
  get messageOctets(): number {
    return this.#progress.messageOctets
  }

  get acceptedMessages(): number {
    return this.#progress.acceptedMessages
  }

  /** The client's name in its last EHLO or HELO, also after STARTTLS; '' before the first. */
  get clientName(): string {
    return this.#clientName
  }

  /** Whether a transaction with an accepted recipient is open. */
  get hasRecipient(): boolean {
    return this.#transaction !== null && this.#transaction.recipients.size > 0
  }

  get isSecure(): boolean {
    return this.#isSecure
  }

  /** Sends the greeting, or the refusal in its place. */
  sendGreeting(refusal: Refusal | null = null): void {
    if (this.phase !== 'Greeting') return
    this.#state = { phase: 'Command' }
    this.#applyOutcome(refusal ?? (this.#isDraining ? shuttingDown : `220 ${this.#options.hostname} ESMTP`))
    this.#flush()
  }

  receive(octets: Buffer): void {
    const { phase } = this.#state
    if (phase === 'Ended' || phase === 'Handshake') return
    try {
      if (phase === 'Greeting') this.#applyOutcome(spokeBeforeGreeting)
      else if (phase === 'Deciding') this.#addToBacklog(octets)
      else this.#process(octets)
      this.#flush()
    } catch (error) {
      this.#handleError(error)
    }
  }

  /** The client has closed its side. Earlier commands still get their replies (RFC 5321 §4.1.1.10). */
  endInput(): void {
    this.#isInputEnded = true
    if (this.phase !== 'Deciding') this.#closeConnection()
  }

  /** The handshake is complete. STARTTLS has discarded all earlier state (RFC 3207 §4.2). */
  finishHandshake(refusal: Refusal | null = null): void {
    if (this.phase !== 'Handshake') return
    this.#isSecure = true
    this.#progress.steps++
    this.#state = { phase: 'Command' }
    if (refusal !== null) this.#endWithOutcome(refusal)
    else if (this.#isDraining) this.#endWithOutcome(shuttingDown)
  }

  /** The client was silent or too slow. */
  timeOut(): void {
    this.#endWithOutcome(timedOut)
  }

  /** The task has few free sessions, and another client needs this one. */
  endAsIdle(): void {
    this.#endWithOutcome(idleSessionEnded)
  }

  /** The server shuts down: the client gets 421 as soon as none of its messages is in flight (RFC 5321 §3.8). */
  drain(): void {
    this.#isDraining = true
    if (this.phase === 'Command') this.#endWithOutcome(shuttingDown)
  }

  /** The connection is closed. */
  close(): void {
    const message = 'message' in this.#state ? this.#state.message : null
    this.#state = { phase: 'Ended' }
    this.#transaction = null
    message?.sink.abandon()
    this.#lineReader.clear()
    this.#backlog.clear()
  }

  #closeConnection(): void {
    if (this.phase === 'Ended') return
    this.close()
    this.#transport.end()
  }

  /** After an exception the position in a line or message is unknown, so nothing more is read. */
  #handleError(error: unknown): void {
    this.#policy.recordError(error)
    this.#endWithOutcome(internalErrorClosing)
  }

  #endWithOutcome(outcome: Reply | Refusal): void {
    if (this.phase === 'Ended') return
    this.#applyOutcome(outcome)
    this.#flush()
  }

  #addToBacklog(octets: Buffer): void {
    this.#backlog.add(octets)
    this.#updateBackpressure()
  }

  #process(octets: Buffer): void {
    let at = 0
    while (at < octets.length) {
      const state = this.#state
      if (state.phase === 'Command') at = this.#readLine(octets, at)
      else if (state.phase === 'Data') at = this.#readData(state.message, octets, at)
      else break
    }
    if (at < octets.length && this.phase === 'Deciding') this.#addToBacklog(octets.subarray(at))
  }

  /** Processes the octets that arrived in the phase `Deciding`. */
  #continue(): void {
    this.#process(this.#backlog.take())
    if (this.#isDraining && this.phase === 'Command') this.#endWithReply(shuttingDown)
    this.#updateBackpressure()
    this.#flush()
    if (this.#isInputEnded && this.phase !== 'Deciding') this.#closeConnection()
  }

  /** Pauses reading while the backlog is full or the message needs room, and resumes reading afterwards. */
  #updateBackpressure(): void {
    const isFull = this.#backlog.isFull || (this.#state.phase === 'Deciding' && this.#state.needsRoom)
    if (isFull === this.#isReadingPaused) return
    this.#isReadingPaused = isFull
    if (isFull) this.#transport.pauseReading()
    else this.#transport.resumeReading()
  }

  #readLine(octets: Buffer, from: number): number {
    const end = octets.indexOf(lineFeed, from)
    if (end < 0) {
      this.#applyOutcome(this.#lineReader.addPart(octets.subarray(from)))
      return octets.length
    }
    const line = this.#lineReader.completeLine(octets.subarray(from, end + 1))
    this.#progress.steps++
    const command = line instanceof Uint8Array ? parseCommand(line) : line
    this.#applyOutcome('verb' in command ? this.#execute(command, octets.length > end + 1) : command)
    return end + 1
  }

  /** @param isPipelined more octets were read after the command */
  #execute(command: Command, isPipelined: boolean): CommandOutcome {
    switch (command.verb) {
      case 'MAIL':
        return this.#startMail(command)
      case 'RCPT':
        return this.#addRecipient(command)
      case 'DATA':
        return this.#startData(isPipelined)
      case 'EHLO':
      case 'HELO':
        return this.#handleHello({ name: command.name, isEsmtp: command.verb === 'EHLO' })
      case 'STARTTLS':
        return this.#startTls()
      case 'QUIT':
        return quitReply
      case 'RSET':
        this.#transaction = null
        return this.#countIdle(flushed)
      case 'NOOP':
        return this.#countIdle(noopDone)
      case 'VRFY':
        return this.#countIdle(cannotVerify)
      case 'HELP':
        return this.#countIdle(helpText)
      case 'HTTP':
        return httpRequest
      case 'TLS':
        return tlsWithoutStartTls
    }
  }

  #handleHello(greeting: ClientGreeting): CommandOutcome {
    this.#transaction = null
    this.#greeting = greeting
    this.#clientName = greeting.name
    const { hostname, maxMessageOctets } = this.#options
    if (!greeting.isEsmtp) return this.#countIdle(`250 ${hostname}`)
    const keywords = [hostname, 'PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'DSN']
    keywords.push(this.#isSecure ? 'REQUIRETLS' : 'STARTTLS')
    return this.#countIdle(`250-${keywords.join('\r\n250-')}\r\n250 SIZE ${maxMessageOctets}`)
  }

  #startTls(): CommandOutcome {
    if (this.#isSecure) return tlsAlreadyActive
    this.#transaction = null
    this.#greeting = null
    this.#backlog.clear()
    this.#state = { phase: 'Handshake' }
    this.#queueText(formatReply(readyForTls))
    this.#flush()
    this.#transport.startTls()
    return null
  }

  #startMail(mail: MailCommand): CommandOutcome {
    if (this.#greeting === null) return needsGreeting
    if (this.#transaction !== null) return nestedMail
    if (mail.envelope.requireTls && !this.#isSecure) return requiresTls
    return this.#applyDecision(this.#policy.mail(mail), ({ code }) => {
      if (code >= 300) return
      this.#transaction = { mail, recipients: new Map() }
      this.#progress.messageOctets = 0
    })
  }

  #addRecipient(command: RecipientCommand): CommandOutcome {
    if (this.#transaction === null) return needsMail
    const { mail, recipients } = this.#transaction
    if (command.needsSmtpUtf8 && !mail.envelope.smtpUtf8) return needsSmtpUtf8
    const mailbox = comparableMailbox(command.recipient.address)
    if (recipients.has(mailbox)) {
      recipients.set(mailbox, command.recipient)
      return recipientAccepted
    }
    if (recipients.size >= this.#options.maxRecipients) return tooManyRecipients
    return this.#applyDecision(this.#policy.recipient(command, mail), ({ code }) => {
      if (code < 300) recipients.set(mailbox, command.recipient)
    })
  }

  /**
   * RFC 2920 §3.1: DATA must be the last command of a pipelined group. Octets after DATA are a message whose client did
   * not wait for the 354. If DATA were refused, the session would read that message as commands.
   */
  #startData(isPipelined: boolean): CommandOutcome {
    if (isPipelined) return dataBefore354
    const greeting = this.#greeting
    if (this.#transaction === null || greeting === null) return needsMail
    const { mail, recipients } = this.#transaction
    if (recipients.size === 0) return needsRecipient
    const sink = this.#policy.data({ greeting, mail, recipients: [...recipients.values()] })
    if ('code' in sink) return sink
    this.#progress.messages++
    this.#progress.messageOctets = 0
    this.#state = { phase: 'Data', message: { sink, reader: new DataReader(this.#options) } }
    return dataFollows
  }

  #readData(message: DataPhase, octets: Buffer, from: number): number {
    const { sink, reader } = message
    let pending: Promise<void> | undefined
    const end = reader.read(octets, from, (content) => {
      pending = sink.write(content) ?? pending
    })
    this.#progress.steps++
    this.#progress.messageOctets += (end < 0 ? octets.length : end) - from
    if (sink.earlyRefusal !== null) {
      this.#policy.recordRefusal(sink.earlyRefusal)
      this.#endWithReply(sink.earlyRefusal.reply)
      return octets.length
    }
    if (end < 0) {
      if (pending !== undefined) this.#waitForRoom(message, pending)
      return octets.length
    }
    this.#awaitDecision(sink.end(reader.fault), message, ({ code }) => {
      this.#transaction = null
      if (code >= 300) return
      this.#progress.acceptedMessages++
      this.#sinceAcceptedMessage = { errors: 0, idleCommands: 0 }
    })
    return end
  }

  #waitForRoom(message: DataPhase, room: Promise<void>): void {
    const waitingState: State = { phase: 'Deciding', message, needsRoom: true }
    this.#state = waitingState
    this.#updateBackpressure()
    room
      .then(() => {
        if (this.#state !== waitingState) return
        this.#state = { phase: 'Data', message }
        this.#continue()
      })
      .catch((error) => this.#handleError(error))
  }

  /** @returns the reply if it is known immediately, so that pipelined replies are sent together */
  #applyDecision(reply: Reply | Promise<Reply>, apply: (reply: Reply) => void): CommandOutcome {
    if (reply instanceof Promise) {
      this.#awaitDecision(reply, null, apply)
      return null
    }
    apply(reply)
    return reply
  }

  #awaitDecision(reply: Promise<Reply>, message: DataPhase | null, apply: (reply: Reply) => void): void {
    const decidingState: State = { phase: 'Deciding', message, needsRoom: false }
    this.#state = decidingState
    reply
      .then((reply) => {
        if (this.#state !== decidingState) return
        this.#state = { phase: 'Command' }
        apply(reply)
        this.#applyOutcome(reply)
        this.#continue()
      })
      .catch((error) => this.#handleError(error))
  }

  /** Counts a command that does not advance a transaction. */
  #countIdle(reply: Reply | string): CommandOutcome {
    return ++this.#sinceAcceptedMessage.idleCommands > this.#options.maxIdleCommands ? tooManyCommands : reply
  }

  #applyOutcome(outcome: CommandOutcome): void {
    if (outcome === null) return
    if (typeof outcome === 'string') this.#queueText(outcome)
    else if ('code' in outcome) this.#sendReply(outcome)
    else {
      this.#policy.recordRefusal(outcome)
      this.#sendReply(outcome.reply)
    }
  }

  #sendReply(reply: Reply): void {
    if (reply.code === 421 || reply.code === 221) {
      this.#endWithReply(reply)
      return
    }
    this.#queueText(formatReply(reply))
    if (reply.code >= 400 && ++this.#sinceAcceptedMessage.errors >= this.#options.maxErrors)
      this.#applyOutcome(tooManyErrors)
  }

  #endWithReply(reply: Reply): void {
    this.#queueText(formatReply(reply))
    this.#flush()
    this.close()
    this.#transport.end()
  }

  #queueText(text: string): void {
    this.#pendingReplies += `${text}\r\n`
  }

  /** Replies to commands that arrived together are sent together (RFC 2920 §3.2); under TLS, in one record. */
  #flush(): void {
    if (this.#pendingReplies === '') return
    const replies = this.#pendingReplies
    this.#pendingReplies = ''
    this.#transport.write(replies)
  }
}
