/**
 * A mail server that misbehaves octet by octet, as the test's script specifies. It records the octets from the network,
 * and the octets that it could decrypt. It uses raw sockets, because a library would follow the protocol.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls'
import { listen } from './listen.ts'

/** The server's reaction at one point of a session: a text is sent as a reply, null is no reply. */
export type Reaction = string | null | ((peer: Peer) => void | Promise<void>)

/** The points at which the server violates the protocol. It follows the protocol everywhere else. */
export interface ServerScript {
  greeting?: Reaction
  /** Reaction to EHLO without TLS. */
  ehlo?: Reaction
  /** Reaction to HELO, with or without TLS. */
  helo?: Reaction
  startTls?: Reaction
  /** Runs when the handshake is done, before the client sends anything. */
  secured?: Reaction
  ehloOverTls?: Reaction
  mail?: Reaction
  data?: Reaction
  /** The extensions in the reply to EHLO without TLS. By default, STARTTLS is the last. */
  keywords?: readonly string[]
  keywordsOverTls?: readonly string[]
  tls?: SecureContextOptions
  requiresClientCertificate?: boolean
}

/** The server's record of one connection. */
export interface RecordedConnection {
  /** Every octet from the client, before decryption. */
  wire: Buffer
  /** The decrypted octets that the client sent over TLS. */
  decrypted: Buffer
  /** The server name in the client's handshake (RFC 6066 §3). */
  serverName: string | null
  /** The received messages, with dots unstuffed. */
  received: { content: Buffer; encrypted: boolean }[]
  /** The error that kept the server from misbehaving as scripted; null if there was none. */
  fault: unknown
}

export interface HostileServer {
  port: number
  connections: readonly RecordedConnection[]
  stop(): Promise<void>
}

export const readyForTls = '220 2.0.0 Ready to start TLS\r\n'

const defaultKeywords = ['PIPELINING', 'SIZE 1000000', '8BITMIME']

/** @param script the script of a connection, by its number from 1 */
export async function startHostileServer(
  script: (connection: number) => ServerScript,
): Promise<HostileServer> {
  const connections: RecordedConnection[] = []
  const pairs = new Pairs()
  const server: Server = createServer({ noDelay: true }, (socket) => {
    const recorded: RecordedConnection = {
      wire: Buffer.alloc(0),
      decrypted: Buffer.alloc(0),
      serverName: null,
      received: [],
      fault: null,
    }
    connections.push(recorded)
    new Peer(socket, script(connections.length), recorded, pairs).greet()
  })
  const { port, stop } = await listen(server)
  return {
    port,
    connections,
    async stop() {
      pairs.close()
      await stop()
    },
  }
}

/** The client, as the hostile server sees it. */
export class Peer {
  readonly #plain: Socket
  readonly #script: ServerScript
  readonly #recorded: RecordedConnection
  readonly #pairs: Pairs
  #tls: TLSSocket | null = null
  /** Octets from the client that are not a complete line yet. */
  #pending = Buffer.alloc(0)
  #inData = false
  /** Null before TLS; then the octets that TLS has not read yet; then the function that passes octets to TLS. */
  #forTls: Buffer[] | ((octets: Buffer) => void) | null = null
  /** Called once with the next octets, which are not read as commands. */
  #awaited: ((octets: Buffer) => void) | null = null

