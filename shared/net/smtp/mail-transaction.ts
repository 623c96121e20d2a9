/**
 * One mail transaction of the client: MAIL, RCPT, and the content by BDAT (RFC 3030) or DATA. Without sockets and
 * clocks. The attack: a server that would read content as commands, because it did not ask for the content (RFC 5321
 * §4.3.2) or does not know BDAT. The defence: DATA's content follows only a 3yz reply after which nothing else was
 * received. When a server that announces CHUNKING refuses BDAT, the connection ends. Not covered: the content of that one
 * BDAT.
 */
import type { Recipient } from '../../contract/message.ts'
import { type Extensions, formatMailCommand, formatRecipientCommand, type MessageTraits } from '../esmtp.ts'
import { replyForFault, type SmtpFault, timedOutReply } from '../smtp-faults.ts'
import type { ClientSession, ReplyHandler } from './client-session.ts'
import type { ServerReply } from './reply-reader.ts'
import type { TlsClearance } from './tls-clearance.ts'
import { type Ending, type Transaction, TransactionReplies } from './transaction-replies.ts'
import {
  type ContentLimits,
  chunkPieces,
  dataPieces,
  defaultContentLimits,
  type Piece,
  toWireContent,
} from './wire-content.ts'

export interface OutgoingMail {
  mail: MessageTraits
  recipients: readonly Recipient[]
  content: Buffer
}

export interface TransactionOptions {
  extensions: Extensions
  /** Whether the content is sent by BDAT. */
  usesChunking: boolean
  /** Whether the content may be sent in one flight with MAIL and RCPT. */
  mayShareFlight: boolean
  /** @default `defaultContentLimits` */
  limits?: ContentLimits
  /** Whether the time limit of the attempt is reached. */
  isTimedOut(): boolean
  /** The content's last octet was written. */
  onContentSent(): void
}

/** A command that has no reply yet; a recipient stands for its RCPT. */
type AwaitedCommand = 'Mail' | Recipient | 'Data' | 'Content'

const duplicateWarning = 'after the message and before its reply: it may arrive twice'

export class MailTransaction implements ReplyHandler {
  readonly #session: ClientSession
  readonly #clearance: TlsClearance
  readonly #mail: OutgoingMail
  readonly #options: TransactionOptions
  readonly #onResult: (result: Transaction) => void
  readonly #content: Buffer
  readonly #limits: ContentLimits
  readonly #isPipelined: boolean
  readonly #replies: TransactionReplies
  readonly #awaited: AwaitedCommand[] = []
  /** Number of recipients whose RCPT was written. */
  #writtenRecipients = 0
  /** The pieces of the content that are not written yet; null before the first. */
  #pieces: Iterator<Piece, void> | null = null
  /** Whether the next chunk waits for the reply to the previous one. */
  #isChunkAwaited = false
  /** Whether the connection has written the last piece. */
  #isDrained = true
  #isContentBegun = false
  #isContentSent = false
  #hasFailed = false

