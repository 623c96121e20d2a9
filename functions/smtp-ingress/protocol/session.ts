/**
 * The server's side of an SMTP session (RFC 5321), without sockets and clocks: octets go in, replies and requests come
 * out. The attack: octets that mean one thing to us and another to whoever sent or receives them (commands within a
 * message, commands before a handshake that count after it), and clients that cost without end. The defence: a
 * command ends at CRLF, a message at CRLF.CRLF and at nothing else; what came before a handshake is forgotten with all
 * that was said; errors, idle commands and what is not yet read are counted.
 */
import type { Reply } from '../../../shared/contract/message.ts'
import { mailboxOf } from '../../../shared/mail/address.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import type { Refused } from '../replies.ts'
import {
  alreadyMail,
  alreadySecure,
  bareLineFeed,
  cannotVerify,
  closing,
  dataFollows,
  done,
  endlessLine,
  faultOfOurs,
  flushed,
  helpText,
  lineTooLong,
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
import { type Command, type MailCommand, parseCommand, type RecipientCommand } from './command.ts'
import { DataReader, type DataReaderOptions } from './data-reader.ts'
import type { MessageSink } from './sink.ts'

/** What a session asks of its connection. */
export interface Wire {
  write(text: string): void
  /** The next octets from the client begin a TLS handshake. */
  secure(): void
  /** Nothing more is read, and when all is written the connection ends. */
  end(): void
  /** Nothing more is read until `release`. */
  hold(): void
  release(): void
}

/** What the client said of itself. */
export interface Greeting {
  name: string
  /** It said EHLO. */
  esmtp: boolean
}

export interface Transaction {
  greeting: Greeting
  mail: MailCommand
  /** In the order they came, each mailbox once. */
  recipients: readonly RecipientCommand['recipient'][]
}

/** What is decided beyond the protocol. A reply below 300 accepts; 421 ends the session. */
export interface Dialogue {
  mail(mail: MailCommand): Reply | Promise<Reply>
  recipient(recipient: RecipientCommand, mail: MailCommand): Reply | Promise<Reply>
  data(transaction: Transaction): MessageSink | Reply
  /** The protocol itself refuses something. */
  refused(refused: Refused): void
  /** A fault of ours, by which the session ends. */
  failed(error: unknown): void
}

export interface SessionOptions extends DataReaderOptions {
  hostname: string
  maximumSize: number
  maximumRecipients: number
  /** Replies of 4xx and 5xx that a client may get before a message of it is accepted. */
  maximumErrors: number
  /** Commands that it may give between two messages and that bring no message nearer. */
  maximumIdleCommands: number
}

/** Octets of a command line with its CRLF: RFC 5321 §4.5.3.1.4, and the parameters of DSN and SMTPUTF8. */
const longestCommand = 4096
/** Octets of an overlong line that are passed over before the client is given up. */
const longestPassedOver = 64 * 1024
/** Octets that may lie unread while a command or a message is decided, and what each chunk of them weighs besides. */
const mostPending = 64 * 1024
const chunkWeight = 128

const lineFeed = 10
const carriageReturn = 13
/** RFC 8446 §5.1 */
const handshakeRecord = 22
const nothing = Buffer.alloc(0)

/**
 * What the session waits for: that the client may talk, a command, data, a handshake; or what it does itself, when
 * nobody is waited for.
 */
export type Phase = 'Greeting' | 'Command' | 'Data' | 'Handshake' | 'Deciding' | 'Ended'

/** What the client is told: a reply, one of several lines, or why it is refused. Null when it is not known yet. */
type Outcome = Reply | Refused | string | null

export class Session {
  readonly #options: SessionOptions
  readonly #wire: Wire
  readonly #dialogue: Dialogue
  #phase: Phase = 'Greeting'
  #steps = 0
  #isSecure = false
  #isDraining = false
  #isFinished = false
  #greeting: Greeting | null = null
  #mail: MailCommand | null = null
  readonly #recipients = new Map<string, RecipientCommand['recipient']>()
  #sink: MessageSink | null = null
  #reader: DataReader | null = null
  #messages = 0
  #messageOctets = 0
  #errors = 0
  #idleCommands = 0
  /** A line that has not ended. */
  #line = nothing
  #passedOver = 0
  #pending: Buffer[] = []
  #pendingWeight = 0
  /** What came of the message has to find a place before more is taken. */
  #isWaiting = false
  #isHeld = false
  #replies = ''

  constructor(options: SessionOptions, wire: Wire, dialogue: Dialogue) {
    this.#options = options
    this.#wire = wire
    this.#dialogue = dialogue
  }

  get phase(): Phase {
    return this.#isWaiting ? 'Deciding' : this.#phase
  }

  /** Grows with every step that the client brings the session forward: a line, octets of a message, a handshake. */
  get steps(): number {
    return this.#steps
  }

  /** Messages that have begun. */
  get messages(): number {
    return this.#messages
  }

  /** Octets of the last of them, so far. */
  get messageOctets(): number {
    return this.#messageOctets
  }

  get isSecure(): boolean {
    return this.#isSecure
  }

  /** Says the greeting, or why there is none. */
  greet(refused: Refused | null = null): void {
    if (this.#phase !== 'Greeting') return
    this.#phase = 'Command'
    this.#conclude(refused ?? (this.#isDraining ? shuttingDown : `220 ${this.#options.hostname} ESMTP`))
    this.#flush()
  }

  receive(octets: Buffer): void {
    if (this.#phase === 'Ended' || this.#phase === 'Handshake') return
    try {
      if (this.#phase === 'Greeting') this.#conclude(talksTooSoon)
      else if (this.phase === 'Deciding') this.#keep(octets)
      else this.#process(octets)
      this.#flush()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** The client sends no more (RFC 5321 §4.1.1.10 has it wait). What it has sent is answered all the same. */
  finish(): void {
    this.#isFinished = true
    if (this.phase !== 'Deciding') this.#hangUp()
  }

  /** The handshake is done. All that was said before it is forgotten (RFC 3207 §4.2). */
  secured(refused: Refused | null = null): void {
    if (this.#phase !== 'Handshake') return
    this.#isSecure = true
    this.#steps++
    this.#phase = 'Command'
    if (refused !== null) this.#endNow(refused)
    else if (this.#isDraining) this.#endNow(shuttingDown)
  }

  /** The client has been silent for too long. */
  timeOut(): void {
    this.#endNow(timedOut)
  }

  /** The server goes away: the client hears it as soon as no message of it is on its way (RFC 5321 §3.8). */
  drain(): void {
    this.#isDraining = true
    if (this.#phase === 'Command') this.#endNow(shuttingDown)
  }

  /** The connection is gone. */
  close(): void {
    this.#forget()
    this.#phase = 'Ended'
    this.#sink?.abandon()
    this.#sink = null
    this.#isWaiting = false
    this.#line = nothing
    this.#drop()
  }

  #hangUp(): void {
    if (this.#phase === 'Ended') return
    this.close()
    this.#wire.end()
  }

  /** Of a line or a message that was begun nobody knows how far it came, so nothing more is read. */
  #fail(error: unknown): void {
    this.#dialogue.failed(error)
    this.#endNow(faultOfOurs)
  }

  #endNow(outcome: Reply | Refused): void {
    if (this.#phase === 'Ended') return
    this.#conclude(outcome)
    this.#flush()
  }

  #keep(octets: Buffer): void {
    this.#pending.push(octets)
    this.#pendingWeight += octets.length + chunkWeight
    this.#hold()
  }

  #drop(): void {
    this.#pending = []
    this.#pendingWeight = 0
  }

  #process(octets: Buffer): void {
    let at = 0
    while (at < octets.length) {
      if (this.phase === 'Command') at = this.#readLine(octets, at)
      else if (this.phase === 'Data') at = this.#readData(octets, at)
      else break
    }
    if (at < octets.length && this.phase === 'Deciding') this.#keep(octets.subarray(at))
  }

  /** Goes on with what came while something was decided. */
  #goOn(): void {
    const pending = Buffer.concat(this.#pending)
    this.#drop()
    this.#process(pending)
    if (this.#isDraining && this.phase === 'Command') this.#endWith(shuttingDown)
    this.#hold()
    this.#flush()
    if (this.#isFinished && this.phase !== 'Deciding') this.#hangUp()
  }

  /** The client is held back while there is no place for more. */
  #hold(): void {
    const isFull = this.#isWaiting || this.#pendingWeight > mostPending
    if (isFull === this.#isHeld) return
    this.#isHeld = isFull
    if (isFull) this.#wire.hold()
    else this.#wire.release()
  }

  #readLine(octets: Buffer, from: number): number {
    const end = octets.indexOf(lineFeed, from)
    if (end < 0) {
      this.#keepLine(octets.subarray(from))
      return octets.length
    }
    const rest = octets.subarray(from, end + 1)
    const line = this.#line.length === 0 ? rest : Buffer.concat([this.#line, rest])
    const isTooLong = this.#passedOver > 0 || line.length > longestCommand
    this.#line = nothing
    this.#passedOver = 0
    this.#steps++
    if (isTooLong) this.#conclude(lineTooLong)
    else if (line.at(-2) !== carriageReturn) this.#conclude(bareLineFeed)
    else {
      const command = parseCommand(line.subarray(0, -2))
      this.#conclude('verb' in command ? this.#perform(command, octets.length > end + 1) : command)
    }
    return end + 1
  }

  #keepLine(rest: Buffer): void {
    if (this.#passedOver === 0 && this.#line.length + rest.length <= longestCommand) {
      this.#line = Buffer.concat([this.#line, rest])
      // A handshake record waits for an answer of its own kind; no line end will come.
      if (this.#line[0] === handshakeRecord) this.#conclude(noTlsYet)
      return
    }
    this.#passedOver += this.#line.length + rest.length
    this.#line = nothing
    if (this.#passedOver > longestPassedOver) this.#conclude(endlessLine)
  }

  /** @param isPipelined octets of the client's follow that have been read */
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
        this.#forget()
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
    this.#forget()
    this.#greeting = greeting
    const { hostname, maximumSize } = this.#options
    if (!greeting.esmtp) return this.#idle(`250 ${hostname}`)
    const keywords = [hostname, 'PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'DSN']
    keywords.push(this.#isSecure ? 'REQUIRETLS' : 'STARTTLS')
    return this.#idle(`250-${keywords.join('\r\n250-')}\r\n250 SIZE ${maximumSize}`)
  }

  #startTls(): Outcome {
    if (this.#isSecure) return alreadySecure
    this.#forget()
    this.#greeting = null
    this.#drop()
    this.#phase = 'Handshake'
    this.#say(formatReply(readyForTls))
    this.#flush()
    this.#wire.secure()
    return null
  }

  #startMail(mail: MailCommand): Outcome {
    if (this.#greeting === null) return needsGreeting
    if (this.#mail !== null) return alreadyMail
    if (mail.envelope.requireTls && !this.#isSecure) return requiresTls
    return this.#decide(this.#dialogue.mail(mail), ({ code }) => {
      if (code < 300) this.#mail = mail
    })
  }

  #addRecipient(command: RecipientCommand): Outcome {
    const mail = this.#mail
    if (mail === null) return needsMail
    if (command.needsSmtpUtf8 && !mail.envelope.smtpUtf8) return needsSmtpUtf8
    const mailbox = mailboxOf(command.recipient.address)
    if (this.#recipients.has(mailbox)) {
      this.#recipients.set(mailbox, command.recipient)
      return recipientAccepted
    }
    if (this.#recipients.size >= this.#options.maximumRecipients) return tooManyRecipients
    return this.#decide(this.#dialogue.recipient(command, mail), ({ code }) => {
      if (code < 300) this.#recipients.set(mailbox, command.recipient)
    })
  }

  /** RFC 2920 §3.1: DATA is the last of its group. What follows it is a message that nobody agreed to take. */
  #startData(isPipelined: boolean): Outcome {
    if (isPipelined) return unauthorisedPipelining
    const mail = this.#mail
    const greeting = this.#greeting
    if (mail === null || greeting === null) return needsMail
    if (this.#recipients.size === 0) return needsRecipient
    const sink = this.#dialogue.data({ greeting, mail, recipients: [...this.#recipients.values()] })
    if ('code' in sink) return sink
    this.#sink = sink
    this.#reader = new DataReader(this.#options)
    this.#messages++
    this.#messageOctets = 0
    this.#phase = 'Data'
    return dataFollows
  }

  #readData(octets: Buffer, from: number): number {
    const sink = this.#sink
    const reader = this.#reader
    if (sink === null || reader === null) throw new Error('data without a message')
    let pending: Promise<void> | undefined
    const end = reader.read(octets, from, (content) => {
      pending = sink.write(content) ?? pending
    })
    this.#steps++
    this.#messageOctets += (end < 0 ? octets.length : end) - from
    if (sink.cut !== null) {
      this.#dialogue.refused(sink.cut)
      this.#endWith(sink.cut.reply)
      return octets.length
    }
    if (end < 0) {
      if (pending !== undefined) this.#waitFor(pending)
      return octets.length
    }
    this.#phase = 'Command'
    this.#reader = null
    this.#conclude(
      this.#decide(sink.end(reader.fault), ({ code }) => {
        this.#sink = null
        this.#forget()
        if (code < 300) this.#errors = this.#idleCommands = 0
      }),
    )
    return end
  }

  /** Waits until what came of the message has found a place. */
  #waitFor(pending: Promise<void>): void {
    this.#isWaiting = true
    this.#hold()
    pending
      .then(() => {
        this.#isWaiting = false
        if (this.#phase === 'Data') this.#goOn()
      })
      .catch((error) => this.#fail(error))
  }

  /** @returns the answer when it is there at once, so that what came together is answered together */
  #decide(answer: Reply | Promise<Reply>, take: (answer: Reply) => void): Outcome {
    if (!(answer instanceof Promise)) {
      take(answer)
      return answer
    }
    this.#phase = 'Deciding'
    answer
      .then((answer) => {
        if (this.#phase !== 'Deciding') return
        this.#phase = 'Command'
        take(answer)
        this.#conclude(answer)
        this.#goOn()
      })
      .catch((error) => this.#fail(error))
    return null
  }

  /** Of a command that brings no message nearer. */
  #idle(answer: Reply | string): Outcome {
    return ++this.#idleCommands > this.#options.maximumIdleCommands ? tooManyCommands : answer
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
    if (answer.code >= 400 && ++this.#errors >= this.#options.maximumErrors) this.#conclude(tooManyErrors)
  }

  #endWith(answer: Reply): void {
    this.#say(formatReply(answer))
    this.#flush()
    this.close()
    this.#wire.end()
  }

  #forget(): void {
    this.#mail = null
    this.#recipients.clear()
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
