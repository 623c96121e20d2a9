/** A mail server that reads and discards messages, as lean as possible. */
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'

export interface SinkOptions {
  /** PEM. */
  tls: { key: string; cert: string }
  /** Milliseconds from the arrival of commands to their replies, in place of a network's round trip. */
  pauseMs?: number
  /** Whether the server announces CHUNKING and accepts BDAT (RFC 3030). */
  hasChunking?: boolean
  /** @param line the RCPT command @returns whether the recipient is refused with 550 */
  refusesRecipient?(line: string): boolean
  /** Called with each message before its reply. A message sent with DATA includes the final dot. */
  onMessage?(message: Buffer): void
}

export function createSink(options: SinkOptions): Server {
  const secureContext = createSecureContext(options.tls)
  return createServer({ noDelay: true }, (socket) => {
    new SinkSession(socket, options, secureContext).greet()
  })
}

const lineFeed = 0x0a
const endOfData = Buffer.from('\r\n.\r\n')
const noOctets = Buffer.alloc(0)

/** Input may arrive in any segments. Searches for line ends are native, and content is not copied while it arrives. */
class SinkSession {
  readonly #socket: Socket
  readonly #options: SinkOptions
  readonly #secureContext: SecureContext
  #reads: 'Command' | 'Data' | 'Chunk' | 'Nothing' = 'Command'
  #partialLine = ''
  /** The last four octets of the data phase so far: the end of data may begin there. */
  #lastOctets: Buffer = noOctets
  /** Number of octets that the chunk still lacks. */
  #missing = 0
  #isLastChunk = false
  #hasRecipient = false
  /** The message so far. Stays empty unless `onMessage` needs it. */
  #content: Buffer[] = []
  #replies: string[] = []

  constructor(socket: Socket, options: SinkOptions, secureContext: SecureContext) {
    this.#socket = socket
    this.#options = options
    this.#secureContext = secureContext
    socket.on('error', () => {})
    socket.on('data', (input: Buffer) => this.#read(input))
  }

  greet(): void {
    this.#send('220 sink ESMTP')
  }

  #read(input: Buffer): void {
    for (let at = 0; at < input.length && this.#reads !== 'Nothing'; ) at = this.#readFrom(input, at)
    const replies = this.#replies
    if (replies.length === 0) return
    this.#replies = []
    this.#send(replies.join('\r\n'))
  }

  /** @returns the position of the first unread octet */
  #readFrom(input: Buffer, at: number): number {
    if (this.#reads === 'Data') return this.#readData(input, at)
    return this.#reads === 'Chunk' ? this.#readChunk(input, at) : this.#readCommand(input, at)
  }

  #readCommand(input: Buffer, at: number): number {
    const end = input.indexOf(lineFeed, at)
    if (end < 0) {
      this.#partialLine += input.toString('latin1', at)
      return input.length
    }
    const line = this.#partialLine + input.toString('latin1', at, end)
    this.#partialLine = ''
    const reply = this.#replyTo(line.trimEnd())
    if (reply !== null) this.#replies.push(reply)
    return end + 1
  }

