/**
 * A second implementation of an SMTP server's replies, over all client octets together. The model consumes the replies
 * that were read and throws at the first that is not allowed. It uses the session's own command parser, which has its
 * own tests.
 */
import {
  type ChunkCommand,
  hasChunk,
  parseCommand,
  type RecipientCommand,
} from '../../../functions/smtp-ingress/protocol/command.ts'
import { maxDiscardedOctets } from '../../../functions/smtp-ingress/protocol/message-sink.ts'
import { chunkSizeUnknown } from '../../../functions/smtp-ingress/protocol/refusals.ts'
import type { SessionOptions, Transaction } from '../../../functions/smtp-ingress/protocol/session.ts'
import * as replies from '../../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../../shared/contract/message.ts'
import { comparableMailbox } from '../../../shared/mail/address.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import {
  chunkFaultByTheRules,
  type Reading,
  readByTheRules,
  readChunksByTheRules,
} from '../../support/ingress/data-rules.ts'

/** All client octets between two handshakes. */
export interface Segment {
  octets: string
  /** Positions where chunks ended, if known. */
  borders?: ReadonlySet<number>
}

/** Decisions beyond the protocol; null allows any reply except an internal error. */
export interface Decisions {
  mail(transaction: Pick<Transaction, 'mail'>): Reply | null
  recipient(recipient: RecipientCommand, mail: Transaction['mail']): Reply | null
  data(transaction: Transaction): Reply | null
  /** Decides a complete message, or chunks that are refused before the last one. */
  storageReply(transaction: Transaction, reading: Reading): Reply | null
  /** Whether each chunk is refused. */
  isRefused(transaction: Transaction): boolean
  /** Octets after which the message is cut off, and the reply. */
  earlyRefusal: { after: number; reply: Reply } | null
}

export interface ModelMessage {
  transaction: Transaction
  reading: Reading
  /** False when a chunk before the last one was refused. */
  isWhole: boolean
  /** The reply to the end of data, or to the refused chunk. */
  reply: string
}

export interface ModelResult {
  /** True when required replies are missing. */
  needsMore: boolean
  needsHandshake: boolean
  /** Octets in the clear after STARTTLS. */
  injectedOctets: string
  isEnded: boolean
  messages: ModelMessage[]
}

export class ModelMismatch extends Error {}
class MissingReply extends Error {}

/** RFC 8446 §5.1 */
const handshakeRecord = 22
const maxCommandOctets = 4096
const maxSkippedOctets = 64 * 1024
const anyDecision = /^(?:250|4\d\d|5\d\d) [245]\.\d+\.\d+ /

/** Chunks of a message before their average size matters, and that size. */
const minChunks = 1000
const minAverageChunkOctets = 32

type Pattern = string | RegExp

interface MessageInChunks {
  transaction: Transaction
  chunks: number
  octets: string
}

export function compareWithModel(
  options: SessionOptions,
  decisions: Decisions,
  segments: readonly Segment[],
  read: readonly string[],
): ModelResult {
  const model = new Model(options, decisions, segments, read)
  try {
    model.run()
  } catch (error) {
    if (!(error instanceof MissingReply)) throw error
    return model.result(true)
  }
  return model.result(false)
}

class Model {
  readonly #options: SessionOptions
  readonly #decisions: Decisions
  readonly #segments: readonly Segment[]
  readonly #read: readonly string[]
  #segment = 0
  #at = 0
  #consumed = 0
  #isSecure = false
  #isEnded = false
  #needsHandshake = false
  #greeting: Transaction['greeting'] | null = null
  #mail: Transaction['mail'] | null = null
  #recipients = new Map<string, RecipientCommand['recipient']>()
  #inChunks: MessageInChunks | null = null
  #hasFailedChunk = false
  #errors = 0
  #idleCommands = 0
  readonly #messages: ModelMessage[] = []

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

  result(needsMore: boolean): ModelResult {
    return {
      needsMore,
      needsHandshake: this.#needsHandshake,
      injectedOctets: this.#needsHandshake ? this.#octets.slice(this.#at) : '',
      isEnded: this.#isEnded,
      messages: this.#messages,
    }
  }

