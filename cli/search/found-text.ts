/** Formats the rows that a search found, with the columns of the message list. */
import * as z from 'zod'
import { parseResponse } from '../api/parse-response.ts'
import { formatTime } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'

const text = z.string().nullable()

/** The columns that are printed. Others are ignored, so that newer gateways work. */
const FoundRow = z.object({
  origin_timestamp_utc: z.string(),
  sender_address: text,
  recipient_address: text,
  network_message_id: text,
  state: z.string(),
  tls_version: text,
  original_client_ip: text,
  server_hostname: text,
  server_tls_version: text,
  server_verified: z.boolean().nullable(),
  reason: text,
  reply: text,
  count: z.number().nullable(),
})
type FoundRow = z.output<typeof FoundRow>

const columns: readonly Column[] = [
  { heading: 'Received' },
  { heading: 'State' },
  { heading: 'From', minWidth: 30 },
  { heading: 'To', minWidth: 30 },
  { heading: 'Inbound', minWidth: 12 },
  { heading: 'Outbound, or reason', minWidth: 19 },
  { heading: 'Id' },
]

/** @param rows as the API returns them */
export function foundText(rows: readonly unknown[], width: number | undefined): string {
  const cells = rows
    .map((row) => parseResponse(FoundRow, row, 'search result'))
    .map((row) => [
      formatTime(row.origin_timestamp_utc),
      stateText(row),
      row.sender_address ?? '',
      row.recipient_address ?? '',
      inboundText(row),
      outboundText(row),
      row.network_message_id ?? '',
    ])
  return table(columns, cells, width)
}

const stateText = ({ state, count }: FoundRow): string =>
  count === null || count === 1 ? state : `${state} ×${count}`

function inboundText({ state, tls_version: version, original_client_ip: ip }: FoundRow): string {
  if (version !== null) return version === 'None' ? 'in the clear' : version
  return ip === null && state !== 'Rejected' ? 'created by mailflow' : ''
}

function outboundText({ state, reason, reply, ...row }: FoundRow): string {
  if (state === 'Rejected') return reply ?? reason ?? ''
  if (state === 'Deferred' || state === 'Bounced') {
    const isExplainedByReply = reason === 'RetryLater' || reason === 'RefusedByNextHop'
    return (isExplainedByReply ? reply : null) ?? reason ?? ''
  }
  if (state !== 'Delivered') return ''
  if (row.server_hostname === 'Amazon SES') return 'through Amazon SES'
  if (row.server_tls_version === 'None') return 'in the clear'
  if (row.server_tls_version === null) return ''
  return `${row.server_tls_version}, ${row.server_verified ? 'verified' : 'not verified'}`
}
