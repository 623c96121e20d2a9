/**
 * Server side of an SMTP session (RFC 5321), without sockets and clocks: octets in, replies and requests out. The
 * attacks: octets that another server reads differently, such as commands within a message; commands that are injected
 * before a TLS handshake; endless sessions. The defence: a command ends at CRLF and a message at CRLF.CRLF only. The
 * octets of a chunk (RFC 3030) are never read as commands, also if BDAT is refused. A handshake discards all earlier
 * octets and state. Errors, idle commands, chunks and waiting octets are limited.
 */
import type { Reply } from '../../../shared/contract/message.ts'
import { comparableMailbox } from '../../../shared/mail/address.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import type { RefusalContext, SessionStage } from '../rejections/rejection.ts'
import type { Refusal } from '../replies.ts'
import {
  cannotVerify,
  chunkFailed,
  chunkReceived,
  chunksBegun,
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
  tooLarge,
  tooManyChunks,
  tooManyCommands,
  tooManyErrors,
  tooManyRecipients,
} from '../replies.ts'
import { Backlog } from './backlog.ts'
import {
  type ChunkCommand,
  type Command,
  type MailCommand,
  parseCommand,
  type RecipientCommand,
} from './command.ts'
import { DataReader, type DataReaderOptions } from './data-reader.ts'
import { LineReader } from './line-reader.ts'
import { type MessageSink, maxDiscardedOctets } from './message-sink.ts'
import { OpenMessage } from './open-message.ts'
import type { EnvelopeSyntax } from './path.ts'

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
  mail(mail: MailCommand, greeting: ClientGreeting): Reply | Promise<Reply>
  recipient(recipient: RecipientCommand, mail: MailCommand): Reply | Promise<Reply>
  data(transaction: Transaction): MessageSink | Reply
  /**
   * Records a refusal that the session decided without the policy.
   * @param clientName the client's name in its last EHLO or HELO; '' before the first
   */
  recordRefusal(refusal: Refusal, context: RefusalContext, clientName: string): void
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
  envelopeSyntax: EnvelopeSyntax
}

const lineFeed = 10

const stages: Partial<Record<Command['verb'], SessionStage>> = {
  EHLO: 'Hello',
  HELO: 'Hello',
  STARTTLS: 'StartTls',
  MAIL: 'Mail',
  RCPT: 'Rcpt',
  DATA: 'Data',
  BDAT: 'Data',
}
/** The stages of commands whose address cannot be parsed, by enhanced status code (RFC 3463 §3.2). */
const addressStages: Readonly<Record<string, SessionStage>> = { '5.1.7': 'Mail', '5.1.3': 'Rcpt' }

/**
 * What the session waits for. In `Deciding` it waits for the policy or for the message sink, not for the client. `Data`
 * includes the time between two chunks of a message.
 */
export type Phase = 'Greeting' | 'Command' | 'Data' | 'Handshake' | 'Deciding' | 'Ended'

/** A chunk of which octets are missing. */
interface OpenChunk {
  size: number
  missingOctets: number
  isLast: boolean
  /** The reply after the last octet of a refused chunk; null for a chunk of the message. */
  refusal: Reply | Refusal | null
}

type State =
  | { phase: Exclude<Phase, 'Deciding'> }
  | { phase: 'Chunk'; chunk: OpenChunk }
  | {
      phase: 'Deciding'
      /** True while the sink has no room. Reading stops until there is room; then the message continues. */
      needsRoom: boolean
    }

interface OpenTransaction {
  mail: MailCommand
  /** Keys are mailboxes. */
  recipients: Map<string, RecipientCommand['recipient']>
  /** A BDAT was refused. A later one must not continue the message, which lacks the refused chunk. */
  hasFailedChunk: boolean
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
  #stage: SessionStage = 'Connect'
  /** The last command; null when it could not be parsed. */
  #command: Command | null = null
  #transaction: OpenTransaction | null = null
  #message: OpenMessage | null = null
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
    const { phase } = this.#state
    return phase === 'Chunk' || (phase === 'Command' && this.#message !== null) ? 'Data' : phase
  }

  /** Grows with every step of the client: a line, octets of a message, a handshake. */
  get steps(): number {
    return this.#progress.steps
  }

