/**
 * A second implementation of an SMTP server's replies, over all client octets at once. It consumes the replies that
 * were read and throws at the first that is not allowed. It uses the session's own command parser, which has its own
 * tests.
 */
import { parseCommand, type RecipientCommand } from '../../../functions/smtp-ingress/protocol/command.ts'
import type { SessionOptions, Transaction } from '../../../functions/smtp-ingress/protocol/session.ts'
import * as replies from '../../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../../shared/contract/message.ts'
import { comparableMailbox } from '../../../shared/mail/address.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { type Reading, readByTheRules } from '../../support/ingress/data-rules.ts'

/** All client octets between two handshakes. */
export interface Segment {
  octets: string
  /** Where chunks ended, if known. */
  borders?: ReadonlySet<number>
}

/** Decisions beyond the protocol; null allows any reply except an internal error. */
export interface Decisions {
  mail(transaction: Pick<Transaction, 'mail'>): Reply | null
  recipient(recipient: RecipientCommand, mail: Transaction['mail']): Reply | null
  data(transaction: Transaction): Reply | null
  /** For a complete message. */
  stored(transaction: Transaction, reading: Reading): Reply | null
  /** Octets after which the message is cut off, and the reply. */
  cut: { after: number; reply: Reply } | null
}

export interface SeenMessage {
  transaction: Transaction
  reading: Reading
  /** The reply to the end of data. */
  reply: string
}

export interface Seen {
  /** Required replies are missing. */
  wantsMore: boolean
  wantsHandshake: boolean
  /** Octets in the clear after STARTTLS. */
  unheard: string
  isEnded: boolean
  messages: SeenMessage[]
}

export class Objection extends Error {}
class Missing extends Error {}

/** RFC 8446 §5.1 */
const handshakeRecord = 22
const longestCommand = 4096
const longestPassedOver = 64 * 1024
const anyDecision = /^(?:250|4\d\d|5\d\d) [245]\.\d+\.\d+ /

type Pattern = string | RegExp

export function follow(
  options: SessionOptions,
  decisions: Decisions,
  segments: readonly Segment[],
  read: readonly string[],
): Seen {
  const model = new Model(options, decisions, segments, read)
  try {
    model.run()
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    return model.seen(true)
  }
  return model.seen(false)
}

class Model {
  readonly #options: SessionOptions
  readonly #decisions: Decisions
  readonly #segments: readonly Segment[]
  readonly #read: readonly string[]
  #segment = 0
  #at = 0
  #taken = 0
  #isSecure = false
  #isEnded = false
  #wantsHandshake = false
  #greeting: Transaction['greeting'] | null = null
  #mail: Transaction['mail'] | null = null
  #recipients = new Map<string, RecipientCommand['recipient']>()
  #errors = 0
  #idle = 0
  readonly #messages: SeenMessage[] = []

  constructor(
    options: SessionOptions,
    decisions: Decisions,
    segments: readonly Segment[],
    read: readonly string[],
  ) {
    this.#options = options
    this.#decisions = decisions
    this.#segments = segments
    this.#read = read
  }

  seen(wantsMore: boolean): Seen {
    return {
      wantsMore,
      wantsHandshake: this.#wantsHandshake,
      unheard: this.#wantsHandshake ? this.#octets.slice(this.#at) : '',
      isEnded: this.#isEnded,
      messages: this.#messages,
    }
  }

  run(): void {
    this.#take(`220 ${this.#options.hostname} ESMTP`)
    while (this.#line()) {}
    const surplus = this.#read[this.#taken]
    if (surplus !== undefined) throw new Objection(`unexpected reply: ${surplus}`)
  }

  get #octets(): string {
    return this.#segments[this.#segment]?.octets ?? ''
  }

