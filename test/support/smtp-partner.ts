/**
 * A partner's mail server that can be made to misbehave. It records every octet that it receives. `wire` returns the
 * octets as they arrive from the network: those over TLS are encrypted.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls'

export interface PartnerOptions {
  greeting?: string
  /** Extensions in the reply to EHLO, besides STARTTLS. */
  extensions?: string[]
  /** Certificate, key and versions. When absent, STARTTLS is not offered. */
  tls?: SecureContextOptions
  /** The reply to STARTTLS instead of 220. */
  refuseStartTls?: string
  /** Octets sent directly behind the 220, in the same write. */
  injected?: string
  /** Responds to the client's handshake with octets that are not TLS. */
  breakHandshake?: boolean
  /** The point at which the server stops responding, with the connection open. */
  silentAt?: 'greeting' | 'EHLO' | 'STARTTLS' | 'handshake' | 'MAIL' | 'message' | 'QUIT'
  /** Refuses a client without a certificate, or with one that `tls.ca` did not issue. */
  requiresClientCertificate?: boolean
  /** Returns the reply to a command; `null` closes the connection, `undefined` follows the protocol. */
  answer?: (command: string) => string | null | undefined
  /** The reply to the message; `null` closes the connection instead. */
  answerToMessage?: string | null
}

export interface Received {
  mail: string
  recipients: string[]
  /** The content with dots unstuffed and without the final dot. */
  content: Buffer
  tls: { protocol: string; serverName: string | null } | null
}

export interface Partner {
  port: number
  /** Every octet from clients, before decryption. */
  wire(): Buffer
  /** Every command, with or without TLS, in order. */
  commands: string[]
  received: Received[]
  /** The number of connections so far. */
  connections(): number
  /** The number of open connections. */
  open(): number
  /** Ends all connections. */
  hangUp(): void
  stop(): Promise<void>
}

const defaultExtensions = ['PIPELINING', 'SIZE 1000000', '8BITMIME', 'SMTPUTF8', 'DSN']

export async function startPartner(options: PartnerOptions = {}): Promise<Partner> {
  const wire: Buffer[] = []
  const commands: string[] = []
  const received: Received[] = []
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    track(sockets, socket)
    new Session(socket, options, commands, received)
  })
  const tap = createServer({ noDelay: true }, (socket) => {
    track(sockets, socket)
    const serverSocket = connect({ port: portOf(server), host: '127.0.0.1', noDelay: true })
    track(sockets, serverSocket)
    socket.on('data', (octets) => wire.push(octets))
    socket.pipe(serverSocket).pipe(socket)
    socket.on('close', () => serverSocket.destroy())
    serverSocket.on('close', () => socket.destroySoon())
  })
  let connections = 0
  tap.on('connection', () => {
    connections += 1
  })
  for (const each of [server, tap]) await once(each.listen(0, '127.0.0.1'), 'listening')
  return {
    port: portOf(tap),
    wire: () => Buffer.concat(wire),
    commands,
    received,
    connections: () => connections,
    open: () => [...sockets].filter((socket) => socket.localPort === portOf(tap)).length,
    hangUp() {
      for (const socket of sockets) socket.end()
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await Promise.all([server, tap].map((each) => new Promise((resolve) => each.close(resolve))))
    },
  }
}

function track(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket)
  socket.on('error', () => {})
  socket.on('close', () => sockets.delete(socket))
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

/** The chunk that is being received. */
interface Chunk {
  size: number
  isLast: boolean
  isAccepted: boolean
}

class Session {
  #socket: Socket
  readonly #options: PartnerOptions
  readonly #commands: string[]
  readonly #received: Received[]
  #buffered = Buffer.alloc(0)
  #inData = false
  /** Null between chunks. */
  #chunk: Chunk | null = null
  #chunks: Buffer[] = []
  #mail = ''
  #recipients: string[] = []

  constructor(socket: Socket, options: PartnerOptions, commands: string[], received: Received[]) {
    this.#socket = socket
    this.#options = options
    this.#commands = commands
    this.#received = received
    this.#listen(socket)
    if (options.silentAt !== 'greeting') this.#say(options.greeting ?? '220 partner.example ESMTP')
  }

