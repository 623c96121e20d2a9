/** Decides replies from connectors, rate limits and the state of storage. */
import type { TLSSocket } from 'node:tls'
import type * as z from 'zod'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import { type IngressEnvironment, postmasterSettings } from '../../../shared/contract/environment.ts'
import { noTls, type Reply, type TlsFacts, type TlsLevel } from '../../../shared/contract/message.ts'
import { canaryIdOf } from '../../../shared/mail/canary-address.ts'
import { receivedHeader } from '../../../shared/mail/received-header.ts'
import { isPermanent } from '../../../shared/mail/reply.ts'
import type { RevocationChecker } from '../../../shared/net/revocation/checker.ts'
import {
  admitRecipient,
  type RcptResult as RecipientDecision,
} from '../../../shared/policy/admit-recipient.ts'
import { connectorsCheckingRevocation, withRevocation } from '../../../shared/policy/client-revocation.ts'
import { type InboundEvaluation, recipientScope } from '../../../shared/policy/inbound.ts'
import { type PostmasterSettings, resolvePostmaster } from '../../../shared/policy/postmaster.ts'
import { requiredClientLevel } from '../../../shared/policy/required-client-level.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import type { ConnectionPolicy, Peer } from '../connection/connection.ts'
import type { MessageWithoutContent } from '../intake/evaluation-jobs.ts'
import type { Intake, MessageDecision, MessageFacts } from '../intake/intake.ts'
import type { ReceivedContent } from '../intake/received-content.ts'
import type { RefusalWithCause } from '../intake/spooled-content.ts'
import type { HandshakeCosts } from '../limits/handshake-costs.ts'
import type { MessageRateLimiter, RateLimitRefusal } from '../limits/message-rate-limiter.ts'
import { causeOf } from '../log.ts'
import type { MailCommand, RecipientCommand } from '../protocol/command.ts'
import type { DataFault } from '../protocol/data-reader.ts'
import type { MessageSink } from '../protocol/message-sink.ts'
import type { ClientGreeting, Transaction } from '../protocol/session.ts'
import type { RecipientChecker, RecipientCheckResult } from '../recipients/recipient-checker.ts'
import type { RefusalContext } from '../rejections/rejection.ts'
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
  storageUnavailable,
  tooLarge,
  unknownTlsFacts,
} from '../replies.ts'
import type { TlsService } from '../tls/tls-service.ts'
import { checkClientRevocation } from './client-revocation.ts'
import { decideContent, needsContent, type ReceivedMail, tenantDetails } from './decide-content.ts'
import { distinctRecipients } from './distinct-recipients.ts'
import type { LastCanary } from './last-canary.ts'
import { newMessageId } from './message-id.ts'
import { attributionOf, confirmedOwner, SenderAssessment } from './sender-assessment.ts'
import {
  type RecordedRefusal,
  type RefusedSession,
  recordAccepted,
  recordHandshakeFailure,
  recordRefusal,
  type SessionRecorderParts,
} from './session-recorder.ts'
import type { SignatureVerifier } from './signature-verifier.ts'
import type { UnknownCertificateNotifier } from './unknown-certificate-notifier.ts'
import type { WatchedConnectors } from './watched-connectors.ts'

export interface SessionPolicyParts extends SessionRecorderParts {
  environment: z.output<typeof IngressEnvironment>
  connectors: Pick<WatchedConnectors, 'current' | 'latest' | 'areFailing'>
  intake: Intake
  certificateNotifier: UnknownCertificateNotifier
  /** If absent, no message is a canary. */
  lastCanary?: Pick<LastCanary, 'hasId'>
  rates: MessageRateLimiter
  /** If absent, no recipient is checked. */
  recipients?: Pick<RecipientChecker, 'check'>
  signatures: Pick<SignatureVerifier, 'verify'>
  /** If absent, revocation is not checked, and every status is `Unknown`. */
  revocation?: Pick<RevocationChecker, 'check'>
  tls: Pick<TlsService, 'facts' | 'refuseResumption'>
  handshakeCosts: Pick<HandshakeCosts, 'requestNext'>
}

/** `NeedsLatest`: a permanent refusal must be decided with the latest connectors. */
type RecipientReply = Reply | 'NeedsLatest'

