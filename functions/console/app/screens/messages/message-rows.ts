/** The rows of the message trace and of searches: one for each recipient. Pure. */
import type { MessageSearchResult, TraceEntry } from '../../api/types.ts'
import {
  inboundSessionText,
  outboundSessionText,
  type Recipient,
  senderText,
} from '../message/session-text.ts'

export interface MessageRow {
  /** Unique in the table. */
  key: string
  receivedAt: string
  state: string
  /** How many refusals the row counts together. */
  count: number
  from: string
  to: string
  inbound: string
  /** The session that delivered the message, or the reason for the delay or bounce. */
  outbound: string
  /** Id of the message; null for a refusal, which has no page. */
  id: string | null
}

export const traceRows = (entries: readonly TraceEntry[]): MessageRow[] =>
  entries.flatMap((entry) =>
    entry.recipients.map((recipient, index) => ({
      key: `${entry.id} ${index}`,
      receivedAt: entry.receivedAt,
      state: recipient.state,
      count: 1,
      from: senderText(entry.envelope.mailFrom),
      to: recipient.address,
      inbound: `${inboundSessionText(entry)}${recipient.verdict?.reportOnly ? reportOnlyText : ''}`,
      outbound: outboundText(recipient),
      id: entry.id,
    })),
  )

const reportOnlyText = ', report only: requirement not met'

function outboundText({ state, verdict, attempts }: Recipient): string {
  if (state === 'Deferred' || state === 'Bounced')
    return verdict === null ? '' : reasonText(verdict.reason, verdict.reply)
  const last = attempts.at(-1)
  if (state !== 'Delivered' || last === undefined) return ''
  const session =
    last.tls === null
      ? outboundSessionText(last)
      : `${last.tls.protocol}, ${last.tls.verified ? 'verified' : 'not verified'}`
  return `${session}${last.reportOnly === null ? '' : reportOnlyText}`
}

/** Returns the reply of the last attempt if it explains the state, else the reason. */
function reasonText(reason: string, reply: string | null): string {
  const isExplainedByReply = reason === 'RetryLater' || reason === 'RefusedByNextHop'
  return (isExplainedByReply ? reply : null) ?? reason
}

type FoundRow = MessageSearchResult['rows'][number]

export const foundRows = (rows: readonly FoundRow[]): MessageRow[] =>
  rows.map((row, index) => ({
    key: `${row.network_message_id} ${row.recipient_address} ${index}`,
    receivedAt: textOf(row.origin_timestamp_utc),
    state: textOf(row.state),
    count: typeof row.count === 'number' ? row.count : 1,
    from: textOf(row.sender_address),
    to: textOf(row.recipient_address),
    inbound: foundInboundText(row),
    outbound: foundOutboundText(row),
    id: row.state === 'Rejected' ? null : textOf(row.network_message_id) || null,
  }))

const textOf = (value: FoundRow[string] | undefined): string =>
  value === null || value === undefined ? '' : String(value)

function foundInboundText({ state, tls_version: version, original_client_ip: ip }: FoundRow): string {
  if (typeof version === 'string' && version !== '') return version === 'None' ? 'in the clear' : version
  return ip === null && state !== 'Rejected' ? 'created by mailflow' : ''
}

function foundOutboundText(row: FoundRow): string {
  const { state, server_hostname: host, server_tls_version: version } = row
  const [reason, reply] = [textOf(row.reason), textOf(row.reply)]
  if (state === 'Rejected') return reply || reason
  if (state === 'Deferred' || state === 'Bounced') return reasonText(reason, reply || null)
  if (state !== 'Delivered') return ''
  if (host === 'Amazon SES') return 'through Amazon SES'
  if (version === 'None') return 'in the clear'
  return version ? `${version}, ${row.server_verified === true ? 'verified' : 'not verified'}` : ''
}
