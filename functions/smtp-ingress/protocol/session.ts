/**
 * Server side of an SMTP session (RFC 5321), without sockets and clocks: octets in, replies and requests out. The
 * attack: octets with a different meaning to the next or previous server (commands within a message, commands injected
 * before a TLS handshake), and endless sessions. The defence: a command ends at CRLF and a message at CRLF.CRLF only. A
 * handshake discards all earlier octets and state. Errors, idle commands and unread octets are counted.
 */
import type { Reply } from '../../../shared/contract/message.ts'
import { mailboxOf } from '../../../shared/mail/address.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import type { Refused } from '../replies.ts'
import {
  alreadyMail,
  alreadySecure,
  cannotVerify,
  closing,
  dataFollows,
  done,
  faultOfOurs,
  flushed,
  helpText,
  needsGreeting,
  needsMail,
  needsRecipient,
  needsSmtpUtf8,
  noHttp,
  noTlsYet,
  readyForTls,
  recipientAccepted,
  requiresTls,
  shuttingDown,
  talksTooSoon,
  timedOut,
  tooManyCommands,
  tooManyErrors,
  tooManyRecipients,
  unauthorisedPipelining,
} from '../replies.ts'
import { Backlog } from './backlog.ts'
import { type Command, type MailCommand, parseCommand, type RecipientCommand } from './command.ts'
import { DataReader, type DataReaderOptions } from './data-reader.ts'
import { LineReader } from './line-reader.ts'
import type { MessageSink } from './sink.ts'

/** What a session needs from its connection. */
export interface Wire {
  write(text: string): void
  /** The client's next octets begin a TLS handshake. */
  secure(): void
  /** Stops reading, and closes the connection when everything is written. */
  end(): void
  hold(): void
  release(): void
}

export interface Greeting {
  name: string
  /** EHLO instead of HELO. */
  esmtp: boolean
}

export interface Transaction {
  greeting: Greeting
  mail: MailCommand
  /** In order of arrival, each mailbox once. */
  recipients: readonly RecipientCommand['recipient'][]
}

/** Decisions beyond the protocol. A reply below 300 accepts; 421 ends the session. */
export interface Dialogue {
  mail(mail: MailCommand): Reply | Promise<Reply>
  recipient(recipient: RecipientCommand, mail: MailCommand): Reply | Promise<Reply>
  data(transaction: Transaction): MessageSink | Reply
  /** Reports a refusal by the protocol itself. */
  refused(refused: Refused): void
  /** Reports an internal error that ends the session. */
  failed(error: unknown): void
}

export interface SessionOptions extends DataReaderOptions {
  hostname: string
  maximumSize: number
  maximumRecipients: number
  /** Replies of 4xx and 5xx since the last accepted message. */
  maximumErrors: number
  /** Commands since the last accepted message that do not advance a transaction. */
  maximumIdleCommands: number
}

const lineFeed = 10

/** What the session waits for. In `Deciding` it works itself and does not wait for the client. */
export type Phase = 'Greeting' | 'Command' | 'Data' | 'Handshake' | 'Deciding' | 'Ended'

interface IncomingMessage {
  sink: MessageSink
  reader: DataReader
}

type State =
  | { phase: Exclude<Phase, 'Data' | 'Deciding'> }
  | { phase: 'Data'; message: IncomingMessage }
  | {
      phase: 'Deciding'
      /** The message being decided, or waiting for room. */
      message: IncomingMessage | null
      /** Reading stops until there is room; then the message continues. */
      needsRoom: boolean
    }

interface OpenTransaction {
  mail: MailCommand
  /** Keys are mailboxes. */
  recipients: Map<string, RecipientCommand['recipient']>
}

/** A reply, the text of a multiline reply, or a refusal. Null when not decided yet. */
type Outcome = Reply | Refused | string | null