  run(): void {
    this.#expectReply(`220 ${this.#options.hostname} ESMTP`)
    while (this.#line()) {}
    const surplusReply = this.#read[this.#consumed]
    if (surplusReply !== undefined) throw new ModelMismatch(`unexpected reply: ${surplusReply}`)
  }

  get #octets(): string {
    return this.#segments[this.#segment]?.octets ?? ''
  }

  /** Reads one line. This and the following methods return whether to read on. */
  #line(): boolean {
    const end = this.#octets.indexOf('\n', this.#at)
    if (end < 0) return this.#unfinished(this.#octets.slice(this.#at))
    const line = this.#octets.slice(this.#at, end + 1)
    this.#at = end + 1
    // Whether the session ends before the end of the line depends on the chunks.
    if (line.length > maxSkippedOctets && this.#endsWithReply(replies.lineWithoutEnd.reply)) return false
    if (line.charCodeAt(0) === handshakeRecord && this.#endsWithReply(replies.tlsWithoutStartTls.reply))
      return false
    const isTooLong = line.length > maxCommandOctets
    if ((isTooLong || !line.endsWith('\r\n')) && hasChunk(Buffer.from(line, 'latin1')))
      return this.#expectExactReply(chunkSizeUnknown.reply)
    if (isTooLong) return this.#expectExactReply(replies.lineTooLong.reply)
    if (!line.endsWith('\r\n')) return this.#expectExactReply(replies.bareLineFeed.reply)
    return this.#command(line.slice(0, -2))
  }

  #unfinished(rest: string): boolean {
    if (rest.charCodeAt(0) === handshakeRecord) {
      if (rest.length <= maxCommandOctets) return this.#expectExactReply(replies.tlsWithoutStartTls.reply)
      // The session does not examine a line longer than a command if the line arrives in one chunk.
      if (this.#endsWithReply(replies.tlsWithoutStartTls.reply)) return false
    }
    if (rest.length > maxSkippedOctets) this.#expectExactReply(replies.lineWithoutEnd.reply)
    return false
  }

  #command(line: string): boolean {
    const command = parseCommand(Buffer.from(line, 'latin1'), this.#options.envelopeSyntax)
    if (!('verb' in command)) return this.#expectExactReply(command.reply)
    switch (command.verb) {
      case 'EHLO':
      case 'HELO':
        this.#forget()
        this.#greeting = { name: command.name, isEsmtp: command.verb === 'EHLO' }
        return this.#idleReply(command.verb === 'EHLO' ? this.#ehlo() : `250 ${this.#options.hostname}`)
      case 'RSET':
        this.#forget()
        return this.#idleReply(formatReply(replies.flushed))
      case 'NOOP':
        return this.#idleReply(formatReply(replies.noopDone))
      case 'VRFY':
        return this.#idleReply(formatReply(replies.cannotVerify))
      case 'HELP':
        return this.#idleReply(formatReply(replies.helpText))
      case 'QUIT':
        return this.#expectExactReply(replies.quitReply)
      case 'HTTP':
        return this.#expectExactReply(replies.httpRequest.reply)
      case 'TLS':
        return this.#expectExactReply(replies.tlsWithoutStartTls.reply)
      case 'STARTTLS':
        return this.#startTls()
      case 'MAIL':
        return this.#mailFrom(command)
      case 'RCPT':
        return this.#recipient(command)
      case 'DATA':
        return this.#data()
      case 'BDAT':
        return this.#chunk(command)
    }
  }

  #ehlo(): string {
    const { hostname, maxMessageOctets } = this.#options
    const last = this.#isSecure ? 'REQUIRETLS' : 'STARTTLS'
    const keywords = `PIPELINING 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES DSN CHUNKING ${last}`.split(' ')
    return [...[hostname, ...keywords].map((word) => `250-${word}`), `250 SIZE ${maxMessageOctets}`].join(
      '\r\n',
    )
  }

  #startTls(): boolean {
    if (this.#isSecure) return this.#expectExactReply(replies.tlsAlreadyActive.reply)
    this.#forget()
    this.#greeting = null
    this.#expectExactReply(replies.readyForTls)
    if (this.#segments[this.#segment + 1] === undefined) {
      this.#needsHandshake = true
      return false
    }
    this.#segment++
    this.#at = 0
    this.#isSecure = true
    return true
  }

