/**
 * The columns of messages as CSV: a line for each recipient, and for each refusal. A column that Exchange Online's message
 * trace reports have has their name and meaning, so that existing scripts and spreadsheets read it
 * (https://learn.microsoft.com/exchange/monitoring/trace-an-email-message/message-trace-modern-eac). Pure.
 */
import type { MailEvent } from '../contract/events.ts'

/** What is known of a recipient, or of a refusal. Null: unknown, or it does not apply. */
export interface RecipientFacts {
  /** When the message was received, or something refused; ISO 8601. */
  at: string
  /** Empty for the null reverse path. */
  sender: string | null
  recipient: string | null
  state: string
  /** Octets of the message. */
  size: number | null
  headerMessageId: string | null
  /** Id of the message. */
  messageId: string | null
  clientIp: string | null
  direction: string | null
  inboundConnector: string | null
  outboundConnector: string | null
  helo: string | null
  /** `TLSv1.2`, `TLSv1.3` or `None`, of the session with the client. */
  tlsVersion: string | null
  nextHop: NextHopFacts | null
  reason: string | null
  reply: string | null
  stage: string | null
  /** Number of refusals. */
  count: number | null
}

/** The last attempt of a recipient. */
export interface NextHopFacts {
  host: string | null
  /** `TLSv1.2`, `TLSv1.3` or `None`; null if the attempt ended before, or Amazon SES delivers. */
  tlsVersion: string | null
  /** Whether the certificate satisfied a requirement that demands verification; null without TLS. */
  verified: boolean | null
}

export interface MessageColumn {
  name: string
  meaning: string
  value(facts: RecipientFacts): string | number | boolean | null
}

/** The events of the recipient, in Exchange's words. A rejected message was not received. */
const statusOf: Readonly<Record<string, string>> = {
  Pending: 'Receive',
  Deferred: 'Receive, Defer',
  Delivered: 'Receive, Send',
  Bounced: 'Receive, Fail',
  Rejected: 'Fail',
}

/** Exchange's columns without the subject, which mailflow does not store; then those that Exchange does not have. */
export const messageColumns: readonly MessageColumn[] = [
  {
    name: 'origin_timestamp_utc',
    meaning: 'when the message was received, or something refused',
    value: ({ at }) => at,
  },
  {
    name: 'sender_address',
    meaning: 'reverse path; <> for the null reverse path; empty if the session was refused before it',
    value: ({ sender }) => (sender === '' ? '<>' : sender),
  },
  {
    name: 'recipient_status',
    meaning:
      'address##events: Receive, Send (delivered), Receive, Fail (bounced), Receive, Defer, Receive (pending), Fail (rejected)',
    value: ({ recipient, state }) => `${recipient ?? ''}##${statusOf[state] ?? 'Receive'}`,
  },
  { name: 'total_bytes', meaning: 'octets of the message', value: ({ size }) => size },
  { name: 'message_id', meaning: 'field Message-ID', value: ({ headerMessageId }) => headerMessageId },
  {
    name: 'network_message_id',
    meaning: 'id of the message in mailflow',
    value: ({ messageId }) => messageId,
  },
  {
    name: 'original_client_ip',
    meaning: 'the client; of refusals that are counted together its network',
    value: ({ clientIp }) => clientIp,
  },
  { name: 'directionality', meaning: 'Originating or Incoming', value: ({ direction }) => direction },
  {
    name: 'connector_id',
    meaning: 'id of the inbound connector; without one, of the outbound connector',
    value: ({ inboundConnector, outboundConnector }) => inboundConnector ?? outboundConnector,
  },
  { name: 'client_hostname', meaning: "the client's name in EHLO", value: ({ helo }) => helo },
  {
    name: 'server_hostname',
    meaning: 'the next hop of the last attempt',
    value: ({ nextHop }) => nextHop?.host ?? null,
  },
  { name: 'recipient_address', meaning: 'the recipient', value: ({ recipient }) => recipient },
  {
    name: 'state',
    meaning: 'Pending, Deferred, Delivered, Bounced or Rejected',
    value: ({ state }) => state,
  },
  {
    name: 'tls_version',
    meaning: "of the client's session: TLSv1.2, TLSv1.3 or None; empty without a client",
    value: ({ tlsVersion }) => tlsVersion,
  },
  { name: 'inbound_connector', meaning: 'id', value: ({ inboundConnector }) => inboundConnector },
  { name: 'outbound_connector', meaning: 'id', value: ({ outboundConnector }) => outboundConnector },
  {
    name: 'server_tls_version',
    meaning: 'of the last attempt: TLSv1.2, TLSv1.3 or None; empty if it is not known',
    value: ({ nextHop }) => nextHop?.tlsVersion ?? null,
  },
  {
    name: 'server_verified',
    meaning:
      "true if the next hop's certificate satisfied a requirement that demands verification; empty without TLS",
    value: ({ nextHop }) => nextHop?.verified ?? null,
  },
  { name: 'reason', meaning: 'of the last decision, or of the refusal', value: ({ reason }) => reason },
  {
    name: 'reply',
    meaning: 'the last reply of the next hop, the reply in the DSN, or the reply to the client',
    value: ({ reply }) => reply,
  },
  {
    name: 'stage',
    meaning: 'where in the session it was refused; empty for messages',
    value: ({ stage }) => stage,
  },
  {
    name: 'count',
    meaning: 'number of refusals that are counted together; empty for messages',
    value: ({ count }) => count,
  },
]

export const messageColumnNames: readonly string[] = messageColumns.map(({ name }) => name)

/** @returns the values by column */
export const messageRow = (facts: RecipientFacts): Record<string, string | number | boolean | null> =>
  Object.fromEntries(messageColumns.map(({ name, value }) => [name, value(facts)]))

/** The columns of a `Rejected` event that the row needs. */
export type RejectionFacts = Partial<Omit<MailEvent, 'at'>> & Pick<MailEvent, 'at'>

/** Returns the row of a `Rejected` event. */
export const rejectedRow = (event: RejectionFacts) =>
  messageRow({
    at: event.at,
    sender: event.sender ?? null,
    recipient: event.recipient ?? null,
    state: 'Rejected',
    size: event.size ?? null,
    headerMessageId: event.headerMessageId ?? null,
    messageId: event.messageId ?? null,
    clientIp: event.clientIp ?? null,
    direction: event.direction ?? null,
    inboundConnector: event.inboundConnector ?? null,
    outboundConnector: null,
    helo: event.helo ?? null,
    // Refusals that are counted together have lost their details.
    tlsVersion: event.tlsVersion ?? (event.count === undefined ? 'None' : null),
    nextHop: null,
    reason: event.reason ?? null,
    reply: event.reply ?? null,
    stage: event.stage ?? null,
    count: event.count ?? 1,
  })
