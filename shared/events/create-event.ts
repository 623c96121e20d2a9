/** Creates events. Pure. */
import { type EventKind, eventId, type MailEvent } from '../contract/events.ts'
import { softwareVersion } from '../contract/software-version.ts'
import { domainOf } from '../mail/address.ts'

/** The columns that the writer of an event states. */
export type EventFields = Omit<
  MailEvent,
  'id' | 'kind' | 'softwareVersion' | 'senderDomain' | 'recipientDomain'
>

/** Characters of a text that comes from another server, such as a reply. */
const maxTextLength = 500

/**
 * @param key what makes the event unique within its kind, such as message, recipient and number of the attempt; a
 * repeated job must state the same key
 */
export const createEvent = (
  kind: EventKind,
  key: readonly (string | number)[],
  fields: EventFields,
): MailEvent => completeEvent(kind, eventId(kind, ...key), fields)

/** @param id a new ULID: a rejection has nothing else that makes it unique, and its writer repeats the event itself */
export const createRejectedEvent = (id: string, fields: EventFields): MailEvent =>
  completeEvent('Rejected', id, fields)

function completeEvent(kind: EventKind, id: string, fields: EventFields): MailEvent {
  const { sender, recipient, reply, helo, notVerifiedBecause } = fields
  return {
    ...fields,
    id,
    kind,
    ...domainColumn('senderDomain', sender),
    ...domainColumn('recipientDomain', recipient),
    ...(reply !== undefined && { reply: limitText(reply) }),
    ...(helo !== undefined && { helo: limitText(helo) }),
    ...(notVerifiedBecause !== undefined && { notVerifiedBecause: limitText(notVerifiedBecause) }),
    softwareVersion,
  }
}

function domainColumn(name: 'senderDomain' | 'recipientDomain', address: string | undefined) {
  const domain = address === undefined ? null : domainOf(address)
  return domain === null ? {} : { [name]: domain }
}

const limitText = (text: string): string =>
  text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength - 1)}…`
