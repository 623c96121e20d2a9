/**
 * Decides replies from connectors, rate limits and the state of storage. Counts and logs accepted messages and
 * refusals.
 */
import type { TLSSocket } from 'node:tls'
import type * as z from 'zod'
import { type IngressEnvironment, postmasterSettings } from '../../../shared/contract/environment.ts'
import {
  newRecipient,
  noTls,
  type Recipient,
  type Reply,
  type TlsFacts,
} from '../../../shared/contract/message.ts'
import { Metric } from '../../../shared/contract/metrics.ts'
import { comparableMailbox } from '../../../shared/mail/address.ts'
import { canaryIdOf } from '../../../shared/mail/canary-address.ts'
import { receivedHeader } from '../../../shared/mail/received-header.ts'
import { formatReply, isPermanent } from '../../../shared/mail/reply.ts'
import type { RevocationChecker } from '../../../shared/net/revocation/checker.ts'
import {
  admitRecipient,
  type RcptResult as RecipientDecision,
} from '../../../shared/policy/admit-recipient.ts'
import { connectorsCheckingRevocation, withRevocation } from '../../../shared/policy/client-revocation.ts'
import { evaluateInbound, type InboundEvaluation, type Session } from '../../../shared/policy/inbound.ts'
import { type PostmasterSettings, resolvePostmaster } from '../../../shared/policy/postmaster.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import type { ConnectionPolicy, Peer } from '../connection/connection.ts'
import type { MessageWithoutContent } from '../intake/evaluation-jobs.ts'
import type { Intake } from '../intake/intake.ts'
import type { HandshakeCosts } from '../limits/handshake-costs.ts'
import type { MessageRateLimiter } from '../limits/message-rate-limiter.ts'
import { causeOf, type Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { MailCommand, RecipientCommand } from '../protocol/command.ts'
import type { DataFault } from '../protocol/data-reader.ts'
import type { MessageSink } from '../protocol/message-sink.ts'
import type { Transaction } from '../protocol/session.ts'
import type { RecipientChecker, RecipientCheckResult } from '../recipients/recipient-checker.ts'
import {
  accepted,
  canaryUnavailable,
  certificateNotRequested,
  clientDisconnected,
  connectorsUnavailable,
  insufficientSpool,
  internalError,
  messageHasBareNewlines,
  messageLineTooLong,
  queuedAs,
  type Refusal,
  recipientAccepted,
  serviceUnavailable,
  spoolUnavailable,
  storageUnavailable,
  tooLarge,
  unknownTlsFacts,
} from '../replies.ts'
import { handshakeFailure, type TlsService } from '../tls/tls-service.ts'
import { checkClientRevocation } from './client-revocation.ts'
import type { LastCanary } from './last-canary.ts'
import { newMessageId } from './message-id.ts'
import type { UnknownCertificateNotifier } from './unknown-certificate-notifier.ts'
import type { WatchedConnectors } from './watched-connectors.ts'

export interface SessionPolicyParts {
  environment: z.output<typeof IngressEnvironment>
  connectors: Pick<WatchedConnectors, 'current' | 'latest' | 'areFailing'>
  intake: Intake
  certificateNotifier: UnknownCertificateNotifier
  /** If absent, no message is a canary. */
  lastCanary?: Pick<LastCanary, 'hasId'>
  rates: MessageRateLimiter
  /** If absent, no recipient is checked. */
  recipients?: Pick<RecipientChecker, 'check'>
  /** If absent, revocation is not checked, and every status is `Unknown`. */
  revocation?: Pick<RevocationChecker, 'check'>
  tls: Pick<TlsService, 'facts' | 'refuseResumption'>
  handshakeCosts: Pick<HandshakeCosts, 'requestNext'>
  metrics: Metrics
  log: Log
  now(): Date
}

/** `NeedsLatest`: a permanent refusal must be decided with the latest connectors. */
type RecipientReply = Reply | 'NeedsLatest'

type RecipientAcceptance = Extract<RecipientDecision, { action: 'Accept' }>

/** How the connectors assess the sender: computed at the first RCPT of each MAIL, and again if the snapshot changes. */
interface SenderAssessment {
  snapshot: Snapshot
  session: Session
  evaluation: InboundEvaluation
}

export class ConnectorSessionPolicy implements ConnectionPolicy {
  readonly #parts: SessionPolicyParts
  readonly #peer: Peer
  readonly #postmaster: PostmasterSettings
  #tls: TlsFacts = noTls
  /** False in a resumed session, and after a handshake that was expensive for the ingress. */
  #wasCertificateRequested = true
  #mailFrom: string | null = null
  #assessment: SenderAssessment | null = null
  /** How the last accepted recipient was accepted. This depends on the sender only, so it applies to all recipients. */
  #acceptance: RecipientAcceptance | null = null
  /** The recipient of this MAIL that is the address of the last canary. */
  #canary: string | null = null
  /** True when a refusal of this MAIL was already passed to the certificate notifier. */
  #isNotified = false
  /** True when the rate limiter has counted this MAIL. */
  #isCounted = false
  /** True when an `OnPremises` connector has identified the client in this session. */
  #isAttributed = false

  constructor(parts: SessionPolicyParts, peer: Peer) {
    this.#parts = parts
    this.#peer = peer
    this.#postmaster = postmasterSettings(parts.environment)
  }

  get isAttributed(): boolean {
    return this.#isAttributed
  }

  checkGreeting(): Refusal | null {
    return this.#isFailing() ? serviceUnavailable : null
  }

  /** Runs once per handshake, not once per message. RFC 3207 §4.2: state from before the handshake is discarded. */
  checkTlsSession(socket: TLSSocket, wasCertificateRequested: boolean): Refusal | null {
    this.#mailFrom = null
    this.#assessment = null
    this.#acceptance = null
    this.#canary = null
    try {
      this.#tls = this.#parts.tls.facts(socket)
      this.#wasCertificateRequested = wasCertificateRequested && !socket.isSessionReused()
      return null
    } catch (error) {
      this.#parts.log('error', 'the facts of a TLS session cannot be determined', { cause: causeOf(error) })
      return unknownTlsFacts
    }
  }

  mail({ envelope, size }: MailCommand): Reply {
    this.#mailFrom = envelope.mailFrom
    this.#assessment = null
    this.#acceptance = null
    this.#canary = null
    this.#isNotified = false
    this.#isCounted = false
    const { environment, intake } = this.#parts
    if (this.#isFailing()) return this.#refuse(storageUnavailable)
    if (size > environment.MAX_MESSAGE_SIZE) return this.#refuse(tooLarge(environment.MAX_MESSAGE_SIZE))
    return intake.hasRoomFor(size) ? accepted : this.#refuse(insufficientSpool)
  }

  recipient(command: RecipientCommand, mail: MailCommand): Reply | Promise<Reply> {
    const pendingCheck = this.#checkCanary(command)
    if (pendingCheck === null) return this.#replyToRecipient(command, mail)
    return pendingCheck.then(
      () => this.#replyToRecipient(command, mail),
      (error: unknown) => this.#refuse(canaryUnavailable, { recipient: command.recipient.address }, error),
    )
  }

  #replyToRecipient({ recipient }: RecipientCommand, mail: MailCommand): Reply | Promise<Reply> {
    const refuse = (error: unknown) =>
      this.#refuse(connectorsUnavailable, { recipient: recipient.address }, error)
    const decide = (snapshot: Snapshot) => this.#decideRecipient(snapshot, recipient, mail, false)
    const confirm = () =>
      this.#parts.connectors
        .latest()
        .then((snapshot) => this.#decideRecipient(snapshot, recipient, mail, true), refuse) as Promise<Reply>
    const snapshot = this.#parts.connectors.current()
    const decision = snapshot instanceof Promise ? snapshot.then(decide, refuse) : decide(snapshot)
    if (decision === 'NeedsLatest') return confirm()
    return decision instanceof Promise
      ? decision.then((reply) => (reply === 'NeedsLatest' ? confirm() : reply))
      : decision
  }

  data({ greeting, mail, recipients }: Transaction): MessageSink | Reply {
    const startedAt = performance.now()
    const { intake, environment, now } = this.#parts
    const acceptance = this.#acceptance
    const snapshot = this.#assessment?.snapshot
    if (acceptance === null || snapshot === undefined) return this.#refuse(internalError)
    const at = now()
    const message: MessageWithoutContent = {
      id: newMessageId(),
      receivedAt: at.toISOString(),
      source: { ...this.#peer, helo: greeting.name },
      direction: acceptance.direction,
      attributedTo: acceptance.attributedTo,
      tls: this.#tls,
      envelope: mail.envelope,
      ...(this.#canary !== null && { canary: this.#canary }),
    }
    const distinctRecipients = uniqueRecipients(recipients, snapshot, this.#postmaster)
    const header = receivedHeader({
      helo: greeting.name,
      ip: this.#peer.ip,
      by: environment.MAIL_HOSTNAME,
      id: message.id,
      esmtp: greeting.isEsmtp,
      smtpUtf8: mail.envelope.smtpUtf8,
      tls: this.#tls,
      recipient: distinctRecipients.length === 1 ? (distinctRecipients[0]?.address ?? null) : null,
      at,
    })
    const incoming = intake.begin(Buffer.from(header), message, distinctRecipients)
    return {
      get earlyRefusal() {
        return incoming.earlyRefusal
      },
      get isRefused() {
        return incoming.isRefused
      },
      announce: (octets) => incoming.announce(octets),
      write: (octets) => incoming.write(octets),
      end: async (fault) => {
        const outcome = await incoming.end(fault && this.#faultRefusal(fault))
        if (outcome === null) return clientDisconnected
        if ('size' in outcome)
          return this.#recordAccepted(
            message,
            distinctRecipients.length,
            outcome.size,
            performance.now() - startedAt,
          )
        return this.#refuse(outcome, {}, outcome.cause)
      },
      abandon: () => {
        // A message with an early refusal is already logged as refused.
        if (incoming.earlyRefusal === null)
          this.#parts.log('info', 'client gave up a message', { ip: this.#peer.ip })
        incoming.abandon()
      },
    }
  }

  recordRefusal(refusal: Refusal): void {
    this.#refuse(refusal)
  }

  recordError(error: unknown): void {
    this.#parts.log('error', 'session failed', {
      ip: this.#peer.ip,
      cause: causeOf(error),
      stack: error instanceof Error ? error.stack : null,
    })
  }

  /** The connection is gone, so there is no reply. */
  recordConnectionError(error: Error): void {
    this.#parts.log('info', 'connection failed', { ip: this.#peer.ip, cause: causeOf(error) })
  }

  recordHandshakeError(error: Error): void {
    const cause = handshakeFailure(error)
    this.#parts.metrics.count(Metric.tlsHandshakesFailed)
    this.#parts.metrics.count(Metric.tlsHandshakesFailed, ['cause', cause])
    this.#parts.log('info', 'TLS handshake failed', {
      ip: this.#peer.ip,
      reason: cause,
      cause: causeOf(error),
    })
  }

  #faultRefusal(fault: DataFault): Refusal {
    return fault === 'BareNewlines'
      ? messageHasBareNewlines
      : messageLineTooLong(this.#parts.environment.MAX_LINE_LENGTH)
  }

  #recordAccepted(
    message: MessageWithoutContent,
    recipients: number,
    size: number,
    milliseconds: number,
  ): Reply {
    const { metrics, log } = this.#parts
    metrics.count(Metric.messagesAccepted, ['tls', message.tls.negotiated ? 'negotiated' : 'plaintext'])
    metrics.count(Metric.acceptedByTlsVersion, ['version', message.tls.protocol ?? 'none'])
    log('info', 'accepted', {
      id: message.id,
      mailFrom: message.envelope.mailFrom,
      recipients,
      size,
      ip: this.#peer.ip,
      tls: message.tls.protocol,
      ms: Math.round(milliseconds),
    })
    return queuedAs(message.id)
  }

  /**
   * Finds whether the recipient is the address of the last canary (last-canary.ts). Without TLS or with a sender, it is
   * not.
   * @returns null when no check is needed
   */
  #checkCanary({ recipient: { address } }: RecipientCommand): Promise<void> | null {
    const { lastCanary, environment } = this.#parts
    if (lastCanary === undefined || !this.#tls.negotiated || this.#mailFrom !== '') return null
    const id = canaryIdOf(address, environment.MAIL_HOSTNAME)
    if (id === null) return null
    return lastCanary.hasId(id, this.#parts.now()).then((isLast) => {
      if (isLast) this.#canary = address
    })
  }

  #isFailing(): boolean {
    return this.#parts.intake.isFailing || this.#parts.connectors.areFailing
  }

  #decideRecipient(
    snapshot: Snapshot,
    recipient: RecipientCommand['recipient'],
    mail: MailCommand,
    isLatest: boolean,
  ): RecipientReply | Promise<RecipientReply> {
    const pendingCheck = this.#checkRevocation(snapshot, mail)
    if (pendingCheck === null) return this.#admitRecipient(snapshot, recipient, mail, isLatest)
    return pendingCheck.then(() => this.#admitRecipient(snapshot, recipient, mail, isLatest))
  }

  /**
   * Checks revocation at most once per session, and only if a connector that checks revocation would accept the
   * certificate.
   * @returns null when no check is needed
   */
  #checkRevocation(snapshot: Snapshot, mail: MailCommand): Promise<void> | null {
    const { revocation, log } = this.#parts
    const { clientCertificate } = this.#tls
    if (!clientCertificate || clientCertificate.revocation || this.#assessment?.snapshot === snapshot)
      return null
    const checkingConnectors = connectorsCheckingRevocation(snapshot, this.#policySession(mail))
    if (checkingConnectors.length === 0) return null
    const authorities = checkingConnectors.map(({ certificateAuthorities }) => certificateAuthorities)
    return checkClientRevocation(clientCertificate, authorities, revocation, this.#parts.now()).then(
      (result) => {
        if (result.status !== 'Good')
          log('warn', 'revocation check of a client certificate did not return Good', {
            ip: this.#peer.ip,
            fingerprint256: clientCertificate.fingerprint256,
            connectors: checkingConnectors.map(({ name }) => name),
            ...result,
          })
        this.#tls = withRevocation(this.#tls, result)
      },
    )
  }

  #policySession({ envelope }: MailCommand): Session {
    return { ip: this.#peer.ip, tls: this.#tls, mailFrom: envelope.mailFrom, at: this.#parts.now() }
  }

  /** @param isLatest whether the read of the snapshot began after the command */
  #admitRecipient(
    snapshot: Snapshot,
    recipient: RecipientCommand['recipient'],
    mail: MailCommand,
    isLatest: boolean,
  ): RecipientReply | Promise<RecipientReply> {
    const { now, recipients } = this.#parts
    const address = resolvePostmaster(recipient.address, snapshot, this.#postmaster)
    const at = now()
    if (this.#assessment?.snapshot !== snapshot) {
      const session = this.#policySession(mail)
      this.#assessment = { snapshot, session, evaluation: evaluateInbound(snapshot, session) }
    }
    if (recipient.address === this.#canary) {
      // Another recipient of this MAIL keeps its connector.
      this.#acceptance ??= canaryAcceptance
      return recipientAccepted
    }
    const { evaluation } = this.#assessment
    const decision = admitRecipient(snapshot, evaluation, address, this.#postmaster)
    if (this.#tls.clientCertificate === null && dependsOnCertificate(evaluation, decision)) {
      this.#parts.handshakeCosts.requestNext(this.#peer.ip)
      if (this.#couldPresentCertificate()) return this.#requestFullHandshake(recipient.address)
    }
    if (decision.action === 'Refuse') {
      if (isPermanent(decision.reply) && !isLatest) return 'NeedsLatest'
      this.#notifyOnce(this.#assessment)
      const { connector, explanation } = decision
      return this.#refuse(decision, { recipient: recipient.address, connector, explanation })
    }
    const accept = (check: RecipientCheckResult): RecipientReply => {
      if (check === 'NeedsLatest') return check
      if (check !== null) return this.#refuse(check, { recipient: recipient.address })
      return this.#acceptRecipient(recipient.address, decision, evaluation, at)
    }
    const isOwnServer = decision.attributedTo !== null
    const check = recipients?.check({ snapshot, address, ip: this.#peer.ip, isOwnServer, isLatest }) ?? null
    return check instanceof Promise ? check.then(accept) : accept(check)
  }

  #acceptRecipient(
    recipient: string,
    decision: RecipientAcceptance,
    evaluation: InboundEvaluation,
    at: Date,
  ): Reply {
    if (!this.#isCounted) {
      const { rates } = this.#parts
      const rateRefusal = rates.countMessage(this.#peer.ip, matchingConnectors(evaluation), at.getTime())
      if (rateRefusal) return this.#refuse(rateRefusal, { recipient, connector: rateRefusal.connector })
      this.#isCounted = true
    }
    this.#acceptance = decision
    if (decision.attributedTo !== null) this.#isAttributed = true
    return recipientAccepted
  }

  /**
   * In a resumed session the server cannot request a certificate. In a full handshake the client might present a
   * certificate that changes the decision.
   */
  #couldPresentCertificate(): boolean {
    return this.#tls.negotiated && !this.#wasCertificateRequested && this.#tls.clientCertificate === null
  }

  #requestFullHandshake(recipient: string): Reply {
    this.#parts.tls.refuseResumption(this.#peer.ip)
    return this.#refuse(certificateNotRequested, { recipient })
  }

  /**
   * Runs once per MAIL. The notice is sent here, because evaluate-policy never receives mail that the ingress refuses.
   */
  #notifyOnce({ snapshot, session, evaluation }: SenderAssessment): void {
    if (this.#isNotified) return
    this.#isNotified = true
    this.#parts.certificateNotifier.notifyRefusal(snapshot, session, evaluation)
  }

  /** Counts and logs a refusal. Only the reply reaches the client. */
  #refuse({ reason, reply }: Refusal, fields: Record<string, unknown> = {}, cause?: unknown): Reply {
    const { metrics, log } = this.#parts
    metrics.count(Metric.refused, ['reason', reason])
    if (storageFailureReasons.has(reason) && cause !== undefined) metrics.count(Metric.storageFailures)
    log(cause === undefined ? 'info' : 'error', 'refused', {
      reason,
      reply: formatReply(reply),
      ip: this.#peer.ip,
      tls: this.#tls.protocol,
      mailFrom: this.#mailFrom,
      ...fields,
      ...(cause === undefined ? {} : { cause: causeOf(cause) }),
    })
    return reply
  }
}

/**
 * Two spellings of one mailbox are one recipient. A recipient whose address changes keeps the address of RCPT TO as
 * ORCPT (RFC 3461 §5.2.1), so that its sender recognises it in a DSN.
 */
function uniqueRecipients(
  recipients: Transaction['recipients'],
  snapshot: Snapshot,
  postmaster: PostmasterSettings,
): Recipient[] {
  const distinctRecipients = new Map<string, Recipient>()
  for (const { address, notify, orcpt } of recipients) {
    const resolved = resolvePostmaster(address, snapshot, postmaster)
    distinctRecipients.set(comparableMailbox(resolved), {
      ...newRecipient(resolved),
      notify,
      // No character of this address needs escaping in xtext. `postmaster` without a domain is not of type rfc822.
      orcpt: orcpt ?? (resolved !== address && address.includes('@') ? `rfc822;${address}` : null),
    })
  }
  return [...distinctRecipients.values()]
}

/** No connector and no rate limit applies to a canary. */
const canaryAcceptance: RecipientAcceptance = { action: 'Accept', direction: 'Incoming', attributedTo: null }

/** Whether a certificate might change the decision. Also true for a violation whose mail would be accepted and held. */
const dependsOnCertificate = ({ violation }: InboundEvaluation, decision: RecipientDecision): boolean =>
  violation !== null || (decision.action === 'Refuse' && decision.reason === 'RelayDenied')

/** Failures of S3, SQS or the task's disk. */
const storageFailureReasons: ReadonlySet<string> = new Set(
  [storageUnavailable, spoolUnavailable, insufficientSpool].map(({ reason }) => reason),
)

/** The connectors that match the sender. */
const matchingConnectors = ({ partner, attributedTo }: InboundEvaluation) =>
  [partner, attributedTo].filter((connector) => connector !== null)
