/** What the client has written and received of one mail transaction, and the result that follows from it. */
import assert from 'node:assert/strict'
import type { OutgoingMail } from '../../../shared/net/smtp/mail-transaction.ts'
import type { Transaction } from '../../../shared/net/smtp/transaction-replies.ts'
import { isPositive, refusalCode, type SeenReply } from './seen-replies.ts'

/** Octets as one character each, with CRLF at the end of each line. */
export function canonicalContent(content: Buffer): string {
  const text = content.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n')
  return text.endsWith('\r\n') ? text : `${text}\r\n`
}

/** How the session ended, as far as a transaction's result depends on it. */
export interface SeenEnding {
  /** Whether the connection ended, and neither a time limit nor the client ended it. */
  isConnectionLost: boolean
  /** A reply that came before its command. */
  earlyReply: SeenReply | null
}

export class SeenTransaction {
  readonly addresses: readonly string[]
  readonly sender: string
  readonly content: string
  readonly usesChunking: boolean
  mailReply: SeenReply | null = null
  readonly recipientReplies: SeenReply[] = []
  dataReply: SeenReply | null = null
  readonly contentReplies: SeenReply[] = []
  /** Number of RCPT commands that were written. */
  writtenRecipients = 0
  isMailWritten = false
  isDataWritten = false
  chunkCount = 0
  writtenContent = 0
  isContentWritten = false
  receivedOctets = 0
  result: Transaction | null = null

  constructor({ mail, recipients, content }: OutgoingMail, usesChunking: boolean) {
    this.addresses = recipients.map(({ address }) => address)
    this.sender = mail.envelope.mailFrom
    this.content = canonicalContent(content)
    this.usesChunking = usesChunking
  }

  get hasAcceptedRecipient(): boolean {
    return this.mailReply !== null && isPositive(this.mailReply) && this.recipientReplies.some(isPositive)
  }

  get #contentRefusal(): SeenReply | null {
    return this.contentReplies.find((reply) => !isPositive(reply)) ?? null
  }

  get #isAnswered(): boolean {
    const count = this.usesChunking ? this.chunkCount : 1
    return this.isContentWritten && this.contentReplies.length === count
  }

  get #isSenderRefused(): boolean {
    return this.mailReply !== null && !isPositive(this.mailReply)
  }

  /** The refusal of the recipient or of all recipients, before the content. */
  #refusalOf(index: number): SeenReply | null {
    if (this.#isSenderRefused) return this.mailReply
    const reply = this.recipientReplies[index]
    return reply && !isPositive(reply) ? reply : null
  }

  get #isEnvelopeRefused(): boolean {
    return this.addresses.every((_, index) => this.#refusalOf(index) !== null)
  }

  check(result: Transaction, ending: SeenEnding): void {
    assert.equal(this.result, null, 'a second result of one message')
    this.result = result
    assert.deepEqual([...result.replies.keys()], [...this.addresses])
    for (const [index, address] of this.addresses.entries()) this.#checkReply(result, index, address, ending)
    assert.deepEqual(result.unanswered, this.#expectedUnanswered, 'unanswered')
    assert.equal(result.isNotBegun, this.#isNotBegun(ending), 'isNotBegun')
    assert.equal(result.chunkingFault, this.#expectedChunkingFault(ending), 'chunkingFault')
  }

  #checkReply(result: Transaction, index: number, address: string, ending: SeenEnding): void {
    const { code = 0 } = result.replies.get(address) ?? {}
    const refusal = this.#refusalOf(index) ?? this.#contentRefusal
    if (refusal) assert.equal(code, refusalCode(refusal), `the refusal of ${address}`)
    else if (this.#isAnswered) {
      assert.ok(this.mailReply && this.recipientReplies[index], 'delivered without an accepted envelope')
      assert.equal(code, this.contentReplies.at(-1)?.code, `the reply for ${address}`)
    } else if (this.dataReply && this.dataReply.code >= 400)
      assert.equal(code, refusalCode(this.dataReply), 'the reply to DATA')
    else this.#checkUnknown(code, ending)
  }

  /** Without a reply to the message, its delivery is repeated, unless the server refused the content early. */
  #checkUnknown(code: number, { earlyReply }: SeenEnding): void {
    const mayBeRefused = this.dataReply !== null || this.writtenContent > 0
    const refusals = [this.dataReply, earlyReply].filter((reply) => reply !== null)
    if (mayBeRefused && refusals.some((reply) => code === refusalCode(reply))) return
    assert.ok(code >= 400 && code < 500, `${code} without a reply to the message`)
  }

  get #expectedUnanswered(): string[] {
    if (!this.isContentWritten || this.#isAnswered || this.#contentRefusal) return []
    return this.addresses.filter((_, index) => this.#refusalOf(index) === null)
  }

  #isNotBegun({ isConnectionLost }: SeenEnding): boolean {
    return this.#isSenderRefused || (isConnectionLost && this.receivedOctets === 0 && !this.isContentWritten)
  }

  #expectedChunkingFault({ earlyReply }: SeenEnding): Transaction['chunkingFault'] {
    if (!this.usesChunking) return null
    const code = this.#contentRefusal?.code ?? 0
    if (code >= 500 && code <= 504 && !this.#isEnvelopeRefused) return 'Refused'
    const hasNoReply = this.writtenContent > 0 && this.contentReplies.length === 0
    return hasNoReply && !this.#isEnvelopeRefused && earlyReply === null ? 'Unanswered' : null
  }
}
