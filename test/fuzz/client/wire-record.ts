/**
 * Reads both directions of a session as the client sees them, independently of the client, and throws at the first octet
 * that the client must not write.
 */
import assert from 'node:assert/strict'
import { isPositive, SeenReplies, type SeenReply } from './seen-replies.ts'
import type { SeenEnding, SeenTransaction } from './seen-transaction.ts'
import type { SessionPlan } from './session-plan.ts'

type Verb = 'Greeting' | 'EHLO' | 'HELO' | 'STARTTLS' | 'MAIL' | 'RCPT' | 'DATA' | 'Content' | 'RSET' | 'QUIT'

/** Commands after which further commands may follow before the reply (RFC 2920 §3.1). */
const pipelinedVerbs: readonly Verb[] = ['MAIL', 'RCPT', 'Content', 'RSET']

export class WireRecord {
  readonly #plan: SessionPlan
  readonly #replies = new SeenReplies()
  /** The commands without a reply. */
  readonly #awaited: Verb[] = ['Greeting']
  #latest: SeenReply | null = null
  #earlyReply: SeenReply | null = null
  #opening: Verb = 'Greeting'
  #line = ''
  /** Octets of the current chunk that are not written; null outside a chunk. */
  #chunkRest: number | null = null
  /** The octets of DATA's content that are not written; null outside DATA. */
  #dataRest: string | null = null
  #extensions: ReadonlySet<string> = new Set()
  #transaction: SeenTransaction | null = null
  #mayShareFlight = true
  #isReset = false
  isSecure = false
  isInHandshake = false
  isCleared = false
  /** Null while the connection is open. */
  endCause: string | null = null

  constructor(plan: SessionPlan) {
    this.#plan = plan
  }

  get isAwaitingReply(): boolean {
    return this.#awaited.length > 0
  }

  /** Whether the client has received octets that belong to no command. */
  get hasUnread(): boolean {
    return this.#earlyReply !== null || (!this.isAwaitingReply && this.#replies.partial !== '')
  }

  /** Whether the last octets that were written are content, and more content follows. */
  get isInContent(): boolean {
    const { isContentWritten = true, writtenContent = 0 } = this.#transaction ?? {}
    return writtenContent > 0 && !isContentWritten
  }

  get isContentWritten(): boolean {
    return this.#transaction?.isContentWritten ?? false
  }

