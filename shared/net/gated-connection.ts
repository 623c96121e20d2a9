/**
 * The connection of one SMTP session. The attack: an active attacker who gets any octet of forced mail in the clear.
 * The defence is a gate on the one function through which the client writes commands: until the session's TLS was
 * assessed it passes EHLO, HELO, STARTTLS and QUIT and nothing else, so neither MAIL FROM nor DATA exists on the wire;
 * and where TLS is forced the client fails unless STARTTLS succeeds. Octets injected behind the reply to STARTTLS are
 * discarded by the client (RFC 3207 §6). A session may carry several messages; the gate opens for each, with the
 * commands of that message, and closes behind it.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { Recipient, Reply } from '../contract/message.ts'
import type { Revocation } from '../contract/revocation.ts'
import { parseReply, reply } from '../mail/reply.ts'
import { asksForChain, forcesTls, type HopRequirement, type Trial } from '../tls/requirement.ts'
import type { ServerTls } from '../tls/server-certificate.ts'
import { type Extensions, type MailTraits, mailCommand, parseExtensions, recipientCommand } from './esmtp.ts'
import { causeOf, replyToError, type SmtpError, timedOut } from './failures.ts'
import type { ChainToCheck } from './revocation/checker.ts'
import { type ClientCredentials, clientTlsOptions, establishedTls } from './tls-client.ts'

/** Where to connect. */
export interface Endpoint {
  host: string
  ip: string
  port: number
}

/** Milliseconds. After the message's last octet only the attempt's own limit counts: giving up means a duplicate. */
export interface Timeouts {
  connect: number
  /** The greeting, and again the TLS handshake. */
  greeting: number
  /** Of silence, in answer to a command. */
  command: number
  /** Of silence, while the message is sent. */
  data: number
}

export const defaultTimeouts: Timeouts = { connect: 30_000, greeting: 60_000, command: 60_000, data: 120_000 }

export interface SessionOptions {
  /** The name in EHLO (RFC 5321 §4.1.1.1). */
  name: string
  /** Nothing of a message is sent unless it is met. */
  enforced: HopRequirement
  /** Looked at and told of, never in the way. */
  trials?: readonly Trial[]
  /** SNI; null for an address. */
  serverName: string | null
  /** For a next hop that asks for a certificate. */
  credentials?: ClientCredentials | null
  /** Whether a chain was revoked. Never throws, and bounds its own time. Without it, nobody knows. */
  revocation?: (question: ChainToCheck, signal: AbortSignal) => Promise<Revocation>
  timeouts: Timeouts
  /** Ends the session, whatever it is waiting for. */
  signal: AbortSignal
  /** Told as the session gets there, with what the server said last, if anything; it changes nothing. */
  observe?: (milestone: Milestone, answer: string) => void
}

/**
 * How far the opening of a session has come, in this order. An opportunistic session that begins again in the clear
 * is dialled a second time.
 */
export type Milestone =
  | 'Dialled'
  /** A TCP connection; the greeting comes next. */
  | 'Connected'
  /** The greeting was read; the reply to EHLO comes next. */
  | 'Greeted'
  /** STARTTLS was sent; its reply and the handshake come next. */
  | 'TlsAsked'
  /** The handshake is done; the reply to EHLO over TLS comes next. */
  | 'Secured'

/** What came of one message in a session. */
export interface Transaction {
  /** By address; 2xx means it was taken. */
  replies: Map<string, Reply>
  /**
   * MAIL was refused, or the session ended before it was answered, so nothing of the message was sent. Where the
   * session has carried others before, this may be about the session and not about the message.
   */
  notBegun: boolean
  /** To whom the whole message was sent without a reply to it: it may have been taken. */
  unanswered: readonly string[]
}

/** `Required`: the session ends without it. */
export type StartTls = 'Required' | 'WhenOffered' | 'Never'

export type Establishing =
  | { kind: 'Established'; connection: GatedConnection; tls: ServerTls }
  | { kind: 'TlsFailed'; tls: ServerTls }
  | { kind: 'Failed'; reply: Reply }

