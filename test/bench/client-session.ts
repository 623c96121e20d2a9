/**
 * One session of a sending server, as lean as possible: it creates no promise and no text for an expected reply. The
 * session sends MAIL, RCPT and DATA in one write (RFC 2920), and the message after the 354; or all of a transaction in
 * one write, by BDAT.
 */
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls'

export interface SessionOptions {
  port: number
  /** Options of STARTTLS; null leaves the session without TLS. */
  tls: { context: SecureContext; session: Buffer | null } | null
  /** Includes the final dot. */
  /** The content with its final dot, or a whole transaction if `isPipelined`. */
  message: Buffer
  isPipelined: boolean
  /** Default: a@elsewhere.example. */
  sender?: string | undefined
}

export interface SessionEvents {
  /** Called when a transaction can begin. */
  ready(): void
  /** Called when the reply to the message was 250. */
  accepted(): void
  /** Called when the server has answered QUIT. */
  ended(): void
  /** Called when the session has failed. No other call follows. */
  failed(cause: string): void
  secured?(socket: TLSSocket): void
  /** Called with a ticket that a later session may resume. */
  ticket?(session: Buffer): void
}

/** For each phase, the expected reply codes in order. */
const expectedCodes = {
  Greeting: [220],
  Ehlo: [250],
  StartTls: [220],
  Handshake: [],
  Ready: [],
  Envelope: [250, 250, 354],
  Content: [250],
  Pipelined: [250, 250, 250],
  Quit: [221],
} satisfies Record<string, number[]>

type Phase = keyof typeof expectedCodes

const ehlo = Buffer.from('EHLO load.example\r\n')
const startTls = Buffer.from('STARTTLS\r\n')
const envelopeFrom = (sender = 'a@elsewhere.example') =>
  `MAIL FROM:<${sender}>\r\nRCPT TO:<b@ours.example>\r\n`
const quit = Buffer.from('QUIT\r\n')
const lineFeed = 0x0a
const hyphen = 0x2d
const emptyBuffer = Buffer.alloc(0)

export class ClientSession {
  readonly #options: SessionOptions
  readonly #events: SessionEvents
  readonly #envelope: Buffer
  #socket: Socket
  #phase: Phase = 'Greeting'
  /** Number of replies in this phase. */
  #replies = 0
  #rest: Buffer = emptyBuffer
  #isSecure = false
  #isOver = false
  /** Time of the last command, in milliseconds of `performance.now`. */
  since = performance.now()

  constructor(options: SessionOptions, events: SessionEvents) {
    this.#options = options
    this.#events = events
    this.#envelope = Buffer.from(`${envelopeFrom(options.sender)}DATA\r\n`)
    this.#socket = this.#listen(connect({ port: options.port, host: '127.0.0.1', noDelay: true }))
  }

  /** Begins the next transaction. */
  send(): void {
    const { message, isPipelined } = this.#options
    if (isPipelined) this.#write('Pipelined', message)
    else this.#write('Envelope', this.#envelope)
  }

  quit(): void {
    this.#write('Quit', quit)
  }

  /** @returns whether a reply is outstanding */
  get isWaiting(): boolean {
    return !this.#isOver && this.#phase !== 'Ready'
  }

  fail(cause: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#socket.destroy()
    this.#events.failed(`${this.#phase}: ${cause}`)
  }

  #listen<T extends Socket>(socket: T): T {
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', (error: NodeJS.ErrnoException) => this.fail(error.code ?? error.message))
    socket.on('close', () => this.fail('the connection was closed'))
    return socket
  }

  #write(phase: Phase, octets: Buffer): void {
    this.#phase = phase
    this.#replies = 0
    this.since = performance.now()
    this.#socket.write(octets)
  }

  #read(chunk: Buffer): void {
    const octets = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let start = 0
    for (let end = octets.indexOf(lineFeed); end >= 0 && !this.#isOver; ) {
      if (octets[start + 3] !== hyphen) this.#reply(octets, start, end)
      start = end + 1
      end = octets.indexOf(lineFeed, start)
    }
    this.#rest = start < octets.length ? octets.subarray(start) : emptyBuffer
  }

  #reply(octets: Buffer, start: number, end: number): void {
    const codes: number[] = expectedCodes[this.#phase]
    if (codeAt(octets, start) !== codes[this.#replies]) {
      this.fail(octets.toString('latin1', start, end).trim())
      return
    }
    if (++this.#replies === codes.length) this.#next()
  }

  #next(): void {
    const phase = this.#phase
    if (phase === 'Greeting') this.#write('Ehlo', ehlo)
    else if (phase === 'Ehlo' && this.#options.tls && !this.#isSecure) this.#write('StartTls', startTls)
    else if (phase === 'Ehlo') this.#pause(this.#events.ready)
    else if (phase === 'StartTls') this.#startTls()
    else if (phase === 'Envelope') this.#write('Content', this.#options.message)
    else if (phase === 'Content' || phase === 'Pipelined') this.#pause(this.#events.accepted)
    else if (phase === 'Quit') this.#end()
  }

  #pause(notify: () => void): void {
    this.#phase = 'Ready'
    notify()
  }

  #end(): void {
    this.#isOver = true
    this.#socket.end()
    this.#events.ended()
  }

  #startTls(): void {
    this.#phase = 'Handshake'
    const { context, session } = this.#options.tls as NonNullable<SessionOptions['tls']>
    const plainSocket = this.#socket
    for (const event of ['data', 'close']) plainSocket.removeAllListeners(event)
    const tlsSocket = connectTls({
      socket: plainSocket,
      secureContext: context,
      rejectUnauthorized: false,
      ...(session && { session }),
    })
    this.#socket = this.#listen(tlsSocket)
    this.#isSecure = true
    tlsSocket.once('secureConnect', () => {
      this.#events.secured?.(tlsSocket)
      this.#write('Ehlo', ehlo)
    })
    if (this.#events.ticket) tlsSocket.on('session', this.#events.ticket)
  }
}

/** Returns the transaction in one write, with BDAT in place of DATA. @param message with its final dot */
export function transactionInChunks(message: Buffer): Buffer {
  const content = message.subarray(0, -'.\r\n'.length)
  return Buffer.concat([Buffer.from(`${envelopeFrom()}BDAT ${content.length} LAST\r\n`), content])
}

/** Returns the three digits, or NaN. */
function codeAt(octets: Buffer, at: number): number {
  const [first = 0, second = 0, third = 0] = [octets[at], octets[at + 1], octets[at + 2]]
  return (first - 48) * 100 + (second - 48) * 10 + (third - 48)
}
