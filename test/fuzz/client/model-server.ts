/**
 * A server that reads commands and content by RFC 5321, RFC 2920 and RFC 3030, and accepts or refuses them at random. It
 * records the accepted messages, and each command that a client must not send in its place.
 */
import type { Random } from '../../support/random.ts'
import { alterReply, randomReply } from './alterations.ts'

export interface AcceptedMessage {
  from: string
  recipients: string[]
  content: string
}

/** The content that is read now: up to the end of data, or the rest of a chunk. */
type Reading = { kind: 'Data' } | { kind: 'Chunk'; rest: number; isLast: boolean; isAccepted: boolean }

export class ModelServer {
  readonly #random: Random
  readonly #alterations: number
  /** One character for each octet. */
  #input = ''
  #reading: Reading | null = null
  #transaction: AcceptedMessage | null = null
  /** True after a refused chunk, until RSET (RFC 3030 §2). */
  #isIndeterminate = false
  #isSecure = false
  #extensions: readonly string[] = []
  /** The octets that the client has not received yet. */
  output = ''
  isClosed = false
  awaitsHandshake = false
  readonly accepted: AcceptedMessage[] = []
  readonly clientFaults: string[] = []

  constructor(random: Random, alterations: number) {
    this.#random = random
    this.#alterations = alterations
    if (random.happens(0.97)) this.#reply(220, 'mx.partner.example ESMTP')
    else this.#refuse()
  }