/** Connects, negotiates TLS as far as `startTls` says, and reads the reply to the last EHLO. */
export async function establish(
  hop: Endpoint,
  options: SessionOptions,
  startTls: StartTls,
): Promise<Establishing> {
  if (options.signal.aborted) return { kind: 'Failed', reply: timedOut }
  options.observe?.('Dialled', '')
  const dialled = await dial(hop, options)
  if (dialled instanceof Error)
    return { kind: 'Failed', reply: options.signal.aborted ? timedOut : replyToError(dialled) }
  options.observe?.('Connected', '')
  return new GatedConnection(dialled, hop, options, startTls).greet()
}

function dial({ ip, port }: Endpoint, { timeouts, signal }: SessionOptions): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: ip, port, signal })
    socket.setTimeout(timeouts.connect, () =>
      socket.destroy(Object.assign(new Error('connect'), { code: 'ETIMEDOUT' })),
    )
    socket.once('connect', () => {
      socket.setTimeout(0).removeAllListeners('timeout')
      resolve(socket)
    })
    // Stays for the socket's whole life: the attempt's limit may destroy it when nobody else listens any more.
    socket.on('error', resolve)
  })
}

/** What this file uses of the client beyond its published interface; checked when a connection is made. */
interface ClientInternals {
  _sendCommand(command: string, loggedAs?: string): void
  _onData(chunk: Buffer): void
  _actionDATA(answer: string, callback: (error: SmtpError | null) => void): void
  /** What was received and not yet read as a reply. */
  _remainder: string
  _responseQueue: string[]
}

/**
 * What one session may receive: some forty lines for each of a hundred recipients. The client bounds a reply but
 * not how many it queues, and a server that sends empty lines without end would take the memory and the time of
 * every other delivery.
 */
const most = { octets: 1024 * 1024, lines: 4096 }

/** The client's own bookkeeping on the envelope it was given. */
interface EnvelopeProgress {
  accepted?: string[]
  rejectedErrors?: (SmtpError & { recipient?: string })[]
}

interface HandedOver {
  answer: Reply
  /** Whether it answers MAIL. */
  refusedSender: boolean
  /** Whether the connection ended without it. */
  lost: boolean
  /** Whether that, or silence, came behind the whole message. */
  unanswered: boolean
}

/** Milliseconds that a server has to answer RSET or QUIT: nothing of a message waits for it. */
const longestFarewell = 5_000

const carriesNothing = /^(?:EHLO|HELO|STARTTLS|QUIT)\b/

export class GatedConnection {
  readonly #client: SMTPConnection
  readonly #options: SessionOptions
  readonly #startTls: StartTls
  #write: ((command: string) => string) | null = null
  readonly #received = { octets: 0, lines: 0 }
  #lastCommand = ''
  #extensions: Extensions = new Map()
  /** Whether a transaction was begun and not ended by the server's 250. */
  #unfinished = false
  #quitting = false

