/** The SMTP dialogue: each handler answers one command, and what the client reads is decided here. */
import type { Readable } from 'node:stream'
import { getCACertificates, type TLSSocket } from 'node:tls'
import type { SMTPServerAddress, SMTPServerSession } from 'smtp-server'
import type { z } from 'zod'
import type { IngressEnvironment } from '../../shared/contract/environment.ts'
import { plaintext, type TlsFacts } from '../../shared/contract/message.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import { receivedHeader } from '../../shared/mail/received.ts'
import { type Admission, admit } from '../../shared/policy/admit.ts'
import { type InboundJudgement, judgeInbound, type Session } from '../../shared/policy/inbound.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import { tlsFacts } from '../../shared/tls/facts.ts'
import { serverTlsOptions } from '../../shared/tls/server-options.ts'
import type { CertificateWatch } from './certificate-watch.ts'
import type { WatchedConnectors } from './connectors.ts'
import type { Intake } from './intake.ts'
import type { Unstored } from './jobs.ts'
import { causeOf, type Log } from './log.ts'
import { newMessageId } from './message-id.ts'
import type { Metrics } from './metrics.ts'
import { postmasterAddress } from './postmaster.ts'
import {
  connectorsUnavailable,
  insufficientMemory,
  internalError,
  notInService,
  queuedAs,
  Refusal,
  type Refused,
  storageUnavailable,
  tooManyConnections,
} from './replies.ts'
import { MailServer } from './smtp-connection.ts'
import {
  announcedSize,
  distinctRecipients,
  envelopeOf,
  refuseRecipient,
  refuseSender,
  withAsciiDomain,
} from './transaction.ts'

export interface ServerParts {
  environment: z.output<typeof IngressEnvironment>
  connectors: Pick<WatchedConnectors, 'current' | 'areFailing'>
  intake: Intake
  certificates: CertificateWatch
  metrics: Metrics
  log: Log
  now(): Date
}

/** RFC 5321 §4.5.3.2.7: a server waits at least 5 minutes for the next command. */
const idleTimeoutMs = 5 * 60_000

export function createMailServer(parts: ServerParts): MailServer {
  const { environment } = parts
  const dialogue = new Dialogue(parts)
  const server = new MailServer({
    ...serverTlsOptions(environment.TLS_PRIVATE_KEY, environment.TLS_CERTIFICATE),
    name: environment.MAIL_HOSTNAME,
    heloResponse: '%s',
    size: environment.MAX_MESSAGE_SIZE,
    maxRecipients: environment.MAX_RECIPIENTS,
    maxClients: environment.MAX_CONNECTIONS,
    // RFC 5321 §4.5.3.1.4 and the parameters of DSN: far less than 4 KiB.
    maxCommandLength: 4096,
    disabledCommands: ['AUTH', 'WIZ', 'SHELL', 'KILL', 'XCLIENT', 'XFORWARD'],
    hideENHANCEDSTATUSCODES: false,
    hideDSN: false,
    hideREQUIRETLS: false,
    disableReverseLookup: true,
    socketTimeout: idleTimeoutMs,
    closeTimeout: environment.DRAIN_SECONDS * 1000,
    logger: false,
    onConnect: (session, answer) =>
      answer(dialogue.connect(session, server.sessionsFrom(session.remoteAddress))),
    onSecure: (socket, session, answer) => answer(dialogue.secure(socket as TLSSocket, session)),
    onMailFrom: (sender, session, answer) => answer(dialogue.mail(sender, session)),
    onRcptTo: (recipient, session, answer) => void dialogue.recipient(recipient, session).then(answer),
    onData: (stream, session, answer) =>
      void dialogue.data(stream, session).then(
        (id) => answer(null, queuedAs(id)),
        (refusal) => answer(refusal),
      ),
  })
  server.on('error', (error) => dialogue.connectionFailed(error))
  server.on('handshakeFailed', (error: Error, ip: string) => dialogue.handshakeFailed(error, ip))
  return server
}

/** Those that OpenSSL asks, too. */
const publicRoots = getCACertificates()

type Welcome = Extract<Admission, { action: 'Accept' }>

