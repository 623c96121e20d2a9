/**
 * Opens an SMTP session as a client: greeting, EHLO, STARTTLS, and EHLO over TLS (RFC 5321 §3.2, RFC 3207). Without
 * sockets and clocks.
 */
import type { ServerTls } from '../../tls/assess-server-tls.ts'
import { type Extensions, parseExtensions } from '../esmtp.ts'
import type { SmtpFault } from '../smtp-faults.ts'
import type { ClientSession, ReplyHandler } from './client-session.ts'
import { isPositiveReply, type ServerReply } from './reply-reader.ts'

/**
 * The progress of opening a session, in this order. An opportunistic session whose TLS fails starts again in the clear,
 * with a second `Dialled`.
 */
export type Milestone =
  | 'Dialled'
  /** TCP is connected; the greeting comes next. */
  | 'Connected'
  /** The greeting was read; the reply to EHLO comes next. */
  | 'Greeted'
  /** STARTTLS was sent; its reply and the handshake come next. */
  | 'StartTlsSent'
  /** The handshake is done; the reply to EHLO over TLS comes next. */
  | 'Secured'

/** `Required`: the session ends when TLS cannot be established. */
export type StartTlsMode = 'Required' | 'WhenOffered' | 'Never'

export type NegotiationResult =
  /** The session's TLS may be assessed. */
  | { kind: 'Ready'; extensions: Extensions }
  | { kind: 'TlsFailed'; tls: Exclude<ServerTls, { kind: 'Established' }> }
  | { kind: 'Failed'; fault: SmtpFault }

export interface NegotiationOptions {
  /** The name in EHLO (RFC 5321 §4.1.1.1). */
  ehloName: string
  startTls: StartTlsMode
  /** Called at each milestone from `Greeted`. `answer`: the server's latest reply. */
  onMilestone(milestone: Milestone, answer: string): void
}

type Step = 'Greeting' | 'Ehlo' | 'Helo' | 'StartTls' | 'Handshake'

export class Negotiation implements ReplyHandler {
  readonly #session: ClientSession
  readonly #options: NegotiationOptions
  readonly #onResult: (result: NegotiationResult) => void
  #step: Step = 'Greeting'
  #latest: ServerReply = { code: 0, text: '' }

  constructor(
    session: ClientSession,
    options: NegotiationOptions,
    onResult: (result: NegotiationResult) => void,
  ) {
    this.#session = session
    this.#options = options
    this.#onResult = onResult
    session.begin(this)
    session.expectGreeting()
  }

  reply(reply: ServerReply): void {
    this.#latest = reply
    // Before the next reply is read: octets that follow this reply are not part of the session (RFC 3207 §6).
    if (this.#step === 'StartTls' && isPositiveReply(reply)) {
      this.#step = 'Handshake'
      this.#session.startTls()
    }
  }

  step(): void {
    if (!isPositiveReply(this.#latest)) this.#handleRefusal()
    else if (this.#step === 'Greeting') this.#sendEhlo()
    else if (this.#step === 'Ehlo') this.#handleExtensions(parseExtensions(this.#latest.text))
    else if (this.#step === 'Helo') this.#finish({ kind: 'Ready', extensions: new Map() })
  }

  handshakeDone(): void {
    this.#sendEhlo()
  }

  fault(fault: SmtpFault): void {
    const cause = fault.kind === 'Ended' ? fault.cause : 'EPROTOCOL'
    // In TLS 1.3 a server that requires a certificate sends its alert after the client has finished the handshake.
    const isAlert = this.#session.isSecure && cause.startsWith('ERR_SSL')
    if (this.#step === 'Handshake' || isAlert || this.#isEarlyReply(fault))
      this.#onResult({ kind: 'TlsFailed', tls: { kind: 'HandshakeFailed', cause } })
    else this.#onResult(this.#step === 'StartTls' ? notOffered(cause) : { kind: 'Failed', fault })
  }

  /** Whether a reply came before STARTTLS: it may be the reply to that command, from an attacker. */
  #isEarlyReply({ kind }: SmtpFault): boolean {
    const isBeforeTls = !this.#session.isSecure && this.#options.startTls !== 'Never'
    return kind === 'UnexpectedReply' && isBeforeTls && (this.#step === 'Ehlo' || this.#step === 'StartTls')
  }

  #sendEhlo(): void {
    const { ehloName, onMilestone } = this.#options
    onMilestone(this.#session.isSecure ? 'Secured' : 'Greeted', this.#latest.text)
    this.#step = 'Ehlo'
    this.#session.writeOpening(`EHLO ${ehloName}`)
  }

  #handleExtensions(extensions: Extensions): void {
    const { startTls, onMilestone } = this.#options
    const isTlsNext =
      !this.#session.isSecure &&
      (startTls === 'Required' || (startTls === 'WhenOffered' && extensions.has('STARTTLS')))
    if (!isTlsNext) {
      this.#finish({ kind: 'Ready', extensions })
      return
    }
    onMilestone('StartTlsSent', this.#latest.text)
    this.#step = 'StartTls'
    this.#session.writeOpening('STARTTLS')
  }

  #handleRefusal(): void {
    const { ehloName, startTls } = this.#options
    const { code, text } = this.#latest
    const isTlsMissing = startTls === 'Required' && !this.#session.isSecure
    if (this.#step === 'StartTls') this.#finish(notOffered(text))
    else if (this.#step !== 'Ehlo' || code < 500)
      this.#finish({ kind: 'Failed', fault: { kind: 'Refused', response: text } })
    else if (isTlsMissing) this.#finish(notOffered(text))
    else {
      // RFC 5321 §3.2: a server that refuses EHLO may support HELO, but then it has no STARTTLS.
      this.#step = 'Helo'
      this.#session.writeOpening(`HELO ${ehloName}`)
    }
  }

  #finish(result: NegotiationResult): void {
    this.#session.finish()
    this.#onResult(result)
  }
}

const notOffered = (serverReply: string): NegotiationResult => ({
  kind: 'TlsFailed',
  tls: { kind: 'NotOffered', serverReply },
})