export class ConnectorSessionPolicy implements ConnectionPolicy {
  readonly #parts: SessionPolicyParts
  readonly #peer: Peer
  readonly #postmaster: PostmasterSettings
  #tls: TlsFacts = noTls
  /** False in a resumed session, and after a handshake that was expensive for the ingress. */
  #wasCertificateRequested = true
  #clientName = ''
  #mailFrom: string | null = null
  /** Created at the first RCPT of each MAIL, and again if the snapshot changes. */
  #assessment: SenderAssessment | null = null
  /** The recipient of this MAIL that is the address of the last canary. */
  #canary: string | null = null
  /** The evaluations of this MAIL whose refusal was already passed to the certificate notifier. */
  readonly #notified = new Set<InboundEvaluation>()
  /** True when the rate limiter has counted this MAIL. */
  #isCounted = false
  /** Ids of the connectors for which the rate limiter has counted this MAIL. */
  readonly #countedConnectors = new Set<string>()
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

  mail({ envelope, size }: MailCommand, greeting: ClientGreeting): Reply {
    this.#clientName = greeting.name
    this.#mailFrom = envelope.mailFrom
    this.#assessment = null
    this.#canary = null
    this.#notified.clear()
    this.#isCounted = false
    this.#countedConnectors.clear()
    const { environment, intake } = this.#parts
    const refuse = (refusal: Refusal) =>
      this.#refuse(refusal, { stage: 'Mail', sender: envelope.mailFrom, size: size || undefined })
    if (this.#isFailing()) return refuse(storageUnavailable)
    if (size > environment.MAX_MESSAGE_SIZE) return refuse(tooLarge(environment.MAX_MESSAGE_SIZE))
    return intake.hasRoomFor(size) ? accepted : refuse(insufficientSpool)
  }

  recipient(command: RecipientCommand, mail: MailCommand): Reply | Promise<Reply> {
    const pendingCheck = this.#checkCanary(command)
    if (pendingCheck === null) return this.#replyToRecipient(command, mail)
    return pendingCheck.then(
      () => this.#replyToRecipient(command, mail),
      (cause: unknown) => this.#refuseRecipient(canaryUnavailable, command.recipient.address, { cause }),
    )
  }

  #replyToRecipient({ recipient }: RecipientCommand, mail: MailCommand): Reply | Promise<Reply> {
    const refuse = (cause: unknown) =>
      this.#refuseRecipient(connectorsUnavailable, recipient.address, { cause })
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
    const assessment = this.#assessment
    const sender = mail.envelope.mailFrom
    if (assessment === null) return this.#refuse(internalError, { stage: 'Data', sender })
    const distinct = distinctRecipients(recipients, assessment.snapshot, this.#postmaster)
    const received: ReceivedMail = {
      session: assessment.session,
      recipients: distinct.map(({ address }) => address).filter((address) => address !== this.#canary),
    }
    const onlyRecipient = distinct.length === 1 ? distinct[0]?.address : undefined
    const evaluations = received.recipients.map((address) => assessment.evaluationFor(address))
    const at = now()
    const message: MessageWithoutContent = {
      id: newMessageId(),
      receivedAt: at.toISOString(),
      source: { ...this.#peer, helo: greeting.name },
      ...attributionOf(evaluations),
      tls: this.#tls,
      envelope: mail.envelope,
      ...(this.#canary !== null && { canary: this.#canary }),
    }
    const header = receivedHeader({
      helo: greeting.name,
      ip: this.#peer.ip,
      by: environment.MAIL_HOSTNAME,
      id: message.id,
      esmtp: greeting.isEsmtp,
      smtpUtf8: mail.envelope.smtpUtf8,
      tls: this.#tls,
      recipient: onlyRecipient ?? null,
      at,
    })
    let tenantEvidence: string | null = null
    const decide: MessageDecision = async (content) => {
      const decision = await this.#decideContent(received, content)
      if ('reply' in decision) return decision
      tenantEvidence = decision.evidence
      return decision.facts
    }
    const isConfirmedByContent = evaluations.some((evaluation) => needsContent(evaluation, received.session))
    const incoming = intake.begin(
      Buffer.from(header),
      message,
      distinct,
      isConfirmedByContent ? decide : null,
    )
    return {
      get earlyRefusal() {
        return incoming.earlyRefusal
      },
      get isRefused() {
        return incoming.isRefused
      },
      announce: (octets) => incoming.announce(octets),
      write: (octets) => incoming.write(octets),
      end: async (fault, normalisedFrom) => {
        const outcome = await incoming.end(fault && this.#faultRefusal(fault), normalisedFrom)
        if (outcome === null) return clientDisconnected
        if ('size' in outcome) {
          const milliseconds = performance.now() - startedAt
          const fields = { recipients: distinct.length, size: outcome.size, milliseconds, tenantEvidence }
          recordAccepted(this.#parts, message, fields)
          return queuedAs(message.id)
        }
        const { recipient, connector, exchangeOnline, ...logFields } = outcome.details ?? {}
        return this.#refuse(outcome, {
          stage: 'Data',
          sender,
          recipient: recipient ?? onlyRecipient,
          recipients: distinct.length,
          connector,
          requiredLevel: requiredLevelOf(connector, assessment.snapshot),
          exchangeOnline,
          direction: message.direction,
          connectorsVersion: assessment.snapshot.version,
          size: incoming.receivedOctets,
          headerMessageId: incoming.headerMessageId,
          logFields,
          cause: outcome.cause,
        })
      },
      abandon: () => {
        // A message with an early refusal is already logged as refused.
        if (incoming.earlyRefusal === null)
          this.#parts.log('info', 'client gave up a message', { ip: this.#peer.ip })
        incoming.abandon()
      },
    }
  }

  recordRefusal(refusal: Refusal, context: RefusalContext, clientName: string): void {
    this.#clientName = clientName
    this.#refuse(refusal, context)
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

  recordHandshakeError(error: Error, clientName: string): void {
    this.#clientName = clientName
    recordHandshakeFailure(this.#parts, this.#refusedSession(), error)
  }

  #faultRefusal(fault: DataFault): Refusal {
    return fault === 'BareNewlines'
      ? messageHasBareNewlines
      : messageLineTooLong(this.#parts.environment.MAX_LINE_LENGTH)
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
    const pendingCheck = this.#checkRevocation(snapshot, recipient.address, mail)
    if (pendingCheck === null) return this.#admitRecipient(snapshot, recipient, mail, isLatest)
    return pendingCheck.then(() => this.#admitRecipient(snapshot, recipient, mail, isLatest))
  }

  /**
   * Checks revocation at most once per session, and only if a connector that checks revocation would accept the
   * certificate.
   * @returns null when no check is needed
   */
  #checkRevocation(snapshot: Snapshot, address: string, mail: MailCommand): Promise<void> | null {
    const { revocation, log } = this.#parts
    const { clientCertificate } = this.#tls
    if (!clientCertificate || clientCertificate.revocation) return null
    const assessment = this.#assess(snapshot, mail)
    const recipient = resolvePostmaster(address, snapshot, this.#postmaster)
    if (assessment.hasEvaluated(recipient)) return null
    const checkingConnectors = connectorsCheckingRevocation(
      snapshot,
      assessment.session,
      recipientScope(snapshot, recipient),
    )
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
        this.#assessment = null
      },
    )
  }

  #assess(snapshot: Snapshot, { envelope }: MailCommand): SenderAssessment {
    if (this.#assessment?.snapshot !== snapshot) {
      const at = this.#parts.now()
      const session = { ip: this.#peer.ip, tls: this.#tls, mailFrom: envelope.mailFrom, at }
      this.#assessment = new SenderAssessment(snapshot, session)
    }
    return this.#assessment
  }

  /** @param isLatest whether the read of the snapshot began after the command */
  #admitRecipient(
    snapshot: Snapshot,
    recipient: RecipientCommand['recipient'],
    mail: MailCommand,
    isLatest: boolean,
  ): RecipientReply | Promise<RecipientReply> {
    const address = resolvePostmaster(recipient.address, snapshot, this.#postmaster)
    const assessment = this.#assess(snapshot, mail)
    // No connector and no rate limit applies to a canary.
    if (recipient.address === this.#canary) return recipientAccepted
    const evaluation = assessment.evaluationFor(address)
    const decision = admitRecipient(snapshot, evaluation, address, this.#postmaster)
    const refuse = (refusal: Refusal, fields: Partial<RecordedRefusal> = {}) =>
      this.#refuseRecipient(refusal, recipient.address, {
        direction: confirmedOwner(evaluation) === null ? 'Incoming' : 'Originating',
        connectorsVersion: snapshot.version,
        requiredLevel: requiredLevelOf(fields.connector, snapshot),
        ...fields,
      })
    if (this.#tls.clientCertificate === null && dependsOnCertificate(evaluation, decision)) {
      this.#parts.handshakeCosts.requestNext(this.#peer.ip)
      if (this.#couldPresentCertificate()) {
        this.#parts.tls.refuseResumption(this.#peer.ip)
        return refuse(certificateNotRequested)
      }
    }
    if (decision.action === 'Refuse') {
      if (isPermanent(decision.reply) && !isLatest) return 'NeedsLatest'
      this.#notifyOnce(assessment, evaluation)
      const { connector, explanation } = decision
      const logFields = { explanation, ...tenantDetails(evaluation) }
      return refuse(decision, { connector, logFields })
    }
    const accept = (check: RecipientCheckResult): RecipientReply => {
      if (check === 'NeedsLatest') return check
      if (check !== null) return refuse(check)
      const rateRefusal = this.#countMessage(matchingConnectors(evaluation))
      if (rateRefusal) return refuse(rateRefusal, { connector: rateRefusal.connector })
      if (confirmedOwner(evaluation) !== null) this.#isAttributed = true
      return recipientAccepted
    }
    const isOwnServer = confirmedOwner(evaluation) !== null
    const { ip } = this.#peer
    const check = this.#parts.recipients?.check({ snapshot, address, ip, isOwnServer, isLatest }) ?? null
    return check instanceof Promise ? check.then(accept) : accept(check)
  }

  /** Counts this MAIL once for its address, and once for each connector. */
  #countMessage(connectors: readonly InboundConnector[]): RateLimitRefusal | null {
    const remaining = connectors.filter(({ id }) => !this.#countedConnectors.has(id))
    if (this.#isCounted && remaining.length === 0) return null
    const { rates, now } = this.#parts
    const ip = this.#isCounted ? null : this.#peer.ip
    const refusal = rates.countMessage(ip, remaining, now().getTime())
    if (refusal !== null) return refusal
    this.#isCounted = true
    for (const { id } of remaining) this.#countedConnectors.add(id)
    return null
  }

  /** Decides about a whole message, after its recipients were accepted provisionally. @throws SpoolError */
  async #decideContent(
    received: ReceivedMail,
    content: ReceivedContent,
  ): Promise<RefusalWithCause | { facts: MessageFacts; evidence: string | null }> {
    const { connectors, signatures } = this.#parts
    const decision = await decideContent(
      { connectors, signatures, postmaster: this.#postmaster },
      received,
      content,
    )
    if (decision.action === 'Refuse') {
      const { refusal, refused } = decision
      if (refused) this.#notifyOnce(refused.assessment, refused.assessment.evaluationFor(refused.recipient))
      return refusal
    }
    const { evaluations, exchangeOnline, evidence } = decision
    const rateRefusal = this.#countMessage(evaluations.flatMap(matchingConnectors))
    if (rateRefusal) return { ...rateRefusal, details: { connector: rateRefusal.connector } }
    const attribution = attributionOf(evaluations)
    if (attribution.attributedTo !== null) this.#isAttributed = true
    return { facts: { ...attribution, ...(exchangeOnline && { exchangeOnline }) }, evidence }
  }

  /**
   * In a resumed session the server cannot request a certificate. In a full handshake the client might present a
   * certificate that changes the decision.
   */
  #couldPresentCertificate(): boolean {
    return this.#tls.negotiated && !this.#wasCertificateRequested && this.#tls.clientCertificate === null
  }

  /**
   * Runs once per MAIL and evaluation. The notice is sent here, because evaluate-policy never receives mail that the ingress refuses.
   */
  #notifyOnce({ snapshot, session }: SenderAssessment, evaluation: InboundEvaluation): void {
    if (this.#notified.has(evaluation)) return
    this.#notified.add(evaluation)
    this.#parts.certificateNotifier.notifyRefusal(snapshot, session, evaluation)
  }

  #refuseRecipient(refusal: Refusal, recipient: string, fields: Partial<RecordedRefusal> = {}): Reply {
    const sender = this.#mailFrom ?? undefined
    return this.#refuse(refusal, { stage: 'Rcpt', sender, recipient, ...fields })
  }

  /** Records a refusal. @returns its reply */
  #refuse(refusal: Refusal, fields: RecordedRefusal): Reply {
    recordRefusal(this.#parts, this.#refusedSession(), refusal, {
      isCanary: this.#canary !== null,
      ...fields,
    })
    return refusal.reply
  }

  #refusedSession(): RefusedSession {
    const clientName = this.#clientName
    return { ip: this.#peer.ip, tls: this.#tls, mailFrom: this.#mailFrom, clientName }
  }
}

const requiredLevelOf = (connector: string | null | undefined, { all }: Snapshot): TlsLevel | undefined => {
  const rule = typeof connector === 'string' ? all.inbound.get(connector) : undefined
  return rule && requiredClientLevel(rule.connector)
}

/** Whether a certificate might change the decision. Also true for a violation whose mail would be accepted and held. */
const dependsOnCertificate = ({ violation }: InboundEvaluation, decision: RecipientDecision): boolean =>
  violation !== null || (decision.action === 'Refuse' && decision.reason === 'RelayDenied')

/** The connectors that match the sender, without one that the content must confirm: any tenant could use up its rate. */
const matchingConnectors = (evaluation: InboundEvaluation): InboundConnector[] =>
  [evaluation.partner, confirmedOwner(evaluation)].filter((connector) => connector !== null)
