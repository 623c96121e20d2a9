/** The rows of a message's trace, as CSV has them. Pure. */
import { messageRow, type NextHopFacts } from './message-columns.ts'

interface TracedAttempt {
  outcome: string
  host: string | null
  tls: { protocol: string; verified: boolean } | null
  reply: string | null
}

interface TracedRecipient {
  address: string
  state: string
  verdict: {
    reason: string
    reply: string | null
    connectors: { inbound: string | null; outbound: string | null }
  } | null
  attempts: readonly TracedAttempt[]
}

/** The fields of a trace entry that the rows need. */
export interface TracedMessage {
  id: string
  receivedAt: string
  direction: string
  /** Null for a message that mailflow created. */
  source: { ip: string; helo: string } | null
  tls: { protocol: string | null }
  envelope: { mailFrom: string }
  headerMessageId: string | null
  size: number
  recipients: readonly TracedRecipient[]
}

/** Returns a row for each recipient. */
export const tracedRows = ({ recipients, source, tls, envelope, ...message }: TracedMessage) =>
  recipients.map(({ address, state, verdict, attempts }) => {
    const last = attempts.at(-1)
    return messageRow({
      at: message.receivedAt,
      sender: envelope.mailFrom,
      recipient: address,
      state,
      size: message.size,
      headerMessageId: message.headerMessageId,
      messageId: message.id,
      clientIp: source?.ip ?? null,
      direction: message.direction,
      inboundConnector: verdict?.connectors.inbound ?? null,
      outboundConnector: verdict?.connectors.outbound ?? null,
      helo: source?.helo ?? null,
      tlsVersion: source === null ? null : (tls.protocol ?? 'None'),
      nextHop: last === undefined ? null : nextHopFacts(last),
      reason: verdict?.reason ?? null,
      reply: (state === 'Delivered' ? null : verdict?.reply) ?? last?.reply ?? null,
      stage: null,
      count: null,
    })
  })

/** Without TLS, only a delivered message was sent in the clear. Amazon SES does not show its session. */
const nextHopFacts = ({ outcome, host, tls }: TracedAttempt): NextHopFacts => ({
  host,
  tlsVersion: tls?.protocol ?? (outcome === 'Delivered' && host !== 'Amazon SES' ? 'None' : null),
  verified: tls?.verified ?? null,
})
