/**
 * Builds the events of accepted mail from its facts. A repeated job states the same facts, so it builds events with the
 * same ids. Pure.
 */
import type { MessageAuthentication } from '../contract/authentication.ts'
import type { MailEvent, MailRequestKind } from '../contract/events.ts'
import type { AttemptContext, DsnKind } from '../contract/jobs.ts'
import type { Attempt, AttemptTls, Message, Recipient, TlsLevel } from '../contract/message.ts'
import { tenantColumns } from '../contract/tenant-columns.ts'
import { domainOf } from '../mail/address.ts'
import { formatReply } from '../mail/reply.ts'
import { clientTlsColumns } from './client-tls-columns.ts'
import { createEvent, type EventFields } from './create-event.ts'

/** The connector that applied on arrival, and what it requires of the client. */
export interface ArrivalConnector {
  id: string
  mode: 'Enforce' | 'ReportOnly'
  requiredLevel: TlsLevel
  /** Digest of its own authorities, if the chain of the client's certificate leads to them. */
  trustAnchors?: string | undefined
}

/**
 * @param recipients number of recipients of the message
 * @param connector null if none applied
 */
export function acceptedEvent(
  message: Message,
  recipients: number,
  connector: ArrivalConnector | null,
): MailEvent {
  const { id, receivedAt, source, tls, envelope, authentication, exchangeOnline } = message
  return createEvent('Accepted', [id], {
    at: receivedAt,
    ...messageColumns(message),
    ...partnerColumn(envelope.mailFrom),
    recipients,
    ...arrivalColumns(connector),
    ...clientTlsColumns(tls, new Date(receivedAt)),
    ...(envelope.requireTls && { requireTls: true }),
    ...(authentication?.dmarc && dmarcColumns(authentication.dmarc)),
    ...(exchangeOnline && tenantColumns(exchangeOnline)),
    ...(source && { helo: source.helo }),
  })
}

const arrivalColumns = (connector: ArrivalConnector | null) =>
  connector && {
    inboundConnector: connector.id,
    mode: connector.mode,
    requiredLevel: connector.requiredLevel,
    ...(connector.trustAnchors !== undefined && { trustAnchors: connector.trustAnchors }),
  }

const dmarcColumns = ({ result, fromDomain }: NonNullable<MessageAuthentication['dmarc']>) => ({
  dmarc: result,
  ...(fromDomain !== null && { fromDomain }),
})

/** A recorded decision. `at`: its time, ISO 8601. */
export interface DecisionFacts {
  action: 'Deliver' | 'Defer' | 'Bounce'
  reason: string
  connectors: { inbound: string | null; outbound: string | null }
  at: string
  connectorsVersion: number
  /** The reply in a DSN; null for a delivery. */
  reply: string | null
  considered: readonly { connector: string; name: string; mode: 'Enforce' | 'ReportOnly' }[]
}

/** The decided job. */
export interface DecidedJob {
  /** Its position among the jobs of the recipient. */
  position: string
  /** When a decision was due, ISO 8601. */
  dueAt: string
}

/**
 * A bounce is recorded once, so its event has the time of the record. Another decision may be made again hours later by
 * a repeated job. So its event has the time at which it was due: a copy of an event must not be in another hour.
 * @param decidedBy name of the connector that decided
 */
export function decisionEvent(
  message: Message,
  { address, attempts }: Pick<Recipient, 'address' | 'attempts'>,
  decision: DecisionFacts,
  decidedBy: string | null,
  { position, dueAt }: DecidedJob,
): MailEvent {
  const { action, reason, connectors, at, connectorsVersion, reply, considered } = decision
  const { inbound, outbound } = connectors
  const decider = considered.find(
    ({ connector, name }) => name === decidedBy && (connector === inbound || connector === outbound),
  )
  const fields: EventFields = {
    at,
    ...recipientColumns(message, address),
    // The other side of incoming mail is its sender, also when it waits for its next hop.
    ...partnerColumn(message.direction === 'Incoming' ? message.envelope.mailFrom : address),
    ...(inbound !== null && { inboundConnector: inbound }),
    ...(outbound !== null && { outboundConnector: outbound }),
    connectorsVersion,
    ...(decider && { mode: decider.mode }),
    decision: action,
    reason,
    ...(reply !== null && { reply }),
    state: stateAfter[action],
  }
  return action === 'Bounce'
    ? createEvent('Bounced', [message.id, address], { ...fields, ...(attempts > 0 && { attempt: attempts }) })
    : createEvent('Decided', [message.id, address, position], { ...fields, at: dueAt })
}

