/**
 * The connection of one SMTP session. The attack: an active attacker obtains an octet of forced mail in the clear. The
 * defence is a gate on the one function through which the client writes commands. Until the session's TLS has been
 * assessed, it passes only EHLO, HELO, STARTTLS and QUIT, so neither MAIL FROM nor DATA is sent. Where TLS is forced,
 * the client fails unless STARTTLS succeeds. The client discards octets injected after the reply to STARTTLS (RFC 3207
 * §6). A session may carry several messages: the gate opens for each, with its commands, and closes after it.
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

export interface Endpoint {
  host: string
  ip: string
  port: number
}

/** Milliseconds. After the message's last octet only the attempt's own limit counts: a timeout causes a duplicate. */
export interface Timeouts {
  connect: number
  /** The greeting, and separately the TLS handshake. */
  greeting: number
  /** Without data, while a reply to a command is expected. */
  command: number
  /** Without data, while the message is sent. */
  data: number
}

export const defaultTimeouts: Timeouts = { connect: 30_000, greeting: 60_000, command: 60_000, data: 120_000 }

export interface SessionOptions {
  /** The name in EHLO (RFC 5321 §4.1.1.1). */
  name: string
  /** Checked before a message is sent. */
  enforced: HopRequirement
  /** Report-only requirements: checked and reported, not enforced. */
  trials?: readonly Trial[]
  /** SNI; null for an address. */
  serverName: string | null
  /** Shown when the next hop requests a client certificate. */
  credentials?: ClientCredentials | null
  /** Checks the chain's revocation. Never throws, and limits its own time. Without it, the status is undetermined. */
  revocation?: (question: ChainToCheck, signal: AbortSignal) => Promise<Revocation>
  timeouts: Timeouts
  /** Ends the session at any point. */
  signal: AbortSignal
  /** Called at each milestone, with the server's last reply or ''. */
  observe?: (milestone: Milestone, answer: string) => void
}

/**
 * The progress of opening a session, in this order. When an opportunistic session starts again in the clear, it begins
 * with a second `Dialled`.
 */
export type Milestone =
  | 'Dialled'
  /** TCP is connected; the greeting comes next. */
  | 'Connected'
  /** The greeting was read; the reply to EHLO comes next. */
  | 'Greeted'
  /** STARTTLS was sent; its reply and the handshake come next. */
  | 'TlsAsked'
  /** The handshake is done; the reply to EHLO over TLS comes next. */
  | 'Secured'

/** The result of one message in a session. */
export interface Transaction {
  /** By address; 2xx means accepted. */
  replies: Map<string, Reply>
  /**
   * MAIL was refused, or the connection ended before its reply, so nothing of the message was sent. In a session that
   * has carried other messages, the cause may be the session and not the message.
   */
  notBegun: boolean
  /** The addresses without a reply to the whole message: the server may have accepted it. */
  unanswered: readonly string[]
}

/** `Required`: the session ends without TLS. */
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
    // Never removed: the attempt's limit may destroy the socket when no other listener is left.
    socket.on('error', resolve)
  })
}

/** The members of nodemailer's client that this file uses beyond its published interface. Checked on construction. */
interface ClientInternals {
  _sendCommand(command: string, loggedAs?: string): void
  _onData(chunk: Buffer): void
  _actionDATA(answer: string, callback: (error: SmtpError | null) => void): void
  /** Received data that is not yet a whole reply. */
  _remainder: string
  _responseQueue: string[]
}

/**
 * The limit of received data: some forty lines for each of a hundred recipients. The client limits a reply but not the
 * queue of replies: a server that sends empty lines without end would take memory and time from other deliveries.
 */
const most = { octets: 1024 * 1024, lines: 4096 }

/** The fields that the client adds to its envelope. */
interface EnvelopeProgress {
  accepted?: string[]
  rejectedErrors?: (SmtpError & { recipient?: string })[]
}

interface HandedOver {
  answer: Reply
  /** Whether it is the reply to MAIL. */
  refusedSender: boolean
  /** Whether the connection ended without a reply. */
  lost: boolean
  /** Whether the whole message was sent without a reply to it. */
  unanswered: boolean
}