  constructor(connection: Socket, { host }: Endpoint, options: SessionOptions, startTls: StartTls) {
    const { name, timeouts, enforced, serverName, credentials } = options
    this.#options = options
    this.#startTls = startTls
    this.#client = new SMTPConnection({
      connection,
      name,
      host,
      requireTLS: startTls === 'Required',
      ignoreTLS: startTls === 'Never',
      connectionTimeout: 2 * timeouts.greeting,
      greetingTimeout: timeouts.greeting,
      socketTimeout: timeouts.command,
      maxResponseSize: 65_536,
      tls: {
        ...clientTlsOptions(enforced, authoritiesFor(options), credentials ?? null),
        ...(serverName === null ? {} : { servername: serverName }),
      },
    })
    this.#client.on('error', () => {})
    this.#placeGate()
    this.#demandContinuation()
    this.#limitReceived()
  }

  get extensions(): Extensions {
    return this.#extensions
  }

  /** As far as the reply to the last EHLO. */
  greet(): Promise<Establishing> {
    const greeted = (resolve: (establishing: Establishing) => void) => {
      const fail = (error: SmtpError) => resolve(this.#explain(error))
      this.#client.once('error', fail)
      this.#client.connect((error) => {
        if (error) return fail(error as SmtpError)
        this.#extensions = parseExtensions(this.#client.lastServerResponse || '')
        resolve(this.#established())
      })
    }
    return this.#unlessEnded(greeted, () => this.#explain(ended))
  }

  /** The client says nothing at all when it finds its connection gone as it is about to write. */
  #unlessEnded<T>(begin: (resolve: (value: T) => void) => void, otherwise: () => T): Promise<T> {
    return new Promise((resolve) => {
      // Whatever it does have to say, it says in the same turn.
      const end = () => setImmediate(() => resolve(otherwise()))
      this.#client.once('end', end)
      begin((value) => {
        this.#client.off('end', end)
        resolve(value)
      })
    })
  }

  #established(): Establishing {
    const spoilt = this.spoilt()
    if (spoilt) return { kind: 'Failed', reply: spoilt }
    const socket = this.#client._socket
    const tls: ServerTls =
      socket instanceof TLSSocket
        ? establishedTls(socket, authoritiesFor(this.#options))
        : { kind: 'NotOffered', answer: null }
    return { kind: 'Established', connection: this, tls }
  }

  /** Why nothing can be asked any more, or null: the connection has ended, or the server speaks out of turn. */
  spoilt(): Reply | null {
    const socket = this.#client._socket
    if (!socket || socket.destroyed) return replyToError(ended)
    const early = this.#unasked
    if (early === null) return null
    this.#client.close()
    return replyToError(outOfTurn(early))
  }

  /** What the server has said and nobody has asked for yet: it would be taken for the answer to what is asked next. */
  get #unasked(): string | null {
    const { _responseQueue, _remainder } = this.#client as unknown as ClientInternals
    return [..._responseQueue, _remainder].find((line) => line.trim() !== '') ?? null
  }

  /** @throws Error for forced mail in the clear, whatever judged it good enough */
  openGate(mail: MailTraits, recipients: readonly Recipient[]): void {
    if (forcesTls(this.#options.enforced) && !this.#client.secure)
      throw new Error('forced TLS, but the session is in the clear')
    const { extensions } = this
    const commands = new Map(
      recipients.map((recipient) => [
        `RCPT TO:<${recipient.address}>`,
        recipientCommand(recipient, extensions),
      ]),
    )
    this.#write = (command) =>
      command.startsWith('MAIL FROM:') ? mailCommand(mail, extensions) : (commands.get(command) ?? command)
  }

  closeGate(): void {
    this.#write = null
  }

  async send(mail: MailTraits, recipients: readonly Recipient[], content: Buffer): Promise<Transaction> {
    const addresses = recipients.map(({ address }) => address)
    const envelope: { from: string; to: string[] } & EnvelopeProgress = {
      from: mail.envelope.mailFrom,
      to: [...addresses],
    }
    const source = this.#source(content)
    this.#received.octets = this.#received.lines = 0
    this.#wait(this.#options.timeouts.command)
    this.#unfinished = true
    const { answer, refusedSender, lost, unanswered } = await this.#handOver(envelope, source)
    const untouched = source.readableFlowing === null
    this.#unfinished = !source.readableEnded || answer.code >= 300
    // A server answered before it had the whole message would read the rest of it as commands.
    if (!untouched && !source.readableEnded) this.#client.close()
    // What a server says to recipients whose sender it refused is only that.
    const rejections = refusedSender ? [] : (envelope.rejectedErrors ?? [])
    const rejected = new Map(rejections.map((error) => [error.recipient, replyToError(error)]))
    return {
      replies: new Map(addresses.map((address) => [address, rejected.get(address) ?? answer])),
      notBegun: untouched && (refusedSender || (lost && this.#received.octets === 0)),
      unanswered: unanswered ? addresses.filter((address) => !rejected.has(address)) : [],
    }
  }

  get isIdle(): boolean {
    const client = this.#client as unknown as ClientInternals
    const owedNothing = client._responseQueue.length === 0 && client._remainder === ''
    return !this.#quitting && !this.#client.destroyed && this.#client._socket !== false && owedNothing
  }

  /** RFC 5321 §4.1.1.5. */
  async ready(): Promise<boolean> {
    if (!this.isIdle) return false
    if (!this.#unfinished) return true
    this.#wait(longestFarewell)
    const answered = await new Promise<boolean>((resolve) => {
      this.#client.once('end', () => resolve(false))
      this.#write = (command) => onlyReset(command)
      this.#client.reset((error) => resolve(!error))
      this.#write = null
    })
    this.#unfinished = !answered
    return answered && this.isIdle
  }

  quit(): void {
    if (this.#client.destroyed || this.#quitting) return
    this.#quitting = true
    // A command in the middle of a message would become part of it.
    if (this.#write !== null) this.#destroy()
    else {
      this.#wait(longestFarewell)
      this.#client.quit()
    }
  }

  get closed(): Promise<void> {
    if (this.#client.destroyed) return Promise.resolve()
    return new Promise((resolve) => this.#client.once('end', () => resolve()))
  }

  #destroy(): void {
    const socket = this.#client._socket
    if (socket) socket.destroy()
  }

  /** Of silence: milliseconds, 0 for any length. */
  #wait(milliseconds: number): void {
    const socket = this.#client._socket
    if (socket) socket.setTimeout(milliseconds)
  }

  /** The reply to the message as a whole, or what became of it. */
  #handOver(envelope: { from: string; to: string[] }, source: Readable): Promise<HandedOver> {
    const handedOver = (resolve: (what: HandedOver) => void) => {
      this.#client.send(envelope, source, (error, info) => {
        if (!error)
          return resolve({
            answer: parseReply(info?.response ?? '') ?? reply(250, '0.0', 'OK'),
            refusedSender: false,
            lost: false,
            unanswered: false,
          })
        const failure = error as SmtpError
        resolve({
          answer: this.#lost(failure, source.readableEnded),
          refusedSender: failure.command === 'MAIL FROM',
          lost: !failure.response && causeOf(failure) !== 'ETIMEDOUT' && !this.#options.signal.aborted,
          unanswered: !failure.response && source.readableEnded,
        })
      })
    }
    return this.#unlessEnded(handedOver, () => ({
      answer: this.#lost(ended, source.readableEnded),
      refusedSender: false,
      lost: !this.#options.signal.aborted,
      unanswered: source.readableEnded,
    }))
  }

  /** RFC 5321 §6.1 knows no way to learn what became of a message whose final reply was lost. */
  #lost(error: SmtpError, sent: boolean): Reply {
    const answer = this.#options.signal.aborted && !error.response ? timedOut : replyToError(error)
    if (error.response) return answer
    return sent
      ? { ...answer, text: `${answer.text}, after the message and before its reply: it may arrive twice` }
      : answer
  }

  #source(content: Buffer): Readable {
    const wait = (milliseconds: number) => this.#wait(milliseconds)
    const { data } = this.#options.timeouts
    const received = this.#received
    const chunks = function* () {
      wait(data)
      for (let at = 0; at < content.length; at += chunkSize) yield content.subarray(at, at + chunkSize)
      wait(0)
      // The final reply has an allowance of its own: what was taken must not be sent again for a wordy answer.
      received.octets = received.lines = 0
    }
    return Readable.from(chunks(), { objectMode: false })
  }

  #placeGate(): void {
    const client = this.#client as unknown as ClientInternals
    if (typeof client._sendCommand !== 'function') throw new Error('the SMTP client has no gate to close')
    const write = client._sendCommand.bind(client)
    client._sendCommand = (command) => {
      this.#lastCommand = command
      this.#reached(command)
      if (carriesNothing.test(command)) return write(command)
      if (this.#write === null) throw new Error('a command of a mail transaction before its TLS was assessed')
      write(this.#write(command))
    }
  }

  /**
   * RFC 5321 §4.3.2: only 354 asks for the message. A server that says 250 to DATA, or has said already what it thinks of
   * a message that it has not read, would read it as commands.
   */
  #demandContinuation(): void {
    const client = this.#client as unknown as ClientInternals
    if (typeof client._actionDATA !== 'function')
      throw new Error('the SMTP client has no reply to DATA to look at')
    const read = client._actionDATA.bind(client)
    client._actionDATA = (answer, callback) => {
      const wrong = /^2/.test(answer) ? answer : /^3/.test(answer) ? this.#unasked : null
      if (wrong === null) return read(answer, callback)
      callback(outOfTurn(wrong))
      this.#client.close()
    }
  }

  #reached(command: string): void {
    const { observe } = this.#options
    const answer = this.#client.lastServerResponse || ''
    if (command.startsWith('EHLO')) observe?.(this.#client.secure ? 'Secured' : 'Greeted', answer)
    // RFC 5321 §3.2: what knows no EHLO may know HELO. Over TLS the client has nothing left to require.
    if (this.#client.secure) this.#client.options.requireTLS = false
    if (command === 'STARTTLS') observe?.('TlsAsked', answer)
  }

  #limitReceived(): void {
    const client = this.#client as unknown as ClientInternals
    if (typeof client._onData !== 'function') throw new Error('the SMTP client has no input to limit')
    const read = client._onData.bind(client)
    client._onData = (chunk) => {
      const received = this.#received
      received.octets += chunk.length
      for (let at = chunk.indexOf('\n'); at >= 0; at = chunk.indexOf('\n', at + 1)) received.lines += 1
      if (received.octets <= most.octets && received.lines <= most.lines) return read(chunk)
      const socket = this.#client._socket
      if (socket) socket.destroy(Object.assign(new Error('flood'), { code: 'EPROTO' }))
    }
  }

  #explain(error: SmtpError): Establishing {
    if (this.#options.signal.aborted) return { kind: 'Failed', reply: timedOut }
    const tls = this.#tlsFault(error)
    return tls ? { kind: 'TlsFailed', tls } : { kind: 'Failed', reply: replyToError(error) }
  }

  #tlsFault(error: SmtpError): ServerTls | null {
    if (this.#startTls === 'Never') return null
    const { upgrading, secure } = this.#client
    // In TLS 1.3 a server that wants a certificate says so after the client believes the handshake done.
    if (upgrading || (secure && causeOf(error).startsWith('ERR_SSL')))
      return { kind: 'HandshakeFailed', cause: causeOf(error) }
    const refused = this.#lastCommand === 'STARTTLS'
    const knowsNoEhlo = error.command === 'EHLO' && error.response?.startsWith('5')
    return refused || knowsNoEhlo ? { kind: 'NotOffered', answer: error.response ?? causeOf(error) } : null
  }
}

/**
 * What the handshake is to trust: what is enforced, if it asks for a chain. Else, of what is only watched, the public
 * roots first: a chain to other authorities can be followed afterwards (server-certificate.ts), one to those cannot.
 */
function authoritiesFor({ enforced, trials = [] }: SessionOptions): readonly string[] {
  if (asksForChain(enforced)) return enforced.certificateAuthorities
  const asked = trials.map(({ requirement }) => requirement).filter(asksForChain)
  const chosen = asked.find(({ certificateAuthorities }) => certificateAuthorities.length === 0) ?? asked[0]
  return (chosen ?? enforced).certificateAuthorities
}

const ended: SmtpError = Object.assign(new Error('ended'), { code: 'ECONNRESET' })

/** A refusal stands, whenever it comes. */
const outOfTurn = (response: string): SmtpError =>
  Object.assign(new Error('out of turn'), { code: 'EPROTOCOL', response })

const chunkSize = 65_536

function onlyReset(command: string): string {
  if (command !== 'RSET') throw new Error('a command of a mail transaction outside of one')
  return command
}
