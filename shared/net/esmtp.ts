/**
 * The extensions that a next hop announces in its EHLO reply, and the commands and limits that result from them. Pure.
 */
import { isAscii } from 'node:buffer'
import type { Envelope, Recipient, Reply } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import { reply } from '../mail/reply.ts'

/** Maps each keyword, in upper case, to its parameters; to an empty string if there are none. */
export type Extensions = ReadonlyMap<string, string>

/** The properties of a message that decide which extensions it needs. */
export interface MessageTraits {
  envelope: Envelope
  /** Length of the content in octets. */
  size: number
  /** Whether the content holds an octet above 127. */
  isEightBit: boolean
  /** Whether addresses or header fields are internationalised (RFC 6531). */
  isInternationalised: boolean
}

/** Parses a reply to EHLO. Its first line is the server's name; a reply to HELO has only that line. */
export function parseExtensions(ehloReply: string): Extensions {
  const lines = ehloReply.split('\n').slice(1)
  const words = lines.map((line) => line.slice(4).trim().split(/\s+/))
  return new Map(words.map(([keyword = '', ...parameters]) => [keyword.toUpperCase(), parameters.join(' ')]))
}

/** The limits that the server announces (RFC 9422 §4); Infinity where it announces none. */
export interface SessionLimits {
  /** Of a session. */
  transactions: number
  /** Of a transaction. */
  recipients: number
  /** Different domains of a transaction's recipients. */
  recipientDomains: number
}

export function sessionLimits(extensions: Extensions): SessionLimits {
  const values = new Map(
    (extensions.get('LIMITS') ?? '').split(' ').map((limit) => {
      const [, name = '', value] = /^([A-Z]+)=([1-9]\d{0,5})$/i.exec(limit) ?? []
      return [name.toUpperCase(), Number(value)]
    }),
  )
  const limitOf = (name: string) => values.get(name) ?? Number.POSITIVE_INFINITY
  return {
    transactions: limitOf('MAILMAX'),
    recipients: limitOf('RCPTMAX'),
    recipientDomains: limitOf('RCPTDOMAINMAX'),
  }
}

/** Returns the recipients of the next transaction, at least one. */
export function takeRecipients<R extends Pick<Recipient, 'address'>>(
  recipients: readonly R[],
  limits: SessionLimits,
): readonly R[] {
  const domains = new Set<string | null>()
  const taken = recipients.filter(({ address }) => {
    const domain = domainOf(address)
    if (!domains.has(domain) && domains.size >= limits.recipientDomains) return false
    domains.add(domain)
    return true
  })
  return taken.slice(0, limits.recipients)
}

export function traitsOf(
  envelope: Envelope,
  recipients: readonly Pick<Recipient, 'address'>[],
  content: Buffer,
): MessageTraits {
  const addresses = [envelope.mailFrom, ...recipients.map(({ address }) => address)]
  const end = content.indexOf('\r\n\r\n')
  const header = end < 0 ? content : content.subarray(0, end)
  return {
    envelope,
    size: content.length,
    isEightBit: hasEightBit(content),
    isInternationalised: addresses.some(hasNonAscii) || (envelope.smtpUtf8 && hasEightBit(header)),
  }
}

/** @returns a 5yz reply when the server lacks an extension that the message needs, else null */
export function checkExtensions(mail: MessageTraits, extensions: Extensions): Reply | null {
  const limit = Number(extensions.get('SIZE') ?? 0)
  // RFC 8689 §4.2.1: the message may only be sent to a server that supports REQUIRETLS; §5 exempts DSNs.
  if (mail.envelope.requireTls && mail.envelope.mailFrom !== '' && !extensions.has('REQUIRETLS'))
    return reply(550, '5.7.30', 'REQUIRETLS is requested but not supported by the next hop')
  // RFC 6531 §3.5.
  if (mail.isInternationalised && !extensions.has('SMTPUTF8'))
    return reply(
      550,
      '5.6.7',
      'Internationalised addresses or header fields are not supported by the next hop',
    )
  // RFC 6152 §3: eight-bit content may only be sent to a server that announces 8BITMIME.
  if (mail.isEightBit && !extensions.has('8BITMIME'))
    return reply(554, '5.6.3', 'Eight-bit content is not supported by the next hop')
  // RFC 1870 §5: zero means no fixed limit.
  if (limit > 0 && mail.size > limit)
    return reply(
      552,
      '5.3.4',
      `Message of ${mail.size} octets is larger than the ${limit} octets that the next hop accepts`,
    )
  return null
}

/** `MAIL FROM` with the parameters that the server supports. */
export function formatMailCommand(mail: MessageTraits, extensions: Extensions): string {
  const { mailFrom, requireTls, dsn } = mail.envelope
  const parameters = [
    extensions.has('SIZE') && `SIZE=${mail.size}`,
    extensions.has('8BITMIME') && (mail.isEightBit || mail.envelope.eightBitMime) && 'BODY=8BITMIME',
    mail.isInternationalised && 'SMTPUTF8',
    requireTls && extensions.has('REQUIRETLS') && 'REQUIRETLS',
    extensions.has('DSN') && dsn.ret && `RET=${dsn.ret}`,
    extensions.has('DSN') && dsn.envid && `ENVID=${encodeXtext(dsn.envid)}`,
  ].filter(Boolean)
  return [`MAIL FROM:<${mailFrom}>`, ...parameters].join(' ')
}

/** RFC 3461 §5.2.1: NOTIFY and ORCPT are passed to the next hop unchanged. */
export function formatRecipientCommand(
  { address, notify, orcpt }: Pick<Recipient, 'address' | 'notify' | 'orcpt'>,
  extensions: Extensions,
): string {
  const parameters = extensions.has('DSN')
    ? [notify && `NOTIFY=${notify.join(',')}`, orcpt && `ORCPT=${sanitiseXtext(orcpt)}`].filter(Boolean)
    : []
  return [`RCPT TO:<${address}>`, ...parameters].join(' ')
}

/** Encodes text as xtext (RFC 3461 §4). */
const encodeXtext = (text: string): string => text.replace(/[^!-~]|[+=]/gu, encodeCharacter)

/** Encodes only characters that a command must not contain: the value is xtext already. */
const sanitiseXtext = (text: string): string => text.replace(/[^!-~]/gu, encodeCharacter)

function encodeCharacter(character: string): string {
  return [...Buffer.from(character)]
    .map((octet) => `+${octet.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('')
}

const hasEightBit = (octets: Buffer): boolean => !isAscii(octets)

const hasNonAscii = (text: string): boolean => Buffer.byteLength(text) !== text.length