export class Session {
  readonly #options: SessionOptions
  readonly #wire: Wire
  readonly #dialogue: Dialogue
  #state: State = { phase: 'Greeting' }
  #isSecure = false
  #isDraining = false
  #isFinished = false
  #greeting: Greeting | null = null
  #transaction: OpenTransaction | null = null
  readonly #progress = { steps: 0, messages: 0, messageOctets: 0 }
  /** Since the last accepted message. */
  #sinceMessage = { errors: 0, idleCommands: 0 }
  readonly #lines = new LineReader()
  readonly #backlog = new Backlog()
  #isHeld = false
  #replies = ''

  constructor(options: SessionOptions, wire: Wire, dialogue: Dialogue) {
    this.#options = options
    this.#wire = wire
    this.#dialogue = dialogue
  }

  get phase(): Phase {
    return this.#state.phase
  }

  /** Grows with every step of the client: a line, octets of a message, a handshake. */
  get steps(): number {
    return this.#progress.steps
  }

  /** Messages begun. */
  get messages(): number {
    return this.#progress.messages
  }

  /** Octets of the latest message so far. */
  get messageOctets(): number {
    return this.#progress.messageOctets
  }

  get isSecure(): boolean {
    return this.#isSecure
  }

  /** Sends the greeting, or the refusal in its place. */
  greet(refused: Refused | null = null): void {
    if (this.phase !== 'Greeting') return
    this.#state = { phase: 'Command' }
    this.#conclude(refused ?? (this.#isDraining ? shuttingDown : `220 ${this.#options.hostname} ESMTP`))
    this.#flush()
  }

  receive(octets: Buffer): void {
    const { phase } = this.#state
    if (phase === 'Ended' || phase === 'Handshake') return
    try {
      if (phase === 'Greeting') this.#conclude(talksTooSoon)
      else if (phase === 'Deciding') this.#keep(octets)
      else this.#process(octets)
      this.#flush()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** The client has closed its side. Earlier commands still get their replies (RFC 5321 §4.1.1.10). */
  finish(): void {
    this.#isFinished = true
    if (this.phase !== 'Deciding') this.#hangUp()
  }

  /** The handshake is complete. STARTTLS has discarded all earlier state (RFC 3207 §4.2). */
  secured(refused: Refused | null = null): void {
    if (this.phase !== 'Handshake') return
    this.#isSecure = true
    this.#progress.steps++
    this.#state = { phase: 'Command' }
    if (refused !== null) this.#endNow(refused)
    else if (this.#isDraining) this.#endNow(shuttingDown)
  }

  /** The client has sent nothing for too long. */
  timeOut(): void {
    this.#endNow(timedOut)
  }

  /** The server shuts down: the client gets 421 as soon as none of its messages is in flight (RFC 5321 §3.8). */
  drain(): void {
    this.#isDraining = true
    if (this.phase === 'Command') this.#endNow(shuttingDown)
  }

  /** The connection is closed. */
  close(): void {
    const message = 'message' in this.#state ? this.#state.message : null
    this.#state = { phase: 'Ended' }
    this.#transaction = null
    message?.sink.abandon()
    this.#lines.clear()
    this.#backlog.drop()
  }

  #hangUp(): void {
    if (this.phase === 'Ended') return
    this.close()
    this.#wire.end()
  }

  /** After an exception the position in a line or message is unknown, so nothing more is read. */
  #fail(error: unknown): void {
    this.#dialogue.failed(error)
    this.#endNow(faultOfOurs)
  }

  #endNow(outcome: Reply | Refused): void {
    if (this.phase === 'Ended') return
    this.#conclude(outcome)
    this.#flush()
  }