/** What is remembered of a session between commands. */
interface Remembered {
  tls: TlsFacts
  /** The last recipient's admission; the sender decides it, so it is that of every recipient. */
  admission: Welcome | null
  /** What connectors say of this MAIL's sender, and by which rules: judged once, not at every RCPT. */
  judged: { snapshot: Snapshot; session: Session; judgement: InboundJudgement } | null
  /** Of this MAIL, a refusal was told to who watches certificates. */
  isWatched: boolean
}

/** The client left in the middle of its message: the data stream's error, or the stream's early end. */
const clientLeft = new Set<unknown>(['ECONNECTION', 'ERR_STREAM_PREMATURE_CLOSE'])

class Dialogue {
  readonly #parts: ServerParts
  readonly #sessions = new WeakMap<SMTPServerSession, Remembered>()
  /**
   * Where recipients go whose address is not as the client wrote it. Beside the server's own objects, which it
   * counts and finds again by the address it gave them.
   */
  readonly #resolved = new WeakMap<SMTPServerAddress, string>()

  constructor(parts: ServerParts) {
    this.#parts = parts
  }

  /** @param open sessions that the client's address has already */
  connect(session: SMTPServerSession, open: number): Refusal | null {
    if (this.#isFailing()) return this.#refuse(new Refusal(notInService), session)
    if (open < this.#parts.environment.MAX_CONNECTIONS_PER_ADDRESS) return null
    return this.#refuse(new Refusal(tooManyConnections), session)
  }

  /** Once a handshake, not once a message. */
  secure(socket: TLSSocket, session: SMTPServerSession): null {
    this.#sessions.set(session, {
      tls: tlsFacts(socket, { publicRoots, at: this.#parts.now() }),
      admission: null,
      judged: null,
      isWatched: false,
    })
    return null
  }

  mail(sender: SMTPServerAddress, session: SMTPServerSession): Refusal | null {
    Object.assign(this.#remember(session), { admission: null, judged: null, isWatched: false })
    if (this.#isFailing()) return this.#refuse(new Refusal(storageUnavailable), session)
    const refused = refuseSender(sender) ?? this.#refuseForMemory(sender)
    return refused ? this.#refuse(new Refusal(refused), session, { mailFrom: sender.address }) : null
  }

  async recipient(recipient: SMTPServerAddress, session: SMTPServerSession): Promise<Refusal | null> {
    try {
      await this.#admit(recipient, session)
      return null
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(connectorsUnavailable, error)
      return this.#refuse(refusal, session, { recipient: recipient.address })
    }
  }

  /** @returns the id under which the message is queued @throws Refusal */
  async data(stream: Readable, session: SMTPServerSession): Promise<string> {
    const began = performance.now()
    try {
      const message = this.#message(session)
      const recipients = distinctRecipients(
        session.envelope.rcptTo,
        (recipient) => this.#resolved.get(recipient) ?? recipient.address,
      )
      const header = this.#received(message, session, recipients.length === 1 ? recipients[0]?.address : null)
      const size = await this.#parts.intake.take(stream, header, message, recipients)
      this.#accepted(message, recipients.length, size, performance.now() - began)
      return message.id
    } catch (error) {
      if (clientLeft.has((error as NodeJS.ErrnoException).code)) throw this.#left(session)
      throw this.#refuse(error instanceof Refusal ? error : new Refusal(internalError, error), session)
    }
  }

  /** What a client did to its connection; nobody is left to answer. */
  connectionFailed(error: Error): void {
    const { remoteAddress } = error as { remoteAddress?: string }
    this.#parts.log('info', 'connection failed', { ip: remoteAddress ?? null, cause: causeOf(error) })
  }

  handshakeFailed(error: Error, ip: string): void {
    this.#parts.metrics.count(Metric.tlsHandshakesFailed)
    this.#parts.log('info', 'TLS handshake failed', { ip, cause: causeOf(error) })
  }

  #isFailing(): boolean {
    return this.#parts.intake.isFailing || this.#parts.connectors.areFailing
  }

  /** Before the message is sent, when it is known that it could not be held. */
  #refuseForMemory(sender: SMTPServerAddress): Refused | null {
    return this.#parts.intake.hasRoomFor(announcedSize(sender)) ? null : insufficientMemory
  }

  async #admit(recipient: SMTPServerAddress, session: SMTPServerSession): Promise<void> {
    const sender = session.envelope.mailFrom || { address: '', args: false }
    const refused = refuseRecipient(recipient, sender)
    if (refused) throw new Refusal(refused)
    const { environment, connectors, now } = this.#parts
    const snapshot = await connectors.current()
    const address = postmasterAddress(withAsciiDomain(recipient.address), snapshot, environment.MAIL_HOSTNAME)
    this.#resolved.set(recipient, address)
    const remembered = this.#remember(session)
    if (remembered.judged?.snapshot !== snapshot) {
      const mailFrom = withAsciiDomain(sender.address)
      const view = { ip: session.remoteAddress, tls: remembered.tls, mailFrom, at: now() }
      remembered.judged = { snapshot, session: view, judgement: judgeInbound(snapshot, view) }
    }
    const admission = admit(snapshot, remembered.judged.judgement, address)
    if (admission.action === 'Refuse') {
      this.#watch(remembered)
      throw new Refusal(admission, undefined, admission)
    }
    remembered.admission = admission
  }

  /** Once for each MAIL: what is refused here, evaluate-policy never sees. */
  #watch(remembered: Remembered): void {
    if (remembered.isWatched || !remembered.judged) return
    remembered.isWatched = true
    const { snapshot, session, judgement } = remembered.judged
    this.#parts.certificates.refused(snapshot, session, judgement)
  }

