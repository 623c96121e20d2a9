/** Shows what was refused in SMTP sessions. */
import * as z from 'zod'
import { MailEvent } from '../../shared/contract/events.ts'
import { formatTime } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'
import { senderText } from './session-text.ts'

export const RejectedEvent = z.looseObject(
  MailEvent.pick({
    at: true,
    count: true,
    clientIp: true,
    sender: true,
    recipient: true,
    stage: true,
    reason: true,
    reply: true,
    direction: true,
    headerMessageId: true,
    helo: true,
    inboundConnector: true,
    messageId: true,
    size: true,
    tlsVersion: true,
  }).shape,
)
type RejectedEvent = z.output<typeof RejectedEvent>

const columns: readonly Column[] = [
  { heading: 'Refused' },
  { heading: 'Count' },
  { heading: 'Client' },
  { heading: 'Stage' },
  { heading: 'From', minWidth: 30 },
  { heading: 'To', minWidth: 30 },
  { heading: 'Reply, or reason', minWidth: 19 },
]

export function rejectedText(events: readonly RejectedEvent[], width: number | undefined): string {
  const rows = events.map(
    ({ at, count = 1, clientIp = '', stage = '', sender, recipient = '', reply, reason = '' }) => [
      formatTime(at),
      String(count),
      clientIp,
      stage,
      sender === undefined ? '' : senderText(sender),
      recipient,
      reply ?? reason,
    ],
  )
  return table(columns, rows, width)
}