  /** Number of messages begun, and of BDAT commands refused without a message. */
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
      this.#endIfDrained()
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
    this.#state = { phase: 'Ended' }
    this.#dropTransaction()
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
      else if (state.phase === 'Data') at = this.#readData(octets, at)
      else if (state.phase === 'Chunk') at = this.#readChunk(state.chunk, octets, at)
      else break
    }
    if (at < octets.length && this.phase === 'Deciding') this.#addToBacklog(octets.subarray(at))
  }

  /** Processes the octets that arrived in the phase `Deciding`. */
  #continue(): void {
    this.#process(this.#backlog.take())
    this.#endIfDrained()
    this.#updateBackpressure()
    this.#flush()
    if (this.#isInputEnded && this.phase !== 'Deciding') this.#closeConnection()
  }

  #endIfDrained(): void {
    if (this.#isDraining && this.phase === 'Command') this.#endWithReply(shuttingDown)
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
    const command = line instanceof Uint8Array ? parseCommand(line, this.#options.envelopeSyntax) : line
    if ('verb' in command) {
      this.#command = command
      this.#stage = stages[command.verb] ?? this.#stage
      this.#applyOutcome(this.#execute(command, octets.length > end + 1))
    } else {
      this.#command = null
      this.#stage = addressStages[command.reply.enhanced] ?? this.#stage
      this.#applyOutcome(command)
    }
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
      case 'BDAT':
        return this.#startChunk(command)
      case 'EHLO':
      case 'HELO':
        return this.#handleHello({ name: command.name, isEsmtp: command.verb === 'EHLO' })
      case 'STARTTLS':
        return this.#startTls()
      case 'QUIT':
        return quitReply
      case 'RSET':
        this.#dropTransaction()
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
    this.#dropTransaction()
    this.#greeting = greeting
    this.#clientName = greeting.name
    const { hostname, maxMessageOctets } = this.#options
    if (!greeting.isEsmtp) return this.#countIdle(`250 ${hostname}`)
    const keywords = [
      hostname,
      'PIPELINING',
      '8BITMIME',
      'SMTPUTF8',
      'ENHANCEDSTATUSCODES',
      'DSN',
      'CHUNKING',
    ]
    keywords.push(this.#isSecure ? 'REQUIRETLS' : 'STARTTLS')
    return this.#countIdle(`250-${keywords.join('\r\n250-')}\r\n250 SIZE ${maxMessageOctets}`)
  }

  #startTls(): CommandOutcome {
    if (this.#isSecure) return tlsAlreadyActive
    this.#dropTransaction()
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
    return this.#applyDecision(this.#policy.mail(mail, this.#greeting), ({ code }) => {
      if (code >= 300) return
      this.#transaction = { mail, recipients: new Map(), hasFailedChunk: false }
      this.#progress.messageOctets = 0
    })
  }

  #addRecipient(command: RecipientCommand): CommandOutcome {
    if (this.#transaction === null) return needsMail
    const refusal = this.#refusalAfterChunk()
    if (refusal !== null) return refusal
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
    const refusal = this.#refusalAfterChunk() ?? this.#startMessage(new DataReader(this.#options))
    if (refusal !== null) return refusal
    this.#state = { phase: 'Data' }
    return dataFollows
  }

  /** RCPT and DATA cannot follow BDAT (RFC 3030 §2). */
  #refusalAfterChunk(): Refusal | null {
    if (this.#transaction?.hasFailedChunk) return chunkFailed
    return this.#message === null ? null : chunksBegun
  }

  /** @returns null, or the refusal */
  #startMessage(reader: DataReader): Reply | Refusal | null {
    const greeting = this.#greeting
    if (this.#transaction === null || greeting === null) return needsMail
    const { mail, recipients } = this.#transaction
    if (recipients.size === 0) return needsRecipient
    const sink = this.#policy.data({ greeting, mail, recipients: [...recipients.values()] })
    if ('code' in sink) return sink
    this.#countMessage()
    this.#message = new OpenMessage(sink, reader)
    return null
  }

  #readData(octets: Buffer, from: number): number {
    const { end, room } = this.#readContent(octets, from)
    if (this.#endIfRefusedEarly()) return octets.length
    if (end >= 0 && this.#message !== null) this.#endMessage(this.#message, true)
    else if (room !== null) this.#waitForRoom(room)
    return end < 0 ? octets.length : end
  }

  /**
   * RFC 3030 §2: the octets of a refused chunk are read and dropped, and the refusal follows them. If they are far more
   * than a message may have, the session ends before them.
   */
  #startChunk({ size, isLast }: ChunkCommand): CommandOutcome {
    const { maxMessageOctets } = this.#options
    const refusal = this.#admitChunk(size)
    if (this.#endIfRefusedEarly()) return null
    if (size > maxMessageOctets + maxDiscardedOctets) this.#endWithRefusal(tooLarge(maxMessageOctets))
    else if (this.#message?.hasTooManyChunks) return tooManyChunks
    else {
      const chunk: OpenChunk = { size, missingOctets: size, isLast, refusal }
      this.#state = { phase: 'Chunk', chunk }
      if (size === 0) this.#endChunk(chunk)
    }
    return null
  }

  /** @returns null, or the refusal */
  #admitChunk(size: number): Reply | Refusal | null {
    const refusal = this.#transaction?.hasFailedChunk
      ? chunkFailed
      : this.#message === null
        ? this.#startMessage(new DataReader(this.#options, 'BDAT'))
        : null
    if (this.#message === null) this.#countMessage()
    else this.#message.startChunk(size)
    return refusal
  }

  #readChunk(chunk: OpenChunk, octets: Buffer, from: number): number {
    const end = Math.min(octets.length, from + chunk.missingOctets)
    chunk.missingOctets -= end - from
    const { room } = this.#readContent(octets.subarray(0, end), from)
    if (this.#endIfRefusedEarly()) return octets.length
    if (room !== null) this.#waitForRoom(room)
    else if (chunk.missingOctets === 0) this.#endChunk(chunk)
    return end
  }

  #endChunk({ size, isLast, refusal }: OpenChunk): void {
    this.#state = { phase: 'Command' }
    if (this.#message === null) {
      this.#endTransaction(isLast)
      this.#applyOutcome(refusal)
      return
    }
    if (isLast) this.#message.finishChunks()
    if (isLast || this.#message.isRefused) this.#endMessage(this.#message, isLast)
    else this.#applyOutcome(chunkReceived(size))
  }

  /** @param isLast false when a chunk is refused before the last one: the client must send RSET (RFC 3030 §2) */
  #endTransaction(isLast: boolean): void {
    if (isLast) this.#transaction = null
    else if (this.#transaction !== null) this.#transaction.hasFailedChunk = true
  }

  /** @param isLast as for `#endTransaction` */
  #endMessage(message: OpenMessage, isLast: boolean): void {
    this.#awaitDecision(message.end(), ({ code }) => {
      this.#message = null
      this.#endTransaction(isLast)
      if (code >= 300) return
      this.#progress.acceptedMessages++
      this.#sinceAcceptedMessage = { errors: 0, idleCommands: 0 }
    })
  }

  /** Reads octets of the message, or drops octets of a refused chunk. */
  #readContent(octets: Buffer, from: number): { end: number; room: Promise<void> | null } {
    const { end, room } = this.#message?.read(octets, from) ?? { end: -1, room: null }
    this.#progress.steps++
    this.#progress.messageOctets += (end < 0 ? octets.length : end) - from
    return { end, room }
  }

  #countMessage(): void {
    this.#progress.messages++
    this.#progress.messageOctets = 0
  }

  #endIfRefusedEarly(): boolean {
    const refusal = this.#message?.earlyRefusal ?? null
    if (refusal !== null) this.#endWithRefusal(refusal)
    return refusal !== null
  }

  #endWithRefusal(refusal: Refusal): void {
    this.#recordRefusal(refusal)
    this.#endWithReply(refusal.reply)
  }

  #recordRefusal(refusal: Refusal): void {
    const command = this.#command
    const sender = command?.verb === 'MAIL' ? command : this.#transaction?.mail
    const context: RefusalContext = {
      stage: this.#stage,
      sender: sender?.envelope.mailFrom,
      recipient: command?.verb === 'RCPT' ? command.recipient.address : undefined,
    }
    this.#policy.recordRefusal(refusal, context, this.#clientName)
  }

  /** The client gives up an incomplete message, or disconnects. */
  #dropTransaction(): void {
    this.#message?.abandon()
    this.#message = null
    this.#transaction = null
  }

  #waitForRoom(room: Promise<void>): void {
    const readingState = this.#state
    const waitingState: State = { phase: 'Deciding', needsRoom: true }
    this.#state = waitingState
    this.#updateBackpressure()
    room
      .then(() => {
        if (this.#state !== waitingState) return
        this.#state = readingState
        if (readingState.phase === 'Chunk' && readingState.chunk.missingOctets === 0)
          this.#endChunk(readingState.chunk)
        this.#continue()
      })
      .catch((error) => this.#handleError(error))
  }

  /** @returns the reply if it is known immediately, so that pipelined replies are sent together */
  #applyDecision(reply: Reply | Promise<Reply>, apply: (reply: Reply) => void): CommandOutcome {
    if (reply instanceof Promise) {
      this.#awaitDecision(reply, apply)
      return null
    }
    apply(reply)
    return reply
  }

  #awaitDecision(reply: Promise<Reply>, apply: (reply: Reply) => void): void {
    const decidingState: State = { phase: 'Deciding', needsRoom: false }
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
      this.#recordRefusal(outcome)
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