  /** This and the following methods: @returns whether to read on */
  #line(): boolean {
    const end = this.#octets.indexOf('\n', this.#at)
    if (end < 0) return this.#unfinished(this.#octets.slice(this.#at))
    const line = this.#octets.slice(this.#at, end + 1)
    this.#at = end + 1
    // Whether the session ends before the end of the line depends on the chunks.
    if (line.length > longestPassedOver && this.#mayEnd(replies.lineWithoutEnd.reply)) return false
    if (line.charCodeAt(0) === handshakeRecord && this.#mayEnd(replies.tlsWithoutStartTls.reply)) return false
    if (line.length > longestCommand) return this.#answer(replies.lineTooLong.reply)
    if (!line.endsWith('\r\n')) return this.#answer(replies.bareLineFeed.reply)
    return this.#command(line.slice(0, -2))
  }

  #unfinished(rest: string): boolean {
    if (rest.charCodeAt(0) === handshakeRecord) {
      if (rest.length <= longestCommand) return this.#answer(replies.tlsWithoutStartTls.reply)
      // A line longer than a command is not examined if it arrived at once.
      if (this.#mayEnd(replies.tlsWithoutStartTls.reply)) return false
    }
    if (rest.length > longestPassedOver) this.#answer(replies.lineWithoutEnd.reply)
    return false
  }

  #command(line: string): boolean {
    const command = parseCommand(Buffer.from(line, 'latin1'))
    if (!('verb' in command)) return this.#answer(command.reply)
    switch (command.verb) {
      case 'EHLO':
      case 'HELO':
        this.#forget()
        this.#greeting = { name: command.name, isEsmtp: command.verb === 'EHLO' }
        return this.#idly(command.verb === 'EHLO' ? this.#ehlo() : `250 ${this.#options.hostname}`)
      case 'RSET':
        this.#forget()
        return this.#idly(formatReply(replies.flushed))
      case 'NOOP':
        return this.#idly(formatReply(replies.noopDone))
      case 'VRFY':
        return this.#idly(formatReply(replies.cannotVerify))
      case 'HELP':
        return this.#idly(formatReply(replies.helpText))
      case 'QUIT':
        return this.#answer(replies.quitReply)
      case 'HTTP':
        return this.#answer(replies.httpRequest.reply)
      case 'TLS':
        return this.#answer(replies.tlsWithoutStartTls.reply)
      case 'STARTTLS':
        return this.#startTls()
      case 'MAIL':
        return this.#mailFrom(command)
      case 'RCPT':
        return this.#recipient(command)
      case 'DATA':
        return this.#data()
    }
  }