const stateAfter = { Deliver: 'Pending', Defer: 'Deferred', Bounce: 'Bounced' } as const

/**
 * Builds the event of an attempt, and one event for each worker that began the attempt before and wrote no result.
 * @param context absent in the report of an earlier release
 */
export function attemptEvents(
  message: Message,
  address: string,
  attempt: Attempt,
  context: AttemptContext | undefined,
): MailEvent[] {
  const { number, at, durationMs, lost = 0 } = attempt
  const key = [message.id, address, number]
  const common = {
    ...recipientColumns(message, address),
    ...partnerColumn(address),
    ...contextColumns(context),
    attempt: number,
  }
  const lostAttempts = Array.from({ length: lost }, (_, index) =>
    createEvent('Attempted', [...key, 'lost', index + 1], {
      ...common,
      at,
      decision: 'Unknown',
      state: 'Pending',
    }),
  )
  const fields: EventFields = {
    ...common,
    at: endOf(attempt),
    ...sessionColumns(attempt),
    ...connectorLevelColumn(attempt, context),
    reply: formatReply(attempt.reply),
    durationMs,
  }
  if (attempt.outcome === 'Delivered')
    return [...lostAttempts, createEvent('Delivered', key, { ...fields, state: 'Delivered' })]
  const failure = { decision: attempt.outcome, state: 'Pending' } as const
  const reason = attempt.tlsResult !== null &&
    attempt.tlsResult !== 'success' && { reason: attempt.tlsResult }
  return [...lostAttempts, createEvent('Attempted', key, { ...fields, ...failure, ...reason })]
}

/** When the attempt ended, ISO 8601. */
export const endOf = ({ at, durationMs }: Pick<Attempt, 'at' | 'durationMs'>): string =>
  new Date(Date.parse(at) + durationMs).toISOString()

const contextColumns = (context: AttemptContext | undefined): Partial<EventFields> =>
  context === undefined
    ? {}
    : {
        ...(context.connector !== null && { outboundConnector: context.connector }),
        ...(context.connectorsVersion !== undefined && { connectorsVersion: context.connectorsVersion }),
        mode: context.mode,
        ...(context.route !== undefined && { route: context.route }),
        ...(context.smtpDaneMode !== undefined && { smtpDaneMode: context.smtpDaneMode }),
        ...(context.mtaStsMode !== undefined && { mtaStsMode: context.mtaStsMode }),
        ...(context.clientCertificateSecret !== undefined && {
          clientCertificateSecret: context.clientCertificateSecret,
        }),
      }

/** Absent in most events, because the level is mostly that of the session. */
function connectorLevelColumn(
  { policy, policySource }: Attempt,
  context: AttemptContext | undefined,
): Pick<EventFields, 'connectorLevel'> {
  const level = context?.level
  const enforced = policySource === 'Connector' ? policy : 'Opportunistic'
  return level === undefined || level === enforced ? {} : { connectorLevel: level }
}

function sessionColumns(attempt: Attempt): Partial<EventFields> {
  const { host, policy, policySource, tls, tlsResult, requiredTlsVersion, tlsRequiredNo, nextHops } = attempt
  return {
    ...(host !== null && { host }),
    requiredLevel: policy,
    ...(policySource !== null && { policySource }),
    ...(tlsResult !== null && tlsResult !== 'success' && { tlsResult }),
    ...(requiredTlsVersion && { requiredTlsVersion }),
    ...(tlsRequiredNo && { tlsRequiredNo }),
    ...(nextHops !== undefined && { nextHops }),
    ...(tls !== null && serverTlsColumns(tls)),
  }
}

