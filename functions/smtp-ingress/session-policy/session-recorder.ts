/** Counts and logs accepted messages and refusals, and reports rejections. Only the reply reaches the client. */
import type { ExchangeOnlineFields } from '../../../shared/contract/authentication.ts'
import type { Message, TlsFacts, TlsLevel } from '../../../shared/contract/message.ts'
import { Metric } from '../../../shared/contract/metrics.ts'
import { tenantColumns } from '../../../shared/contract/tenant-columns.ts'
import { clientTlsColumns } from '../../../shared/events/client-tls-columns.ts'
import { domainOf } from '../../../shared/mail/address.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import type { MessageWithoutContent } from '../intake/evaluation-jobs.ts'
import { causeOf, type Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import {
  handshakeRejectionReason,
  isRejection,
  type RefusalContext,
  type Rejection,
} from '../rejections/rejection.ts'
import type { RejectionReporter } from '../rejections/rejection-reporter.ts'
import { insufficientSpool, type Refusal, spoolUnavailable, storageUnavailable } from '../replies.ts'
import { classifyHandshakeFailure } from '../tls/handshake-failure.ts'

export interface SessionRecorderParts {
  metrics: Metrics
  log: Log
  rejections: Pick<RejectionReporter, 'report'>
  now(): Date
}

/** What is known of a session when it is refused. */
export interface RefusedSession {
  ip: string
  tls: TlsFacts
  /** The reverse path of the last MAIL; null before the first. */
  mailFrom: string | null
  /** The client's name in its last EHLO or HELO; '' before the first. */
  clientName: string
}

export interface RecordedRefusal extends RefusalContext {
  connector?: string | null | undefined
  /** Of the connector. */
  requiredLevel?: TlsLevel | undefined
  /** Number of recipients of a message that is refused at the end of data. */
  recipients?: number | undefined
  /** Null if the fields were not read. */
  exchangeOnline?: ExchangeOnlineFields | null | undefined
  direction?: Message['direction'] | undefined
  connectorsVersion?: number | undefined
  /** Octets, as announced or received. */
  size?: number | undefined
  headerMessageId?: string | undefined
  /** A canary is no mail, so its refusal is no rejection. */
  isCanary?: boolean
  /** Further fields for the log. */
  logFields?: Record<string, unknown> | undefined
  /** The internal error behind the refusal, for the log. */
  cause?: unknown
}

/** Failures of S3, SQS or the task's disk. */
const storageFailureReasons: ReadonlySet<string> = new Set(
  [storageUnavailable, spoolUnavailable, insufficientSpool].map(({ reason }) => reason),
)

export function recordAccepted(
  { metrics, log }: Pick<SessionRecorderParts, 'metrics' | 'log'>,
  { id, envelope, source, tls }: MessageWithoutContent,
  fields: {
    recipients: number
    size: number
    /** Since the begin of the data phase. */
    milliseconds: number
    tenantEvidence: string | null
  },
): void {
  const { recipients, size, milliseconds, tenantEvidence } = fields
  metrics.count(Metric.messagesAccepted, ['tls', tls.negotiated ? 'negotiated' : 'plaintext'])
  metrics.count(Metric.acceptedByTlsVersion, ['version', tls.protocol ?? 'none'])
  log('info', 'accepted', {
    id,
    mailFrom: envelope.mailFrom,
    recipients,
    size,
    ip: source?.ip,
    tls: tls.protocol,
    ms: Math.round(milliseconds),
    ...(tenantEvidence !== null && { tenant: tenantEvidence }),
  })
}

export function recordRefusal(
  { metrics, log, rejections, now }: SessionRecorderParts,
  session: RefusedSession,
  refusal: Refusal,
  recorded: RecordedRefusal,
): void {
  const { reason } = refusal
  const { cause, recipient, connector, logFields, isCanary = false } = recorded
  const reply = formatReply(refusal.reply)
  metrics.count(Metric.refused, ['reason', reason])
  if (storageFailureReasons.has(reason) && cause !== undefined) metrics.count(Metric.storageFailures)
  log(cause === undefined ? 'info' : 'error', 'refused', {
    reason,
    reply,
    ip: session.ip,
    tls: session.tls.protocol,
    mailFrom: session.mailFrom,
    ...(recipient !== undefined && { recipient }),
    ...(connector !== undefined && { connector }),
    ...logFields,
    ...(cause === undefined ? {} : { cause: causeOf(cause) }),
  })
  if (isCanary || !isRejection(refusal)) return
  rejections.report({ ...rejectionOf(session, reason, recorded, now()), reply })
}

export function recordHandshakeFailure(
  { metrics, log, rejections, now }: SessionRecorderParts,
  session: RefusedSession,
  error: Error,
): void {
  const failure = classifyHandshakeFailure(error)
  metrics.count(Metric.tlsHandshakesFailed)
  metrics.count(Metric.tlsHandshakesFailed, ['cause', failure])
  log('info', 'TLS handshake failed', { ip: session.ip, reason: failure, cause: causeOf(error) })
  const reason = handshakeRejectionReason(failure)
  if (reason !== null) rejections.report(rejectionOf(session, reason, { stage: 'StartTls' }, now()))
}

export function rejectionOf(
  { ip, tls, clientName }: RefusedSession,
  reason: string,
  { stage, sender, recipient, connector, requiredLevel, ...recorded }: RecordedRefusal,
  at: Date,
): Rejection {
  return {
    at: at.getTime(),
    ip,
    stage,
    reason,
    ...(typeof connector === 'string' && { connector }),
    ...(requiredLevel !== undefined && { requiredLevel }),
    details() {
      const { direction, connectorsVersion, recipients, size, headerMessageId, exchangeOnline } = recorded
      const partner = sender === undefined ? null : domainOf(sender)
      return {
        ...(clientName !== '' && { helo: clientName }),
        ...(sender !== undefined && { sender }),
        ...(partner !== null && { partner }),
        ...(recipient !== undefined && { recipient }),
        ...(direction !== undefined && { direction }),
        ...(connectorsVersion !== undefined && { connectorsVersion }),
        ...(recipients !== undefined && { recipients }),
        ...(size !== undefined && { size }),
        ...(headerMessageId !== undefined && { headerMessageId }),
        ...clientTlsColumns(tls, at),
        ...(exchangeOnline && tenantColumns(exchangeOnline)),
      }
    },
  }
}