  #ehlo(): string {
    const { hostname, maxMessageOctets: maximumSize } = this.#options
    const last = this.#isSecure ? 'REQUIRETLS' : 'STARTTLS'
    const keywords = `PIPELINING 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES DSN ${last}`.split(' ')
    return [...[hostname, ...keywords].map((word) => `250-${word}`), `250 SIZE ${maximumSize}`].join('\r\n')
  }

  #startTls(): boolean {
    if (this.#isSecure) return this.#answer(replies.tlsAlreadyActive.reply)
    this.#forget()
    this.#greeting = null
    this.#answer(replies.readyForTls)
    if (this.#segments[this.#segment + 1] === undefined) {
      this.#wantsHandshake = true
      return false
    }
    this.#segment++
    this.#at = 0
    this.#isSecure = true
    return true
  }

  #mailFrom(mail: Transaction['mail']): boolean {
    if (!this.#greeting) return this.#answer(replies.needsGreeting.reply)
    if (this.#mail) return this.#answer(replies.nestedMail.reply)
    if (mail.envelope.requireTls && !this.#isSecure) return this.#answer(replies.requiresTls.reply)
    if (this.#decided(this.#decisions.mail({ mail }))) this.#mail = mail
    return !this.#isEnded
  }

  #recipient(command: RecipientCommand): boolean {
    const mail = this.#mail
    if (!mail) return this.#answer(replies.needsMail.reply)
    if (command.needsSmtpUtf8 && !mail.envelope.smtpUtf8) return this.#answer(replies.needsSmtpUtf8.reply)
    const mailbox = comparableMailbox(command.recipient.address)
    const isKnown = this.#recipients.has(mailbox)
    if (!isKnown && this.#recipients.size === this.#options.maxRecipients)
      return this.#answer(replies.tooManyRecipients.reply)
    const decision = isKnown ? replies.recipientAccepted : this.#decisions.recipient(command, mail)
    if (this.#decided(decision)) this.#recipients.set(mailbox, command.recipient)
    return !this.#isEnded
  }

  #data(): boolean {
    const { borders } = this.#segments[this.#segment] as Segment
    if (this.#at < this.#octets.length) {
      if (this.#mayEnd(replies.dataBefore354.reply)) return false
      if (borders && !borders.has(this.#at))
        throw new Objection('octets sent together with DATA were accepted')
    }
    if (!this.#mail || !this.#greeting) return this.#answer(replies.needsMail.reply)
    if (this.#recipients.size === 0) return this.#answer(replies.needsRecipient.reply)
    const transaction: Transaction = {
      greeting: this.#greeting,
      mail: this.#mail,
      recipients: [...this.#recipients.values()],
    }
    const refused = this.#decisions.data(transaction)
    if (refused) return this.#answer(refused)
    this.#take(replies.dataFollows)
    return this.#message(transaction)
  }

  #message(transaction: Transaction): boolean {
    const rest = this.#octets.slice(this.#at)
    const reading = readByTheRules(this.#options, rest)
    if (this.#isCut(reading, reading.end < 0 ? rest.length : reading.end) || reading.end < 0) return false
    this.#at += reading.end
    const decision = this.#decisions.stored(transaction, reading)
    const reply = this.#take(decision ? formatReply(decision) : anyDecision)
    this.#messages.push({ transaction, reading, reply })
    this.#forget()
    if (reply.startsWith('2')) this.#errors = this.#idle = 0
    return this.#weigh(reply)
  }

  /** For a message with a fault, or without an end, the number of octets passed on is not exactly known. */
  #isCut(reading: Reading, octets: number): boolean {
    const { cut } = this.#decisions
    if (!cut || Math.max(octets, reading.content.length) <= cut.after) return false
    if (reading.fault || reading.end < 0 || reading.content.length <= cut.after)
      return this.#mayEnd(cut.reply)
    this.#take(formatReply(cut.reply))
    this.#isEnded = true
    return true
  }

  #forget(): void {
    this.#mail = null
    this.#recipients = new Map()
  }

  /** @returns whether it was accepted */
  #decided(decision: Reply | null): boolean {
    const reply = this.#take(decision ? formatReply(decision) : anyDecision)
    this.#weigh(reply)
    return reply.startsWith('2')
  }

  #idly(answer: string): boolean {
    this.#idle++
    if (this.#idle > this.#options.maxIdleCommands) return this.#answer(replies.tooManyCommands.reply)
    this.#take(answer)
    return true
  }

  #answer(answer: Reply): boolean {
    return this.#weigh(this.#take(formatReply(answer)))
  }

  #weigh(reply: string): boolean {
    if (/^[24]21 /.test(reply)) this.#isEnded = true
    else if (/^[45]/.test(reply) && ++this.#errors >= this.#options.maxErrors)
      this.#answer(replies.tooManyErrors.reply)
    return !this.#isEnded
  }

  /** Consumes the next reply if it is this one, which ends the session. */
  #mayEnd(reply: Reply): boolean {
    if (this.#read[this.#taken] !== formatReply(reply)) return false
    this.#taken++
    this.#isEnded = true
    return true
  }

  #take(expected: Pattern): string {
    const reply = this.#read[this.#taken]
    if (reply === undefined) throw new Missing()
    const isExpected = typeof expected === 'string' ? reply === expected : expected.test(reply)
    if (!isExpected)
      throw new Objection(`read ${JSON.stringify(reply)} instead of ${JSON.stringify(String(expected))}`)
    this.#taken++
    return reply
  }
}