  #readData(input: Buffer, at: number): number {
    const end = this.#findEndOfData(input, at)
    this.#keep(input.subarray(at, end ?? input.length))
    if (end !== null) this.#replies.push(this.#endMessage())
    return end ?? input.length
  }

  /** @returns the position after the final dot; null when the dot is not in the input */
  #findEndOfData(input: Buffer, at: number): number | null {
    const overlap = endOfData.length - 1
    const seam = Buffer.concat([this.#lastOctets, input.subarray(at, at + overlap)])
    const inSeam = seam.indexOf(endOfData)
    if (inSeam >= 0) return at + inSeam - this.#lastOctets.length + endOfData.length
    const start = input.indexOf(endOfData, at)
    if (start >= 0) return start + endOfData.length
    this.#lastOctets = (input.length - at < overlap ? seam : input).subarray(-overlap)
    return null
  }

  #readChunk(input: Buffer, at: number): number {
    const end = Math.min(input.length, at + this.#missing)
    this.#keep(input.subarray(at, end))
    this.#missing -= end - at
    if (this.#missing === 0) this.#replies.push(this.#endChunk())
    return end
  }

  #keep(octets: Buffer): void {
    if (this.#options.onMessage) this.#content.push(octets)
  }

  /** @returns null when the reply follows later */
  #replyTo(line: string): string | null {
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'EHLO') return this.#announce()
    if (verb === 'MAIL' || verb === 'RSET') return this.#reset()
    if (verb === 'RCPT') return this.#addRecipient(line)
    if (verb === 'DATA') return this.#startData()
    if (verb === 'BDAT' && this.#options.hasChunking) return this.#startChunk(line)
    if (verb === 'STAR') return this.#startTls()
    if (verb === 'QUIT') return this.#quit()
    return verb === 'NOOP' ? ok : '500 5.5.1 Unknown command'
  }

  #announce(): string {
    const startTls = this.#socket instanceof TLSSocket ? [] : ['STARTTLS']
    const chunking = this.#options.hasChunking ? ['CHUNKING'] : []
    return ['250-sink', ...['PIPELINING', ...startTls, ...chunking].map((word) => `250-${word}`)]
      .concat('250 8BITMIME')
      .join('\r\n')
  }

  #reset(): string {
    this.#hasRecipient = false
    this.#content = []
    return ok
  }

  #addRecipient(line: string): string {
    if (this.#options.refusesRecipient?.(line)) return '550 5.1.1 No such mailbox'
    this.#hasRecipient = true
    return ok
  }

  #startData(): string {
    if (!this.#hasRecipient) return noRecipient
    this.#reads = 'Data'
    this.#lastOctets = endOfData.subarray(0, 2)
    return '354 go on'
  }

  #startChunk(line: string): string | null {
    const [, octets, last] = /^BDAT (\d+)( LAST)?$/i.exec(line) ?? []
    if (octets === undefined) return '501 5.5.4 BDAT needs a number of octets'
    this.#missing = Number(octets)
    this.#isLastChunk = last !== undefined
    if (this.#missing === 0) return this.#endChunk()
    this.#reads = 'Chunk'
    return null
  }

  /** RFC 3030 §2: the server reads a chunk to its end, also a chunk that it refuses. */
  #endChunk(): string {
    this.#reads = 'Command'
    if (!this.#hasRecipient) {
      this.#content = []
      return noRecipient
    }
    return this.#isLastChunk ? this.#endMessage() : ok
  }

  #endMessage(): string {
    this.#reads = 'Command'
    this.#options.onMessage?.(Buffer.concat(this.#content))
    this.#reset()
    return '250 2.0.0 accepted'
  }

  #startTls(): null {
    this.#reads = 'Nothing'
    this.#socket.removeAllListeners('data')
    this.#send('220 2.0.0 go on', () => {
      const tls = new TLSSocket(this.#socket, { isServer: true, secureContext: this.#secureContext })
      new SinkSession(tls, this.#options, this.#secureContext)
    })
    return null
  }

  #quit(): null {
    this.#reads = 'Nothing'
    this.#send([...this.#replies.splice(0), '221 2.0.0 bye'].join('\r\n'), () => this.#socket.end())
    return null
  }

  /** Sends replies in one write, after the pause. */
  #send(replies: string, afterwards: () => void = () => {}): void {
    const send = () => {
      if (this.#socket.writable) this.#socket.write(`${replies}\r\n`)
      afterwards()
    }
    const { pauseMs = 0 } = this.#options
    if (pauseMs > 0) setTimeout(send, pauseMs)
    else send()
  }
}

const ok = '250 2.0.0 OK'
/** RFC 5321 §3.3. */
const noRecipient = '554 5.5.1 No valid recipients'