  constructor(socket: Socket, script: ServerScript, recorded: RecordedConnection, pairs: Pairs) {
    this.#plain = socket
    this.#pairs = pairs
    this.#script = script
    this.#recorded = recorded
    socket.on('error', () => {})
    socket.on('data', (octets) => {
      recorded.wire = Buffer.concat([recorded.wire, octets])
      if (this.#forTls === null) this.#take(octets)
      else if (Array.isArray(this.#forTls)) this.#forTls.push(octets)
      else this.#forTls(octets)
    })
  }

  greet(): void {
    this.#react(this.#script.greeting, '220 mx.partner.example ESMTP')
  }

  get encrypted(): boolean {
    return this.#forTls !== null
  }

  /** Sends one or more lines as a reply. */
  reply(lines: string): void {
    this.write(`${lines}\r\n`)
  }

  /** Writes over TLS if the session has TLS. */
  write(octets: string | Buffer): void {
    const socket = this.#tls ?? this.#plain
    if (socket.writable) socket.write(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets)
  }

  /** Writes to the socket below TLS. */
  writeInTheClear(octets: string | Buffer): void {
    if (this.#plain.writable) this.#plain.write(octets)
  }

  /** Sends each part in its own segment. */
  async writeApart(...parts: string[]): Promise<void> {
    for (const part of parts) {
      this.write(part)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Repeats a line until the client ends the connection or the limit is reached. */
  async flood(line: string, limit = 8 * 1024 * 1024): Promise<void> {
    const socket = this.#tls ?? this.#plain
    const block = Buffer.from(line.repeat(Math.ceil(16_384 / line.length)), 'latin1')
    const gone = once(socket, 'close').catch(() => [])
    for (let sent = 0; sent < limit && socket.writable; sent += block.length)
      if (!socket.write(block)) await Promise.race([once(socket, 'drain').catch(() => []), gone])
  }

  /** Sends the octets one by one, then repeats the last octet. */
  async trickle(octets: Buffer): Promise<void> {
    for (let at = 0; this.#plain.writable; at += 1) {
      this.writeInTheClear(Buffer.from([octets[at] ?? octets.at(-1) ?? 0]))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Sends a HelloRequest (RFC 5246 §7.4.1.1). */
  renegotiate(): void {
    this.#tls?.renegotiate({}, () => {})
  }

  /** Resolves with the next octets, such as a ClientHello after STARTTLS was accepted. */
  next(): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#awaited = resolve
    })
  }

  /** Replies 220 to STARTTLS and waits for the client's first octets, without starting TLS. */
  async acceptStartTls(said = readyForTls): Promise<void> {
    this.write(said)
    await this.next()
  }

  /** Sends `said`, by default 220, unless it is empty; then starts TLS. */
  startTls(said = readyForTls): void {
    if (said !== '') this.write(said)
    this.#pending = Buffer.alloc(0)
    this.#forTls = []
    this.#secure().catch((fault) => {
      this.#recorded.fault = fault
    })
  }

  async #secure(): Promise<void> {
    const [near, far] = await this.#pairs.next()
    join(this.#plain, near)
    const { tls = {}, requiresClientCertificate = false, secured: act } = this.#script
    const recorded = this.#recorded
    const secured = new TLSSocket(far, {
      isServer: true,
      secureContext: createSecureContext(tls),
      requestCert: requiresClientCertificate,
      rejectUnauthorized: requiresClientCertificate,
    })
    this.#tls = secured
    secured.on('error', () => far.destroy())
    secured.on('data', (octets) => {
      recorded.decrypted = Buffer.concat([recorded.decrypted, octets])
      this.#take(octets)
    })
    secured.once('secure', () => {
      recorded.serverName = (secured as { servername?: string | false }).servername || null
      if (act !== undefined) this.#react(act, '')
    })
    if (Array.isArray(this.#forTls)) for (const octets of this.#forTls) near.write(octets)
    this.#forTls = (octets) => void near.write(octets)
  }

  /** Sends FIN after the written data; over TLS, sends a close_notify first. */
  close(): void {
    const socket = this.#tls ?? this.#plain
    socket.end()
  }

  /** Sends FIN without a close_notify. */
  cut(): void {
    this.#plain.end()
  }

  /** Sends RST. */
  reset(): void {
    this.#plain.resetAndDestroy()
  }

  #take(octets: Buffer): void {
    if (this.#awaited) {
      const resolve = this.#awaited
      this.#awaited = null
      resolve(octets)
      return
    }
    this.#pending = Buffer.concat([this.#pending, octets])
    for (;;) {
      if (this.#inData && !this.#takeMessage()) return
      const end = this.#pending.indexOf('\r\n')
      if (end < 0) return
      const line = this.#pending.subarray(0, end).toString('latin1')
      this.#pending = this.#pending.subarray(end + 2)
      this.#command(line)
    }
  }

  /** @returns whether the message has ended */
  #takeMessage(): boolean {
    const end = this.#pending.indexOf('\r\n.\r\n')
    if (end < 0) return false
    const stuffed = this.#pending.subarray(0, end + 2).toString('latin1')
    this.#pending = this.#pending.subarray(end + 5)
    this.#inData = false
    this.#recorded.received.push({
      content: Buffer.from(stuffed.replace(/^\./gm, ''), 'latin1'),
      encrypted: this.#tls !== null,
    })
    this.reply('250 2.0.0 taken')
    return true
  }

  #command(line: string): void {
    const word = /^[A-Z]*/.exec(line)?.[0] ?? ''
    if (word === 'DATA' && this.#script.data === undefined) this.#inData = true
    this.#react(this.#reactionTo(word), this.#followProtocol(word))
    if (word === 'QUIT') this.close()
  }

  #reactionTo(word: string): Reaction | undefined {
    const { ehlo, ehloOverTls, helo, startTls = () => this.startTls(), mail, data } = this.#script
    const encrypted = this.#tls !== null
    const reactions: Record<string, Reaction | undefined> = {
      EHLO: encrypted ? ehloOverTls : ehlo,
      HELO: helo,
      STARTTLS: encrypted ? '503 5.5.1 TLS is on' : startTls,
      MAIL: mail,
      DATA: data,
    }
    return reactions[word]
  }

  #followProtocol(word: string): string {
    const {
      keywords = [...defaultKeywords, 'STARTTLS'],
      keywordsOverTls = [...defaultKeywords, 'REQUIRETLS'],
    } = this.#script
    switch (word) {
      case 'EHLO':
        return ehloReply(this.#tls === null ? keywords : keywordsOverTls)
      case 'DATA':
        return '354 go on'
      case 'QUIT':
        return '221 2.0.0 bye'
      case 'HELO':
      case 'MAIL':
      case 'RCPT':
      case 'RSET':
        return '250 2.1.0 OK'
      default:
        return '500 5.5.2 what?'
    }
  }

  #react(reaction: Reaction | undefined, defaults: string): void {
    const chosen = reaction === undefined ? defaults : reaction
    if (chosen === null) return
    if (typeof chosen === 'string') return void this.reply(chosen)
    const act = async () => chosen(this)
    act().catch((fault) => {
      this.#recorded.fault = fault
      this.#plain.destroy()
    })
  }
}