/** Milliseconds for the reply to RSET or QUIT. */
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
  /** Whether a transaction has begun that no 250 to the end of data or to RSET has ended. */
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

  /** Connects, up to the reply to the last EHLO. */
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

  /** The client emits only `end`, and no error, when its connection is gone before it writes. */
  #unlessEnded<T>(begin: (resolve: (value: T) => void) => void, otherwise: () => T): Promise<T> {
    return new Promise((resolve) => {
      // The client emits an error, if any, in the same turn of the event loop.
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

  /** @returns why no command can be sent, or null: the connection has ended, or the server sent an unexpected reply */
  spoilt(): Reply | null {
    const socket = this.#client._socket
    if (!socket || socket.destroyed) return replyToError(ended)
    const early = this.#unasked
    if (early === null) return null
    this.#client.close()
    return replyToError(outOfTurn(early))
  }

  /** Data from the server before a command: it would count as the reply to the next command. */
  get #unasked(): string | null {
    const { _responseQueue, _remainder } = this.#client as unknown as ClientInternals
    return [..._responseQueue, _remainder].find((line) => line.trim() !== '') ?? null
  }

  /** @throws Error for forced mail in the clear, whatever the assessment was */
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
    // After an early reply the server would read the rest of the message as commands.
    if (!untouched && !source.readableEnded) this.#client.close()
    // When MAIL is refused, the replies to RCPT only repeat that.
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
    // A command during the data phase would become part of the message.
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

  /** @param milliseconds without data until the connection times out; 0 for no limit */
  #wait(milliseconds: number): void {
    const socket = this.#client._socket
    if (socket) socket.setTimeout(milliseconds)
  }

  /** Sends the envelope and the message, and resolves with the reply to the message or the failure. */
  #handOver(envelope: { from: string; to: string[] }, source: Readable): Promise<HandedOver> {
    const handedOver = (resolve: (what: HandedOver) => void) => {
      this.#client.send(envelope, source, (error, info) => {
        if (!error)
          return resolve({
            answer: parseReply(info?.response ?? '') ?? reply(250, '2.0.0', 'OK'),
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

  /** RFC 5321 §6.1: the client cannot find out whether a message without its final reply was accepted. */
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
      // The final reply has its own limit: a long reply must not cause a duplicate of an accepted message.
      received.octets = received.lines = 0
    }
    return Readable.from(chunks(), { objectMode: false })
  }

  #placeGate(): void {
    const client = this.#client as unknown as ClientInternals
    if (typeof client._sendCommand !== 'function')
      throw new Error('nodemailer is not supported: SMTPConnection has no method _sendCommand')
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
   * RFC 5321 §4.3.2: only 354 requests the message. A server that replies 250 to DATA, or has already sent another
   * reply, would read the message as commands.
   */
  #demandContinuation(): void {
    const client = this.#client as unknown as ClientInternals
    if (typeof client._actionDATA !== 'function')
      throw new Error('nodemailer is not supported: SMTPConnection has no method _actionDATA')
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
    // RFC 5321 §3.2: a server without EHLO may support HELO. Over TLS the client has nothing more to require.
    if (this.#client.secure) this.#client.options.requireTLS = false
    if (command === 'STARTTLS') observe?.('TlsAsked', answer)
  }

  #limitReceived(): void {
    const client = this.#client as unknown as ClientInternals
    if (typeof client._onData !== 'function')
      throw new Error('nodemailer is not supported: SMTPConnection has no method _onData')
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
    // In TLS 1.3 a server that requires a certificate sends its alert after the client has finished the handshake.
    if (upgrading || (secure && causeOf(error).startsWith('ERR_SSL')))
      return { kind: 'HandshakeFailed', cause: causeOf(error) }
    const refused = this.#lastCommand === 'STARTTLS'
    const knowsNoEhlo = error.command === 'EHLO' && error.response?.startsWith('5')
    return refused || knowsNoEhlo ? { kind: 'NotOffered', answer: error.response ?? causeOf(error) } : null
  }
}

/**
 * The trust anchors of the handshake: those of the enforced requirement, if it needs a chain. Else, of the report-only
 * ones, the public roots first: server-certificate.ts can verify a chain to other anchors later, but not to the roots.
 */
function authoritiesFor({ enforced, trials = [] }: SessionOptions): readonly string[] {
  if (asksForChain(enforced)) return enforced.certificateAuthorities
  const asked = trials.map(({ requirement }) => requirement).filter(asksForChain)
  const chosen = asked.find(({ certificateAuthorities }) => certificateAuthorities.length === 0) ?? asked[0]
  return (chosen ?? enforced).certificateAuthorities
}

const ended: SmtpError = Object.assign(new Error('ended'), { code: 'ECONNRESET' })

/** A 4yz or 5yz reply counts, even before its command. */
const outOfTurn = (response: string): SmtpError =>
  Object.assign(new Error('out of turn'), { code: 'EPROTOCOL', response })

const chunkSize = 65_536

function onlyReset(command: string): string {
  if (command !== 'RSET') throw new Error('a command of a mail transaction instead of RSET')
  return command
}