  read(octets: string): void {
    this.#input += octets
    while (!this.isClosed && !this.awaitsHandshake)
      if (!(this.#reading ? this.#readContent(this.#reading) : this.#readCommand())) return
  }

  secure(): void {
    this.awaitsHandshake = false
    this.#isSecure = true
    this.#input = this.output = ''
  }

  /** Sends a reply without a command, as a server does before it closes an idle connection. */
  close(): void {
    if (!this.isClosed && this.#random.happens(0.5)) this.output += '421 4.4.2 Idle too long\r\n'
    this.isClosed = true
  }

  #readCommand(): boolean {
    const end = this.#input.indexOf('\r\n')
    if (end < 0) return false
    const line = this.#input.slice(0, end)
    this.#input = this.#input.slice(end + 2)
    this.#run(line)
    return true
  }

  #run(line: string): void {
    const [verb = '', argument = ''] = line.split(/ (.*)/)
    if (verb === 'BDAT') this.#startChunk(argument)
    else if (this.#random.happens(0.01)) this.#refuseAndClose()
    else if (verb === 'EHLO') this.#greet()
    else if (verb === 'HELO') this.#replyTo(0.02, 250, 'mx.partner.example')
    else if (verb === 'STARTTLS') this.#startTls()
    else if (verb === 'MAIL') this.#startTransaction(argument)
    else if (verb === 'RCPT') this.#addRecipient(argument)
    else if (verb === 'DATA') this.#startData()
    else if (verb === 'RSET') this.#reset()
    else if (verb === 'QUIT') this.#quit()
    else this.#refuseFault(`the command ${line}`)
  }

  #greet(): void {
    this.#transaction = null
    if (this.#random.happens(0.04)) {
      this.#reply(this.#random.of([421, 500, 502, 550]), 'No EHLO')
      return
    }
    const optional = [
      'PIPELINING',
      'CHUNKING',
      '8BITMIME',
      'SIZE',
      'SIZE 400',
      'DSN',
      'LIMITS RCPTMAX=2',
      'HELP',
    ]
    this.#extensions = [
      ...optional.filter(() => this.#random.happens(0.7)),
      ...(!this.#isSecure && this.#random.happens(0.8) ? ['STARTTLS'] : []),
    ]
    this.#reply(250, ['mx.partner.example', ...this.#extensions])
  }

  #startTls(): void {
    if (this.#isSecure) this.#refuseFault('STARTTLS over TLS')
    else if (this.#replyTo(0.1, 220, 'Ready')) {
      this.awaitsHandshake = true
      if (this.#random.happens(0.3)) this.#inject()
    }
  }

  /** An attacker adds octets in the clear. A client that follows RFC 3207 §6 discards them. */
  #inject(): void {
    const strayReply = randomReply(this.#random)
    this.output += strayReply.slice(0, this.#random.of([3, strayReply.length]))
  }

  #startTransaction(argument: string): void {
    const [, from] = /^FROM:<([^>]*)>/.exec(argument) ?? []
    if (from === undefined || this.#transaction || this.#isIndeterminate)
      this.#refuseFault(`MAIL ${argument}`)
    else if (this.#replyTo(0.08, 250, 'Sender ok')) this.#transaction = { from, recipients: [], content: '' }
  }

  #addRecipient(argument: string): void {
    const [, address] = /^TO:<([^>]*)>/.exec(argument) ?? []
    if (address === undefined) this.#refuseFault(`RCPT ${argument}`)
    else if (!this.#transaction) this.#reply(503, 'No sender')
    else if (this.#replyTo(0.25, this.#random.of([250, 250, 251]), 'Recipient ok'))
      this.#transaction.recipients.push(address)
  }

  #startData(): void {
    const hasRecipients = (this.#transaction?.recipients.length ?? 0) > 0
    // RFC 2920 §3.1: a server may ask for content although it has accepted no recipient.
    if (!hasRecipients && (!this.#transaction || this.#random.happens(0.7))) this.#reply(503, 'No recipients')
    else if (this.#replyTo(0.08, 354, 'Go ahead')) this.#reading = { kind: 'Data' }
  }

  #startChunk(argument: string): void {
    const [, size = '', last] = /^(\d+)( LAST)?$/.exec(argument) ?? []
    if (size === '' || !this.#extensions.includes('CHUNKING')) {
      this.#refuseFault(`BDAT ${argument}`)
      return
    }
    const isAccepted = (this.#transaction?.recipients.length ?? 0) > 0 && !this.#isIndeterminate
    this.#reading = { kind: 'Chunk', rest: Number(size), isLast: last !== undefined, isAccepted }
  }

  #readContent(reading: Reading): boolean {
    return reading.kind === 'Data' ? this.#readData() : this.#readChunk(reading)
  }

  #readData(): boolean {
    const [whole, stuffed] = /^((?:[\s\S]*?\r\n)??)\.\r\n/.exec(this.#input) ?? []
    if (whole === undefined || stuffed === undefined) return false
    this.#input = this.#input.slice(whole.length)
    this.#reading = null
    if (/\r(?!\n)|(?<!\r)\n/.test(stuffed)) this.clientFaults.push('a bare newline')
    this.#finishMessage(stuffed.replace(/(^|\r\n)\./g, '$1'), false)
    return true
  }

  #readChunk(reading: Extract<Reading, { kind: 'Chunk' }>): boolean {
    const octets = this.#input.slice(0, reading.rest)
    this.#input = this.#input.slice(octets.length)
    reading.rest -= octets.length
    if (reading.isAccepted && this.#transaction) this.#transaction.content += octets
    if (reading.rest > 0) return false
    this.#reading = null
    if (!reading.isAccepted) this.#failChunk(() => this.#reply(503, 'No transaction'))
    else if (reading.isLast) this.#finishMessage(this.#transaction?.content ?? '', true)
    else if (this.#random.happens(0.06)) this.#failChunk(() => this.#refuse())
    else this.#reply(250, 'Chunk ok')
    return true
  }

  #failChunk(refuse: () => void): void {
    this.#isIndeterminate = true
    refuse()
  }

  #finishMessage(content: string, isChunked: boolean): void {
    const message = this.#transaction
    this.#transaction = null
    if (!message || message.recipients.length === 0) {
      this.#reply(554, 'No valid recipients')
      return
    }
    if (this.#random.happens(0.15)) {
      this.#isIndeterminate = isChunked
      this.#refuse()
      return
    }
    this.accepted.push({ ...message, content })
    if (this.#random.happens(0.04)) this.isClosed = true
    else this.#reply(250, 'Queued')
    // Some servers close a session after its first message without notice.
    if (this.#random.happens(0.04)) this.isClosed = true
  }

  #reset(): void {
    if (!this.#replyTo(0.03, 250, 'Reset')) return
    this.#transaction = null
    this.#isIndeterminate = false
  }

  #quit(): void {
    this.#reply(221, 'Bye')
    this.isClosed = true
  }

  #refuseFault(fault: string): void {
    this.clientFaults.push(fault)
    this.#reply(500, 'Not here')
  }

  #refuseAndClose(): void {
    this.#reply(421, 'Closing')
    this.isClosed = true
  }

  /** @returns whether the reply is the positive one */
  #replyTo(refusals: number, code: number, text: string): boolean {
    if (this.#random.happens(refusals)) this.#refuse()
    else {
      this.#reply(code, text)
      return true
    }
    return false
  }

  #refuse(): void {
    this.#reply(this.#random.of([421, 450, 451, 452, 501, 503, 550, 552, 554]), 'Refused')
  }

  #reply(code: number, text: string | string[]): void {
    const lines = typeof text !== 'string' ? text : this.#random.happens(0.1) ? ['more', text] : [text]
    const formatted = lines
      .map((line, index) => `${code}${index === lines.length - 1 ? ' ' : '-'}${line}\r\n`)
      .join('')
    const isAltered = this.#alterations > 0 && this.#random.happens(this.#alterations)
    this.output += isAltered ? alterReply(formatted, this.#random) : formatted
  }
}