  /** Begins the transaction. */
  constructor(
    session: ClientSession,
    clearance: TlsClearance,
    mail: OutgoingMail,
    options: TransactionOptions,
    onResult: (result: Transaction) => void,
  ) {
    this.#session = session
    this.#clearance = clearance
    this.#mail = mail
    this.#options = options
    this.#onResult = onResult
    this.#content = toWireContent(mail.content)
    this.#limits = options.limits ?? defaultContentLimits
    this.#isPipelined = options.extensions.has('PIPELINING')
    const addresses = mail.recipients.map(({ address }) => address)
    this.#replies = new TransactionReplies(addresses, options.usesChunking)
    session.restartLimits()
    session.begin(this)
    if (this.#isPipelined) this.#startPipelined()
    else this.#write(this.#mailCommand, ['Mail'])
  }

  reply(reply: ServerReply): void {
    const awaited = this.#awaited.shift()
    if (awaited === 'Mail') this.#replies.addMail(reply)
    else if (awaited === 'Data') this.#replies.addData(reply)
    else if (awaited === 'Content') this.#replies.addContent(reply)
    else if (awaited) this.#replies.addRecipient(awaited.address, reply)
    // The limits must not cause a duplicate: the reply to content that was already sent has limits of its own.
    if (this.#isContentSent && awaited !== 'Content' && this.#awaited[0] === 'Content')
      this.#session.restartLimits()
  }

  step(): void {
    if (this.#pieces !== null) this.#stepInContent()
    else if (this.#awaited.length === 0) this.#stepInEnvelope()
  }

  drained(): void {
    this.#isDrained = true
    this.#continueContent()
  }

  /** RFC 5321 §6.1: the client cannot find out whether a message without its final reply was accepted. */
  fault(fault: SmtpFault): void {
    this.#hasFailed = true
    const isComplete = this.#isContentSent && this.#awaited.length === 0
    const ending = isComplete || this.#replies.isRefused ? null : this.#endingOf(fault)
    this.#onResult(this.#replies.toTransaction(ending))
  }

  #endingOf(fault: SmtpFault): Ending {
    // A reply out of turn during the content is the server's refusal, so its 5yz code counts.
    if (fault.kind !== 'Ended')
      return {
        answer: replyForFault(
          this.#replies.data || this.#isContentBegun ? { ...fault, kind: 'Refused' } : fault,
        ),
      }
    const isTimedOut = this.#options.isTimedOut() || fault.cause === 'ETIMEDOUT'
    const answer = isTimedOut ? timedOutReply : replyForFault(fault)
    const isChunkUnanswered = this.#isContentBegun && this.#replies.content === null
    if (this.#isContentSent) {
      const text = `${answer.text}, ${duplicateWarning}`
      return { answer: { ...answer, text }, isUnanswered: true, isChunkUnanswered }
    }
    return { answer, isNotBegun: !isTimedOut && this.#session.receivedOctets === 0, isChunkUnanswered }
  }

  #startPipelined(): void {
    const { recipients } = this.#mail
    const { usesChunking, mayShareFlight } = this.#options
    this.#writtenRecipients = recipients.length
    const commands = [this.#mailCommand, ...recipients.map((recipient) => this.#recipientCommand(recipient))]
    const awaited: AwaitedCommand[] = ['Mail', ...recipients]
    if (!usesChunking) this.#write([...commands, 'DATA'].join('\r\n'), [...awaited, 'Data'])
    else if (!mayShareFlight || this.#content.length > this.#limits.flight)
      this.#write(commands.join('\r\n'), awaited)
    else {
      this.#awaited.push(...awaited)
      this.#pieces = chunkPieces(this.#content, `${commands.join('\r\n')}\r\n`, this.#limits)
      this.#writeContent(this.#pieces, awaited.length)
    }
  }

  /** All commands so far have their replies. */
  #stepInEnvelope(): void {
    const { data, isEnvelopeRefused } = this.#replies
    const next = this.#mail.recipients[this.#writtenRecipients]
    // RFC 2920 §3.1: a server may ask for content although it has accepted no recipient. RFC 5321 §4.3.2: a server that
    // replies 250 to DATA would read the message as commands.
    if (data !== null && data.code < 400 && (isEnvelopeRefused || data.code < 300))
      this.#session.destroy({ kind: 'UnexpectedReply', response: data.text })
    else if (isEnvelopeRefused || (data !== null && data.code >= 400)) this.#finish()
    else if (next) {
      this.#writtenRecipients++
      this.#write(this.#recipientCommand(next), [next])
    } else if (data === null && !this.#options.usesChunking) this.#write('DATA', ['Data'])
    else {
      this.#pieces =
        data === null ? chunkPieces(this.#content, '', this.#limits) : dataPieces(this.#content, this.#limits)
      this.#writeContent(this.#pieces)
    }
  }

  #stepInContent(): void {
    const { content, isContentRefused, isChunkingRefused } = this.#replies
    // After an incomplete chunk, or in a message, the server would read the next command as content.
    if (isChunkingRefused || (isContentRefused && !this.#isContentSent))
      this.#session.destroy({ kind: 'Refused', response: content?.text ?? '' })
    else if (this.#awaited.length > 0) return
    else if (this.#isContentSent) this.#finish()
    else if (this.#isChunkAwaited) {
      this.#isChunkAwaited = false
      this.#continueContent()
    }
  }

  #continueContent(): void {
    if (this.#isContentSent || this.#isChunkAwaited || !this.#isDrained) return
    if (this.#pieces !== null) this.#writeContent(this.#pieces)
  }

  get #mailCommand(): string {
    return formatMailCommand(this.#mail.mail, this.#options.extensions)
  }

  #recipientCommand(recipient: Recipient): string {
    return formatRecipientCommand(recipient, this.#options.extensions)
  }

  #write(commands: string, awaited: readonly AwaitedCommand[]): void {
    this.#awaited.push(...awaited)
    this.#session.write(this.#clearance, `${commands}\r\n`, awaited.length)
    this.#session.startWait('Reply')
  }

  /** @param commandCount number of commands in the first piece that have replies, besides BDAT */
  #writeContent(pieces: Iterator<Piece, void>, commandCount = 0): void {
    let expectedReplies = commandCount
    for (let next = pieces.next(); !next.done; next = pieces.next()) {
      const { octets, hasReply, endsChunk, isLast } = next.value
      if (hasReply) this.#awaited.push('Content')
      const replyCount = expectedReplies + (hasReply ? 1 : 0)
      this.#isDrained = this.#options.usesChunking
        ? this.#session.write(this.#clearance, octets, replyCount)
        : this.#session.writeContent(this.#clearance, octets, replyCount)
      expectedReplies = 0
      if (this.#hasFailed) return
      this.#isContentBegun = true
      if (isLast) this.#finishContent()
      // RFC 3030 §2: only a server with PIPELINING takes a chunk before its reply to the previous one.
      else if (endsChunk && !this.#isPipelined) {
        this.#isChunkAwaited = true
        this.#session.startWait('Reply')
        return
      } else if (!this.#isDrained) {
        this.#session.startWait('Drain')
        return
      }
    }
  }

  #finishContent(): void {
    this.#isContentSent = true
    if (this.#awaited.length === 1) this.#session.restartLimits()
    this.#session.startWait('FinalReply')
    this.#options.onContentSent()
  }

  #finish(): void {
    this.#session.finish()
    this.#onResult(this.#replies.toTransaction(null))
  }
}
