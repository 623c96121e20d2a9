/** The rows of a message's events, as the command line prints them. Pure. */
import type { MessageEvents } from '../../api/types.ts'

type Event = MessageEvents['events'][number]

export interface EventRow {
  id: string
  at: string
  kind: string
  recipient: string
  result: string
  /** The client, or the next hop. */
  host: string
  tls: string
  explanation: string
}

export const eventRows = (events: readonly Event[]): EventRow[] =>
  events.map((event) => ({
    id: event.id,
    at: event.at,
    kind: event.kind,
    recipient: event.recipient ?? '',
    result: resultOf(event),
    host: (isFromClient(event) ? event.clientIp : event.host) ?? '',
    tls: tlsText(event),
    explanation: explanationOf(event),
  }))

const isFromClient = ({ kind }: Event): boolean => kind === 'Accepted' || kind === 'Rejected'

/** The reason of `Notified` is the kind of the DSN. */
const resultOf = ({ kind, decision, reason, request }: Event): string =>
  (kind === 'Notified' ? reason : kind === 'Requested' ? request : decision) ?? ''

function tlsText({ tlsVersion, group, tlsResult, ...event }: Event): string {
  if (tlsVersion !== undefined) return group === undefined ? tlsVersion : `${tlsVersion}, ${group}`
  if (event.kind === 'Accepted') return event.clientIp === undefined ? '' : 'in the clear'
  // Without a result, no session is known.
  if (tlsResult === undefined) return ''
  return event.kind === 'Delivered' ? 'in the clear' : 'no TLS'
}

/** The reply of a deferral is that of the attempt before it. */
function explanationOf({ kind, reason, reply, actor, comment }: Event): string {
  if (kind === 'Decided') return reason ?? ''
  if (kind === 'Requested') return [actor, comment].filter(Boolean).join(': ')
  return reply ?? (kind === 'Notified' ? '' : (reason ?? ''))
}