  #listen(socket: Socket): void {
    socket.on('error', () => {})
    socket.on('data', (octets) => {
      this.#buffered = Buffer.concat([this.#buffered, octets])
      this.#consume()
    })
  }

  #consume(): void {
    for (;;) {
      if (this.#chunk && !this.#takeChunk(this.#chunk)) return
      const mark = this.#inData ? '\r\n.\r\n' : '\r\n'
      const end = this.#buffered.indexOf(mark)
      if (end < 0) return
      const part = this.#buffered.subarray(0, end)
      this.#buffered = this.#buffered.subarray(end + mark.length)
      if (this.#inData) this.#message(part)
      else if (!this.#command(part.toString())) return
    }
  }

  /** @returns false when the connection was closed, or when TLS or a broken handshake takes it over */
  #command(line: string): boolean {
    this.#commands.push(line)
    if (line.split(' ')[0] === this.#options.silentAt) return true
    const own = this.#options.answer?.(line)
    if (own === null) {
      this.#socket.destroy()
      return false
    }
    if (line === 'STARTTLS') return this.#startTls()
    // A server without CHUNKING does not know BDAT, and reads the chunk as commands.
    if (
      line.startsWith('BDAT ') &&
      this.#options.extensions?.includes('CHUNKING') &&
      !own?.startsWith('502')
    ) {
      this.#startChunk(line, own)
      return true
    }
    if (/^(?:MAIL|RSET|HELO|EHLO)/.test(line)) [this.#mail, this.#recipients] = ['', []]
    if (own === undefined || own.startsWith('2')) this.#follow(line)
    this.#say(own ?? this.#followProtocol(line))
    if (line === 'QUIT') this.#socket.end()
    return true
  }

  /** RFC 3030 §2: a refused chunk is read too. @returns false when more octets are expected */
  #takeChunk({ size, isLast, isAccepted }: Chunk): boolean {
    if (this.#buffered.length < size) return false
    if (isAccepted) this.#chunks.push(this.#buffered.subarray(0, size))
    this.#buffered = this.#buffered.subarray(size)
    this.#chunk = null
    if (isAccepted && isLast) this.#finishMessage(Buffer.concat(this.#chunks.splice(0)))
    else if (isAccepted) this.#say(`250 2.0.0 ${size} octets`)
    return true
  }

  #startChunk(line: string, own: string | undefined): void {
    const [, size = '0', last] = line.split(' ')
    const refusal = own ?? (this.#recipients.length === 0 ? '503 5.5.1 no recipients' : undefined)
    if (refusal) this.#say(refusal)
    this.#chunk = { size: Number(size), isLast: last === 'LAST', isAccepted: refusal === undefined }
  }

  #follow(line: string): void {
    if (line.startsWith('MAIL')) this.#mail = line
    if (line.startsWith('RCPT') && this.#mail !== '') this.#recipients.push(line)
    if (line === 'DATA' && this.#recipients.length > 0) this.#inData = true
  }

  #followProtocol(line: string): string {
    if (line.startsWith('EHLO')) return this.#ehlo()
    if (line === 'DATA') return this.#inData ? '354 go on' : '503 5.5.1 no recipients'
    if (line === 'QUIT') return '221 2.0.0 bye'
    if (line.startsWith('RCPT') && this.#mail === '') return '503 5.5.1 no sender'
    return /^(?:HELO|MAIL|RCPT|RSET|NOOP)/.test(line) ? '250 2.1.0 OK' : '500 5.5.2 what?'
  }

  #ehlo(): string {
    const offered = this.#options.tls && !this.#encrypted() ? ['STARTTLS'] : []
    const lines = ['partner.example', ...(this.#options.extensions ?? defaultExtensions), ...offered]
    return lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n')
  }

  #startTls(): boolean {
    const {
      tls,
      refuseStartTls,
      injected = '',
      breakHandshake,
      requiresClientCertificate = false,
    } = this.#options
    if (refuseStartTls || !tls) {
      this.#say(refuseStartTls ?? '502 5.5.1 not here')
      if (refuseStartTls?.startsWith('421')) this.#socket.end()
      return true
    }
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.write(`220 2.0.0 ready\r\n${injected}`)
    if (this.#options.silentAt === 'handshake') return false
    if (breakHandshake) {
      plain.once('data', () => plain.end('this is not TLS\r\n'))
      return false
    }
    this.#buffered = Buffer.alloc(0)
    this.#socket = new TLSSocket(plain, {
      isServer: true,
      secureContext: createSecureContext(tls),
      requestCert: requiresClientCertificate,
      rejectUnauthorized: requiresClientCertificate,
    })
    if (requiresClientCertificate) this.#socket.once('secure', () => this.#refuseUnknownClient())
    this.#listen(this.#socket)
    return false
  }

  /** `tls.Server` refuses such a client itself; a TLSSocket without a `tls.Server` does not, so this method does. */
  #refuseUnknownClient(): void {
    const { _handle } = this.#socket as unknown as { _handle: { verifyError(): Error | null } | null }
    if (_handle?.verifyError()) this.#socket.destroy()
  }

  #message(stuffed: Buffer): void {
    this.#inData = false
    this.#finishMessage(Buffer.from(`${stuffed.toString('latin1')}\r\n`.replace(/^\./gm, ''), 'latin1'))
  }

  #finishMessage(content: Buffer): void {
    const { answerToMessage = '250 2.0.0 taken' } = this.#options
    this.#received.push({ mail: this.#mail, recipients: this.#recipients, content, tls: this.#session() })
    ;[this.#mail, this.#recipients] = ['', []]
    if (this.#options.silentAt === 'message') return
    if (answerToMessage === null) this.#socket.destroy()
    else this.#say(answerToMessage)
  }

  #session(): Received['tls'] {
    if (!(this.#socket instanceof TLSSocket)) return null
    const serverName = (this.#socket as TLSSocket & { servername?: string | false }).servername || null
    return { protocol: this.#socket.getProtocol() ?? '', serverName }
  }

  #encrypted = (): boolean => this.#socket instanceof TLSSocket

  #say(line: string): void {
    if (this.#socket.writable) this.#socket.write(`${line}\r\n`)
  }
}