  #mailFrom(mail: Transaction['mail']): boolean {
    if (!this.#greeting) return this.#expectExactReply(replies.needsGreeting.reply)
    if (this.#mail) return this.#expectExactReply(replies.nestedMail.reply)
    if (mail.envelope.requireTls && !this.#isSecure) return this.#expectExactReply(replies.requiresTls.reply)
    if (this.#isAccepted(this.#decisions.mail({ mail }))) this.#mail = mail
    return !this.#isEnded
  }

  #recipient(command: RecipientCommand): boolean {
    const mail = this.#mail
    if (!mail) return this.#expectExactReply(replies.needsMail.reply)
    if (this.#hasFailedChunk) return this.#expectExactReply(replies.chunkFailed.reply)
    if (this.#inChunks) return this.#expectExactReply(replies.chunksBegun.reply)
    if (command.needsSmtpUtf8 && !mail.envelope.smtpUtf8)
      return this.#expectExactReply(replies.needsSmtpUtf8.reply)
    const mailbox = comparableMailbox(command.recipient.address)
    const isKnown = this.#recipients.has(mailbox)
    if (!isKnown && this.#recipients.size === this.#options.maxRecipients)
      return this.#expectExactReply(replies.tooManyRecipients.reply)
    const decision = isKnown ? replies.recipientAccepted : this.#decisions.recipient(command, mail)
    if (this.#isAccepted(decision)) this.#recipients.set(mailbox, command.recipient)
    return !this.#isEnded
  }

  #data(): boolean {
    const { borders } = this.#segments[this.#segment] as Segment
    if (this.#at < this.#octets.length) {
      if (this.#endsWithReply(replies.dataBefore354.reply)) return false
      if (borders && !borders.has(this.#at))
        throw new ModelMismatch('octets sent together with DATA were accepted')
    }
    if (this.#hasFailedChunk) return this.#expectExactReply(replies.chunkFailed.reply)
    if (this.#inChunks) return this.#expectExactReply(replies.chunksBegun.reply)
    const transaction = this.#transaction()
    if ('code' in transaction) return this.#expectExactReply(transaction)
    this.#expectReply(replies.dataFollows)
    return this.#message(transaction)
  }

  /** @returns the transaction whose message begins, or the refusal */
  #transaction(): Transaction | Reply {
    if (!this.#mail || !this.#greeting) return replies.needsMail.reply
    if (this.#recipients.size === 0) return replies.needsRecipient.reply
    const transaction: Transaction = {
      greeting: this.#greeting,
      mail: this.#mail,
      recipients: [...this.#recipients.values()],
    }
    return this.#decisions.data(transaction) ?? transaction
  }

  #chunk({ size, isLast }: ChunkCommand): boolean {
    const { maxMessageOctets } = this.#options
    const { earlyRefusal: cut } = this.#decisions
    const refusal = this.#admitChunk()
    const message = this.#inChunks
    if (message) {
      const fault = chunkFaultByTheRules(this.#options, message.octets)
      const isCutOff = cut !== null && message.octets.length + size > cut.after
      if (isCutOff && !fault && this.#options.bareNewlines === 'Refuse') return this.#expectEnd(cut.reply)
      // The number of normalised octets depends on the octets.
      if (cut && this.#endsWithReply(cut.reply)) return false
    }
    if (size > maxMessageOctets + maxDiscardedOctets)
      return this.#expectEnd(replies.tooLarge(maxMessageOctets).reply)
    if (message && message.chunks > minChunks + message.octets.length / minAverageChunkOctets)
      return this.#expectExactReply(replies.tooManyChunks.reply)
    const octets = this.#octets.slice(this.#at, this.#at + size)
    this.#at += octets.length
    if (message) message.octets += octets
    if (message && cut && this.#endsWithReply(cut.reply)) return false
    if (octets.length < size) return false
    if (message) return this.#endChunk(message, size, isLast)
    if (isLast) this.#forget()
    else this.#hasFailedChunk = this.#mail !== null
    return refusal === null || this.#expectExactReply(refusal)
  }

  #admitChunk(): Reply | null {
    if (this.#hasFailedChunk) return replies.chunkFailed.reply
    if (!this.#inChunks) {
      const transaction = this.#transaction()
      if ('code' in transaction) return transaction
      this.#inChunks = { transaction, chunks: 0, octets: '' }
    }
    this.#inChunks.chunks++
    return null
  }

  #endChunk({ transaction, octets }: MessageInChunks, size: number, isLast: boolean): boolean {
    if (isLast) return this.#endMessage(transaction, readChunksByTheRules(this.#options, octets), true)
    const fault = chunkFaultByTheRules(this.#options, octets)
    const reading: Reading = { content: octets, end: octets.length, fault }
    const decision = this.#decisions.storageReply(transaction, reading)
    const received = formatReply(replies.chunkReceived(size))
    const isRefused = fault !== null || this.#decisions.isRefused(transaction)
    // Without a decision, storage may refuse any chunk.
    const isUndecided = decision === null && this.#read[this.#consumed]?.startsWith('5')
    if (isRefused || isUndecided) return this.#endMessage(transaction, reading, false)
    this.#expectReply(received)
    return true
  }

  #message(transaction: Transaction): boolean {
    const rest = this.#octets.slice(this.#at)
    const reading = readByTheRules(this.#options, rest)
    if (this.#isCutOff(reading, reading.end < 0 ? rest.length : reading.end) || reading.end < 0) return false
    this.#at += reading.end
    return this.#endMessage(transaction, reading, true)
  }

  #endMessage(transaction: Transaction, reading: Reading, isWhole: boolean): boolean {
    const decision = this.#decisions.storageReply(transaction, reading)
    const reply = this.#expectReply(decision ? formatReply(decision) : anyDecision)
    if (!isWhole && reply.startsWith('2')) throw new ModelMismatch(`a refused chunk gets ${reply}`)
    this.#messages.push({ transaction, reading, isWhole, reply })
    this.#inChunks = null
    if (isWhole) this.#forget()
    else this.#hasFailedChunk = true
    if (reply.startsWith('2')) this.#errors = this.#idleCommands = 0
    return this.#countReply(reply)
  }

  /**
   * Whether the session has cut off the message. If the message has a fault or no end, the model does not know how many
   * octets were passed on. Then the session may or may not cut it off.
   */
  #isCutOff(reading: Reading, octets: number): boolean {
    const { earlyRefusal: cut } = this.#decisions
    if (!cut || Math.max(octets, reading.content.length) <= cut.after) return false
    if (reading.fault || reading.end < 0 || reading.content.length <= cut.after)
      return this.#endsWithReply(cut.reply)
    this.#expectEnd(cut.reply)
    return true
  }

  #forget(): void {
    this.#mail = null
    this.#recipients = new Map()
    this.#inChunks = null
    this.#hasFailedChunk = false
  }

  /** @returns whether the command was accepted */
  #isAccepted(decision: Reply | null): boolean {
    const reply = this.#expectReply(decision ? formatReply(decision) : anyDecision)
    this.#countReply(reply)
    return reply.startsWith('2')
  }

  #idleReply(reply: string): boolean {
    this.#idleCommands++
    if (this.#idleCommands > this.#options.maxIdleCommands)
      return this.#expectExactReply(replies.tooManyCommands.reply)
    this.#expectReply(reply)
    return true
  }

  #expectExactReply(reply: Reply): boolean {
    return this.#countReply(this.#expectReply(formatReply(reply)))
  }

  #countReply(reply: string): boolean {
    if (/^[24]21 /.test(reply)) this.#isEnded = true
    else if (/^[45]/.test(reply) && ++this.#errors >= this.#options.maxErrors)
      this.#expectExactReply(replies.tooManyErrors.reply)
    return !this.#isEnded
  }

  #expectEnd(reply: Reply): false {
    this.#expectReply(formatReply(reply))
    this.#isEnded = true
    return false
  }

  /** Consumes the next reply if it equals this reply, which ends the session. */
  #endsWithReply(reply: Reply): boolean {
    if (this.#read[this.#consumed] !== formatReply(reply)) return false
    this.#consumed++
    this.#isEnded = true
    return true
  }

  #expectReply(expected: Pattern): string {
    const reply = this.#read[this.#consumed]
    if (reply === undefined) throw new MissingReply()
    const isExpected = typeof expected === 'string' ? reply === expected : expected.test(reply)
    if (!isExpected)
      throw new ModelMismatch(`read ${JSON.stringify(reply)} instead of ${JSON.stringify(String(expected))}`)
    this.#consumed++
    return reply
  }
}