  #message(session: SMTPServerSession): Unstored {
    const { tls, admission } = this.#remember(session)
    const sender = session.envelope.mailFrom
    if (!sender || !admission) throw new Error('data without a transaction')
    return {
      id: newMessageId(),
      receivedAt: this.#parts.now().toISOString(),
      source: { ip: session.remoteAddress, port: session.remotePort, helo: session.hostNameAppearsAs },
      direction: admission.direction,
      attributedTo: admission.attributedTo,
      tls,
      envelope: envelopeOf(sender),
    }
  }

  #received(message: Unstored, session: SMTPServerSession, recipient: string | null | undefined): Buffer {
    const header = receivedHeader({
      helo: session.hostNameAppearsAs,
      ip: session.remoteAddress,
      by: this.#parts.environment.MAIL_HOSTNAME,
      id: message.id,
      esmtp: session.openingCommand === 'EHLO',
      smtpUtf8: message.envelope.smtpUtf8,
      tls: message.tls,
      recipient: recipient ?? null,
      at: new Date(message.receivedAt),
    })
    return Buffer.from(header)
  }

  #accepted(message: Unstored, recipients: number, size: number, milliseconds: number): void {
    const { metrics, log } = this.#parts
    metrics.count(Metric.messagesAccepted, ['tls', message.tls.negotiated ? 'negotiated' : 'plaintext'])
    log('info', 'accepted', {
      id: message.id,
      mailFrom: message.envelope.mailFrom,
      recipients,
      size,
      ip: message.source?.ip ?? null,
      tls: message.tls.protocol,
      ms: Math.round(milliseconds),
    })
  }

  /** @returns what the server gets in answer, which nobody reads */
  #left(session: SMTPServerSession): Refusal {
    this.#parts.log('info', 'client left', { ip: session.remoteAddress })
    return new Refusal(internalError)
  }

  /** Counts and logs a refusal. The client reads its reply and nothing else of it. */
  #refuse(refusal: Refusal, session: SMTPServerSession, of?: Record<string, string>): Refusal {
    const { metrics, log } = this.#parts
    metrics.count(Metric.refused, ['reason', refusal.reason])
    if (refusal.reason === storageUnavailable.reason && refusal.cause) metrics.count(Metric.storageFailures)
    log(refusal.cause ? 'error' : 'info', 'refused', {
      reason: refusal.reason,
      reply: `${refusal.reply.code} ${refusal.message}`,
      ip: session.remoteAddress,
      tls: this.#remember(session).tls.protocol,
      mailFrom: session.envelope?.mailFrom ? session.envelope.mailFrom.address : null,
      ...of,
      ...refusal.detail,
      ...(refusal.cause ? { cause: causeOf(refusal.cause) } : {}),
    })
    return refusal
  }

  #remember(session: SMTPServerSession): Remembered {
    const known = this.#sessions.get(session)
    if (known) return known
    const fresh = { tls: plaintext, admission: null, judged: null, isWatched: false }
    this.#sessions.set(session, fresh)
    return fresh
  }
}
