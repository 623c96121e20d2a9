/** Formats the events of a message: one line for each. Pure. */
import * as z from 'zod'
import { countText } from '../../shared/policy/text-lists.ts'
import { formatTime, printable } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'
import { senderText } from './session-text.ts'

const text = z.string().optional()

/** The columns of an event that are printed. Others are ignored, so that newer gateways work. */
export const TrailEvent = z.object({
  at: z.string(),
  kind: z.string(),
  sender: text,
  headerMessageId: text,
  size: z.number().optional(),
  recipient: text,
  decision: text,
  clientIp: text,
  host: text,
  tlsVersion: text,
  tlsResult: text,
  group: text,
  reason: text,
  reply: text,
})
type TrailEvent = z.output<typeof TrailEvent>

/** Left out if all events have the same recipient. */
const recipientColumn: Column = { heading: 'Recipient', minWidth: 20 }

const columns: readonly Column[] = [
  { heading: 'Time' },
  { heading: 'Event' },
  recipientColumn,
  { heading: 'Result' },
  { heading: 'Host', minWidth: 16 },
  { heading: 'TLS', minWidth: 7 },
  { heading: 'Reply, or reason', minWidth: 45 },
]

/** @param events at least one */
export function trailText(id: string, events: readonly TrailEvent[], width: number | undefined): string {
  const { sender, headerMessageId, size } = Object.assign({}, ...events.toReversed()) as Partial<TrailEvent>
  const [recipient, ...others] = new Set(events.flatMap((event) => event.recipient ?? []))
  const isOnly = recipient !== undefined && others.length === 0
  const shown = [...columns.keys()].filter((index) => !isOnly || columns[index] !== recipientColumn)
  return [
    `Message ${printable(id)}`,
    ...(sender === undefined ? [] : [`  Sender     ${senderText(sender)}`]),
    ...(isOnly ? [`  Recipient  ${printable(recipient)}`] : []),
    ...(headerMessageId === undefined ? [] : [`  Message-ID ${printable(headerMessageId)}`]),
    ...(size === undefined ? [] : [`  Size       ${countText(size, 'octet')}`]),
    '',
    table(
      shown.map((index) => columns[index] as Column),
      events.map(rowOf).map((row) => shown.map((index) => row[index] ?? '')),
      width,
    ),
  ].join('\n')
}

const rowOf = (event: TrailEvent): string[] => [
  formatTime(event.at),
  event.kind,
  event.recipient ?? '',
  resultOf(event),
  hostOf(event),
  tlsText(event),
  explanationOf(event),
]

const isFromClient = ({ kind }: TrailEvent): boolean => kind === 'Accepted' || kind === 'Rejected'

/** The reason of `Notified` is the kind of the DSN. */
const resultOf = ({ kind, decision, reason }: TrailEvent): string =>
  (kind === 'Notified' ? reason : decision) ?? ''

const hostOf = (event: TrailEvent): string => (isFromClient(event) ? event.clientIp : event.host) ?? ''

function tlsText({ tlsVersion, group, tlsResult, ...event }: TrailEvent): string {
  if (tlsVersion !== undefined) return group === undefined ? tlsVersion : `${tlsVersion}, ${group}`
  if (event.kind === 'Accepted') return event.clientIp === undefined ? '' : 'in the clear'
  // Without a result, no session is known.
  if (tlsResult === undefined) return ''
  return event.kind === 'Delivered' ? 'in the clear' : 'no TLS'
}

/** The reply of a deferral is that of the attempt before it. */
function explanationOf({ kind, reason, reply }: TrailEvent): string {
  if (kind === 'Decided') return reason ?? ''
  return reply ?? (kind === 'Notified' ? '' : (reason ?? ''))
}