/** Forwards TLS's output to the client, and ends each side when the other side ends. */
function join(plain: Socket, near: Socket): void {
  near.on('data', (octets) => plain.writable && plain.write(octets))
  near.once('end', () => plain.end())
  plain.once('end', () => near.end())
  plain.once('close', () => near.destroy())
}

/**
 * Creates pairs of connected sockets within this process. TLS takes over the far socket completely, so its event
 * handlers get no octets. The server forwards octets between the client and the near socket.
 */
class Pairs {
  readonly #server = createServer({ noDelay: true })
  readonly #sockets = new Set<Socket>()
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  /** Creates one pair after another, so that two pairs cannot be confused. */
  next(): Promise<[near: Socket, far: Socket]> {
    const pair = this.#last.then(() => this.#connect())
    this.#last = pair.catch(() => {})
    return pair
  }

  close(): void {
    this.#closed = true
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  async #connect(): Promise<[near: Socket, far: Socket]> {
    if (this.#closed) throw new Error('the server was stopped')
    if (!this.#server.listening) await once(this.#server.listen(0, '127.0.0.1'), 'listening')
    if (this.#closed) this.#server.close()
    const { port } = this.#server.address() as AddressInfo
    const near = this.#keep(connect({ port, host: '127.0.0.1', noDelay: true }))
    const [far] = await once(this.#server, 'connection')
    return [near, this.#keep(far)]
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    if (this.#closed) socket.destroy()
    // A stopped server ends every open connection.
    return socket.on('error', () => {})
  }
}

export function ehloReply(keywords: readonly string[]): string {
  const lines = ['mx.partner.example', ...keywords]
  return lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n')
}