function serverTlsColumns(tls: AttemptTls): Partial<EventFields> {
  const { protocol, cipher, group, verified, notVerified, fingerprint256, revocation, certificate } = tls
  return {
    tlsVersion: protocol,
    cipher,
    ...(group !== null && { group }),
    verified,
    ...(notVerified !== null && { notVerifiedBecause: notVerified }),
    ...(fingerprint256 !== null && { serverCertificateSha256: fingerprint256 }),
    ...(certificate && {
      serverCertificateNames: certificate.names.join(' '),
      serverCertificateIssuer: certificate.issuer,
      serverCertificateVerdict: certificate.verdict,
      ...(certificate.commonName !== undefined && { serverCertificateCommonName: certificate.commonName }),
      ...(certificate.trustAnchors !== undefined && { trustAnchors: certificate.trustAnchors }),
    }),
    ...(revocation && { revocation: revocation.status }),
  }
}

/** @param reported the recipient of the reported message, and its reply in the DSN */
export function notifiedEvent(
  message: Message,
  kind: DsnKind,
  at: string,
  { recipient, reply }: { recipient: Pick<Recipient, 'address'>; reply: Attempt['reply'] },
): MailEvent {
  const { address } = recipient
  return createEvent('Notified', [message.id, address, kind], {
    at,
    ...recipientColumns(message, address),
    ...partnerColumn(message.envelope.mailFrom),
    reason: kind,
    reply: formatReply(reply),
  })
}

/** A request of an administrator. `at`: ISO 8601. `by`: IAM principal, or subject of the token. */
export interface RequestFacts {
  kind: MailRequestKind
  at: string
  by: string
  /** The administrator's reason. */
  reason?: string
}

/** @param connectors ids of the connectors of the recipient's last decision */
export function requestedEvent(
  message: Message,
  address: string,
  { inbound, outbound }: DecisionFacts['connectors'],
  { kind, at, by, reason }: RequestFacts,
): MailEvent {
  return createEvent('Requested', [message.id, address, kind, at, by], {
    at,
    ...recipientColumns(message, address),
    ...partnerColumn(message.direction === 'Incoming' ? message.envelope.mailFrom : address),
    ...(inbound !== null && { inboundConnector: inbound }),
    ...(outbound !== null && { outboundConnector: outbound }),
    actor: by,
    request: kind,
    ...(reason !== undefined && { comment: reason }),
  })
}

/** An endpoint that presents a certificate for the first time. */
export interface SeenCertificate {
  endpoint: {
    kind: 'PartnerServer' | 'PartnerClient' | 'Own'
    connector: { id: string } | null
    domain: string | null
    host: string
  }
  certificate: { fingerprint256: string; subject: string; subjectAltNames: readonly string[]; issuer: string }
  at: Date
}

export function certificateSeenEvent({ endpoint, certificate, at }: SeenCertificate): MailEvent {
  const { kind, connector, domain, host } = endpoint
  const { fingerprint256, subject, subjectAltNames, issuer } = certificate
  const names = subjectAltNames.join(' ')
  const isServer = kind === 'PartnerServer'
  return createEvent('CertificateSeen', [kind, connector?.id ?? '', host, fingerprint256], {
    at: at.toISOString(),
    host,
    ...(domain !== null && { partner: domain }),
    ...(connector && { [kind === 'PartnerClient' ? 'inboundConnector' : 'outboundConnector']: connector.id }),
    ...(isServer
      ? {
          serverCertificateSha256: fingerprint256,
          serverCertificateNames: names,
          serverCertificateIssuer: issuer,
        }
      : {
          clientCertificateSha256: fingerprint256,
          clientCertificateNames: names,
          clientCertificateSubject: subject,
          clientCertificateIssuer: issuer,
        }),
  })
}

function messageColumns(message: Message) {
  const { id, headerMessageId, direction, envelope, source, size } = message
  return {
    messageId: id,
    ...(headerMessageId !== undefined && { headerMessageId }),
    direction,
    sender: envelope.mailFrom,
    ...(source && { clientIp: source.ip }),
    size,
  }
}

const recipientColumns = (message: Message, recipient: string) => ({ ...messageColumns(message), recipient })

function partnerColumn(address: string): { partner?: string } {
  const partner = domainOf(address)
  return partner === null ? {} : { partner }
}
