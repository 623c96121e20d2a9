/** The filters of messages: parameters of the message list, and fields of a search. */
import { isIPv4, SocketAddress } from 'node:net'
import * as z from 'zod'
import { Message } from '../contract/message.ts'
import { type MailboxFilter, parseMailboxFilter } from '../mail/mailbox-filter.ts'
import { ClientTlsVersions } from '../messages/message-filter.ts'
import { domainParameter } from './domain-parameter.ts'

/** A literal of SQL ends at NUL in some engines, and no mail has it here. */
const hasNoNul = (text: string): boolean => !text.includes('\0')
const nulMessage = 'has the character NUL'

const addressFilter = z
  .string()
  .max(320)
  .refine(hasNoNul, nulMessage)
  .transform((text, context): MailboxFilter => {
    const filter = parseMailboxFilter(text)
    if (filter !== null) return filter
    context.addIssue({ code: 'custom', message: 'is not an address, a domain or <>' })
    return z.NEVER
  })

/** Rows have the text of Node's sockets, so the address is written in the same way. */
const clientAddress = z.union([z.ipv4(), z.ipv6()]).transform((address) => {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6'
  return new SocketAddress({ address, family }).address
})

export const messageFilters = {
  sender: addressFilter.optional().describe('an address, a domain, or <> for the null reverse path'),
  recipient: addressFilter.optional().describe('an address or a domain'),
  domain: domainParameter.optional().describe("the sender's domain or the recipient's"),
  connector: z
    .ulid('is not the id of a connector')
    .optional()
    .describe('id of a connector that applied to the message'),
  direction: Message.shape.direction
    .optional()
    .describe('Originating: from the organisation. Of a refusal it is known from RCPT TO on'),
  messageId: z
    .string()
    .min(1)
    .max(998)
    .refine(hasNoNul, nulMessage)
    .optional()
    .describe(
      'field Message-ID, with or without its angle brackets. A refusal has it if the whole message was received',
    ),
  clientIp: clientAddress.optional().describe('IP address of the client that sent the message'),
  minSize: z.coerce.number().int().min(1).optional().describe('octets of the message, at least'),
  tlsVersion: z
    .enum(ClientTlsVersions)
    .optional()
    .describe("of the client's session; None: in the clear. Messages that mailflow created have none"),
}

type MessageFilters = z.output<z.ZodObject<typeof messageFilters>>

/** A filter that was not given is null, and matches everything. */
export type MessageCriteria = {
  [Name in keyof typeof messageFilters]-?: NonNullable<MessageFilters[Name]> | null
}

export function criteriaOf(filters: MessageFilters): MessageCriteria {
  const { sender = null, recipient = null, domain = null, connector = null, clientIp = null } = filters
  const { direction = null, messageId = null, minSize = null, tlsVersion = null } = filters
  return { sender, recipient, domain, connector, clientIp, direction, messageId, minSize, tlsVersion }
}