  get ending(): SeenEnding {
    const isConnectionLost = this.endCause !== null && !['ETIMEDOUT', 'own'].includes(this.endCause)
    const partialReply = this.hasUnread ? { code: 0, lines: this.#replies.partial.split('\n') } : null
    return { isConnectionLost, earlyReply: this.#earlyReply ?? partialReply }
  }

  end(cause: string): void {
    this.endCause ??= cause
  }

  secure(): void {
    this.isSecure = true
    this.isInHandshake = false
    this.#opening = 'Greeting'
  }

  expectTransaction(transaction: SeenTransaction, mayShareFlight: boolean): void {
    this.#transaction = transaction
    this.#mayShareFlight = mayShareFlight
  }

  expectReset(): void {
    this.#transaction = null
    this.#isReset = true
  }

  /** The client receives octets. */
  received(octets: string): void {
    if (this.#transaction && !this.#transaction.result) this.#transaction.receivedOctets += octets.length
    for (const octet of octets) {
      if (this.isInHandshake || this.endCause !== null) return
      const reply = this.#replies.read(octet)
      if (reply) this.#match(reply)
    }
  }

  /** The client writes octets. @throws AssertionError when it must not */
  written(octets: string): void {
    assert.equal(this.endCause, null, 'octets after the end of the connection')
    assert.ok(!this.isInHandshake, 'octets in the handshake')
    assert.equal(this.#earlyReply, null, 'octets after a reply without a command')
    let rest = octets
    while (rest !== '') rest = this.#readContent(rest) ?? this.#readCommand(rest)
  }

  #match(reply: SeenReply): void {
    const awaited = this.#awaited.shift()
    if (awaited === undefined || this.#earlyReply) {
      this.#earlyReply ??= reply
      return
    }
    this.#latest = reply
    const transaction = this.#transaction
    if (awaited === 'EHLO' || awaited === 'HELO') this.#extensions = extensionsOf(reply)
    else if (awaited === 'STARTTLS' && isPositive(reply)) {
      this.isInHandshake = true
      this.#replies.clear()
    } else if (!transaction) return
    else if (awaited === 'MAIL') transaction.mailReply = reply
    else if (awaited === 'RCPT') transaction.recipientReplies.push(reply)
    else if (awaited === 'Content') transaction.contentReplies.push(reply)
    else if (awaited === 'DATA') {
      transaction.dataReply = reply
      if (reply.code >= 300 && reply.code < 400) this.#dataRest = stuffed(transaction.content)
    }
  }

  /** @returns the octets after the content; null outside content */
  #readContent(octets: string): string | null {
    const transaction = this.#transaction
    if (transaction && this.#chunkRest !== null) {
      const part = octets.slice(0, this.#chunkRest)
      const at = transaction.writtenContent
      assert.equal(part, transaction.content.slice(at, at + part.length), 'the content of a chunk')
      transaction.writtenContent += part.length
      this.#chunkRest = this.#chunkRest > part.length ? this.#chunkRest - part.length : null
      transaction.isContentWritten =
        this.#chunkRest === null && transaction.writtenContent === transaction.content.length
      return octets.slice(part.length)
    }
    if (!transaction || this.#dataRest === null) return null
    if (transaction.writtenContent === 0) {
      assert.ok(transaction.hasAcceptedRecipient, 'content without an accepted recipient')
      assert.ok(!this.hasUnread, 'content after a reply without a command')
    }
    assert.equal(octets, this.#dataRest.slice(0, octets.length), 'the content of DATA')
    transaction.writtenContent += octets.length
    this.#dataRest = this.#dataRest.slice(octets.length)
    if (this.#dataRest !== '') return ''
    this.#dataRest = null
    transaction.isContentWritten = true
    this.#awaited.push('Content')
    return ''
  }

  /** @returns the octets after the command */
  #readCommand(octets: string): string {
    const end = octets.indexOf('\r\n')
    assert.ok(end >= 0, 'a command without a line end')
    this.#line = octets.slice(0, end)
    const [, word = ''] = /^([A-Z]+)( |$)/.exec(this.#line) ?? []
    const verb = (word === 'BDAT' ? 'Content' : word) as Verb
    assert.ok(!this.hasUnread, 'a command after a reply without a command')
    const mayFollow =
      this.#extensions.has('PIPELINING') && this.#awaited.every((each) => pipelinedVerbs.includes(each))
    assert.ok(this.#awaited.length === 0 || mayFollow, `${verb} before the reply to ${this.#awaited.at(-1)}`)
    if (['EHLO', 'HELO', 'STARTTLS'].includes(verb)) this.#checkOpening(verb)
    else if (verb === 'QUIT') assert.ok(!this.isInContent, 'QUIT in the content')
    else this.#checkCleared(verb)
    this.#awaited.push(verb)
    return octets.slice(end + 2)
  }

  #checkOpening(verb: Verb): void {
    assert.ok(!this.isCleared && this.#latest, `${verb} at the wrong time`)
    const hasRefusedEhlo = this.#opening === 'EHLO' && this.#latest.code >= 500
    if (verb === 'EHLO') assert.equal(this.#opening, 'Greeting')
    else if (verb === 'HELO')
      assert.ok(hasRefusedEhlo && (this.isSecure || this.#plan.startTls !== 'Required'), 'HELO')
    else this.#checkStartTls()
    this.#opening = verb
  }

  #checkStartTls(): void {
    const { startTls } = this.#plan
    const isWanted =
      startTls === 'Required' || (startTls === 'WhenOffered' && this.#extensions.has('STARTTLS'))
    assert.ok(this.#opening === 'EHLO' && !this.isSecure && isWanted, 'STARTTLS')
  }

  #checkCleared(verb: Verb): void {
    assert.ok(this.isCleared, `${verb} before the TLS was assessed`)
    assert.ok(this.isSecure || this.#plan.enforced.level === 'Opportunistic', `${verb} in the clear`)
    const transaction = this.#transaction
    if (verb === 'RSET') {
      assert.ok(this.#isReset, 'RSET')
      this.#isReset = false
    } else if (!transaction || transaction.result) assert.fail(`${verb} outside a transaction`)
    else if (verb === 'MAIL') this.#checkMail(transaction)
    else if (verb === 'RCPT') this.#checkRecipient(transaction)
    else if (verb === 'DATA') this.#checkData(transaction)
    else if (verb === 'Content') this.#checkChunk(transaction)
    else assert.fail(`the command ${this.#line}`)
  }

  #checkMail(transaction: SeenTransaction): void {
    assert.ok(!transaction.isMailWritten, 'a second MAIL')
    const extensions = ['SIZE=SIZE', 'BODY=8BITMIME', 'RET=DSN', 'ENVID=DSN']
    this.#checkParameters(`MAIL FROM:<${transaction.sender}>`, extensions)
    transaction.isMailWritten = true
  }

  #checkRecipient(transaction: SeenTransaction): void {
    assert.ok(transaction.isMailWritten && !transaction.isDataWritten && transaction.chunkCount === 0, 'RCPT')
    const address = transaction.addresses[transaction.writtenRecipients]
    this.#checkParameters(`RCPT TO:<${address}>`, ['NOTIFY=DSN', 'ORCPT=DSN'])
    transaction.writtenRecipients++
  }

  /** @param permitted each parameter and its extension, such as `RET=DSN` */
  #checkParameters(command: string, permitted: readonly string[]): void {
    assert.ok(this.#line.startsWith(command), `${this.#line} instead of ${command}`)
    for (const parameter of this.#line.slice(command.length).split(' ').slice(1)) {
      const [name] = parameter.split('=')
      const isPermitted = [...this.#extensions].some((extension) =>
        permitted.includes(`${name}=${extension}`),
      )
      assert.ok(isPermitted, `the parameter ${parameter}`)
    }
  }

  #checkData(transaction: SeenTransaction): void {
    const isComplete = transaction.writtenRecipients === transaction.addresses.length
    assert.ok(isComplete && !transaction.isDataWritten && !transaction.usesChunking, 'DATA')
    transaction.isDataWritten = true
  }

  #checkChunk(transaction: SeenTransaction): void {
    const [, size = '', last] = /^BDAT (\d+)( LAST)?$/.exec(this.#line) ?? []
    const { content, writtenContent, writtenRecipients, addresses, contentReplies } = transaction
    assert.ok(this.#extensions.has('CHUNKING') && transaction.usesChunking, 'BDAT')
    assert.ok(writtenRecipients === addresses.length, 'BDAT before RCPT')
    assert.ok(contentReplies.every(isPositive), 'BDAT after a refused chunk')
    const rest = content.length - writtenContent
    assert.ok(Number(size) > 0 && Number(size) <= rest, `BDAT ${size} of ${rest} octets`)
    assert.equal(last !== undefined, Number(size) === rest, 'LAST')
    const { chunk, flight } = this.#plan.limits
    if (this.#extensions.has('PIPELINING')) assert.ok(Number(size) <= chunk, `a chunk of ${size} octets`)
    if (!transaction.hasAcceptedRecipient) {
      assert.ok(this.#mayShareFlight && content.length <= flight, 'content before the replies to RCPT')
      assert.ok(transaction.mailReply === null, 'content without an accepted recipient')
    }
    transaction.chunkCount++
    this.#chunkRest = Number(size)
  }
}

const stuffed = (content: string): string => `${content.replace(/(^|\r\n)\./g, '$1..')}.\r\n`

function extensionsOf(reply: SeenReply): ReadonlySet<string> {
  if (!isPositive(reply)) return new Set()
  return new Set(
    reply.lines.slice(1).map((line) => (line.slice(4).trim().split(/\s+/)[0] ?? '').toUpperCase()),
  )
}