  #keep(octets: Buffer): void {
    this.#backlog.keep(octets)
    this.#hold()
  }

  #process(octets: Buffer): void {
    let at = 0
    while (at < octets.length) {
      const state = this.#state
      if (state.phase === 'Command') at = this.#readLine(octets, at)
      else if (state.phase === 'Data') at = this.#readData(state.message, octets, at)
      else break
    }
    if (at < octets.length && this.phase === 'Deciding') this.#keep(octets.subarray(at))
  }

  /** Processes what arrived during a decision. */
  #goOn(): void {
    this.#process(this.#backlog.take())
    if (this.#isDraining && this.phase === 'Command') this.#endWith(shuttingDown)
    this.#hold()
    this.#flush()
    if (this.#isFinished && this.phase !== 'Deciding') this.#hangUp()
  }

  /** Applies backpressure while there is no room. */
  #hold(): void {
    const isFull = this.#backlog.isFull || (this.#state.phase === 'Deciding' && this.#state.needsRoom)
    if (isFull === this.#isHeld) return
    this.#isHeld = isFull
    if (isFull) this.#wire.hold()
    else this.#wire.release()
  }

  #readLine(octets: Buffer, from: number): number {
    const end = octets.indexOf(lineFeed, from)
    if (end < 0) {
      this.#conclude(this.#lines.keep(octets.subarray(from)))
      return octets.length
    }
    const line = this.#lines.finish(octets.subarray(from, end + 1))
    this.#progress.steps++
    const command = line instanceof Uint8Array ? parseCommand(line) : line
    this.#conclude('verb' in command ? this.#perform(command, octets.length > end + 1) : command)
    return end + 1
  }

  /** @param isPipelined more octets were read after the command */
  #perform(command: Command, isPipelined: boolean): Outcome {
    switch (command.verb) {
      case 'MAIL':
        return this.#startMail(command)
      case 'RCPT':
        return this.#addRecipient(command)
      case 'DATA':
        return this.#startData(isPipelined)
      case 'EHLO':
      case 'HELO':
        return this.#greetBack({ name: command.name, esmtp: command.verb === 'EHLO' })
      case 'STARTTLS':
        return this.#startTls()
      case 'QUIT':
        return closing
      case 'RSET':
        this.#transaction = null
        return this.#idle(flushed)
      case 'NOOP':
        return this.#idle(done)
      case 'VRFY':
        return this.#idle(cannotVerify)
      case 'HELP':
        return this.#idle(helpText)
      case 'HTTP':
        return noHttp
      case 'TLS':
        return noTlsYet
    }
  }

  #greetBack(greeting: Greeting): Outcome {
    this.#transaction = null
    this.#greeting = greeting
    const { hostname, maximumSize } = this.#options
    if (!greeting.esmtp) return this.#idle(`250 ${hostname}`)
    const keywords = [hostname, 'PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'DSN']
    keywords.push(this.#isSecure ? 'REQUIRETLS' : 'STARTTLS')
    return this.#idle(`250-${keywords.join('\r\n250-')}\r\n250 SIZE ${maximumSize}`)
  }

  #startTls(): Outcome {
    if (this.#isSecure) return alreadySecure
    this.#transaction = null
    this.#greeting = null
    this.#backlog.drop()
    this.#state = { phase: 'Handshake' }
    this.#say(formatReply(readyForTls))
    this.#flush()
    this.#wire.secure()
    return null
  }

  #startMail(mail: MailCommand): Outcome {
    if (this.#greeting === null) return needsGreeting
    if (this.#transaction !== null) return alreadyMail
    if (mail.envelope.requireTls && !this.#isSecure) return requiresTls
    return this.#decide(this.#dialogue.mail(mail), ({ code }) => {
      if (code < 300) this.#transaction = { mail, recipients: new Map() }
    })
  }

  #addRecipient(command: RecipientCommand): Outcome {
    if (this.#transaction === null) return needsMail
    const { mail, recipients } = this.#transaction
    if (command.needsSmtpUtf8 && !mail.envelope.smtpUtf8) return needsSmtpUtf8
    const mailbox = mailboxOf(command.recipient.address)
    if (recipients.has(mailbox)) {
      recipients.set(mailbox, command.recipient)
      return recipientAccepted
    }
    if (recipients.size >= this.#options.maximumRecipients) return tooManyRecipients
    return this.#decide(this.#dialogue.recipient(command, mail), ({ code }) => {
      if (code < 300) recipients.set(mailbox, command.recipient)
    })
  }

  /** RFC 2920 §3.1: DATA ends a pipelined group. Octets after it would be a message without a 354. */
  #startData(isPipelined: boolean): Outcome {
    if (isPipelined) return unauthorisedPipelining
    const greeting = this.#greeting
    if (this.#transaction === null || greeting === null) return needsMail
    const { mail, recipients } = this.#transaction
    if (recipients.size === 0) return needsRecipient
    const sink = this.#dialogue.data({ greeting, mail, recipients: [...recipients.values()] })
    if ('code' in sink) return sink
    this.#progress.messages++
    this.#progress.messageOctets = 0
    this.#state = { phase: 'Data', message: { sink, reader: new DataReader(this.#options) } }
    return dataFollows
  }

  #readData(message: IncomingMessage, octets: Buffer, from: number): number {
    const { sink, reader } = message
    let pending: Promise<void> | undefined
    const end = reader.read(octets, from, (content) => {
      pending = sink.write(content) ?? pending
    })
    this.#progress.steps++
    this.#progress.messageOctets += (end < 0 ? octets.length : end) - from
    if (sink.cut !== null) {
      this.#dialogue.refused(sink.cut)
      this.#endWith(sink.cut.reply)
      return octets.length
    }
    if (end < 0) {
      if (pending !== undefined) this.#waitForRoom(message, pending)
      return octets.length
    }
    this.#await(sink.end(reader.fault), message, ({ code }) => {
      this.#transaction = null
      if (code < 300) this.#sinceMessage = { errors: 0, idleCommands: 0 }
    })
    return end
  }

  #waitForRoom(message: IncomingMessage, room: Promise<void>): void {
    const waiting: State = { phase: 'Deciding', message, needsRoom: true }
    this.#state = waiting
    this.#hold()
    room
      .then(() => {
        if (this.#state !== waiting) return
        this.#state = { phase: 'Data', message }
        this.#goOn()
      })
      .catch((error) => this.#fail(error))
  }

  /** @returns the reply if it is known at once, so that pipelined replies go out together */
  #decide(answer: Reply | Promise<Reply>, take: (answer: Reply) => void): Outcome {
    if (answer instanceof Promise) {
      this.#await(answer, null, take)
      return null
    }
    take(answer)
    return answer
  }

  #await(answer: Promise<Reply>, message: IncomingMessage | null, take: (answer: Reply) => void): void {
    const deciding: State = { phase: 'Deciding', message, needsRoom: false }
    this.#state = deciding
    answer
      .then((answer) => {
        if (this.#state !== deciding) return
        this.#state = { phase: 'Command' }
        take(answer)
        this.#conclude(answer)
        this.#goOn()
      })
      .catch((error) => this.#fail(error))
  }

  /** Counts a command that does not advance a transaction. */
  #idle(answer: Reply | string): Outcome {
    return ++this.#sinceMessage.idleCommands > this.#options.maximumIdleCommands ? tooManyCommands : answer
  }

  #conclude(outcome: Outcome): void {
    if (outcome === null) return
    if (typeof outcome === 'string') this.#say(outcome)
    else if ('code' in outcome) this.#answer(outcome)
    else {
      this.#dialogue.refused(outcome)
      this.#answer(outcome.reply)
    }
  }

  #answer(answer: Reply): void {
    if (answer.code === 421 || answer.code === 221) {
      this.#endWith(answer)
      return
    }
    this.#say(formatReply(answer))
    if (answer.code >= 400 && ++this.#sinceMessage.errors >= this.#options.maximumErrors)
      this.#conclude(tooManyErrors)
  }

  #endWith(answer: Reply): void {
    this.#say(formatReply(answer))
    this.#flush()
    this.close()
    this.#wire.end()
  }

  #say(text: string): void {
    this.#replies += `${text}\r\n`
  }

  /** Replies to commands that came together go out together (RFC 2920 §3.2), under TLS as one record. */
  #flush(): void {
    if (this.#replies === '') return
    const replies = this.#replies
    this.#replies = ''
    this.#wire.write(replies)
  }
}
