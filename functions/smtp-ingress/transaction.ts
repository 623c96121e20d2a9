/** The envelope as the client gave it, turned into the contract's. */
import type { SMTPServerAddress } from 'smtp-server'
import { type Envelope, type Recipient, untried } from '../../shared/contract/message.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import {
  needsSmtpUtf8,
  parameterTooLong,
  parameterUnknown,
  type Refused,
  recipientTooLong,
  senderTooLong,
} from './replies.ts'

const mailParameters = new Set(['SIZE', 'BODY', 'SMTPUTF8', 'RET', 'ENVID', 'REQUIRETLS'])
const recipientParameters = new Set(['NOTIFY', 'ORCPT'])

export function refuseSender(sender: SMTPServerAddress): Refused | null {
  return (
    refuseParameters(sender, mailParameters) ??
    (String(parameter(sender, 'ENVID') ?? '').length > 100 ? parameterTooLong('ENVID') : null) ??
    (isTooLong(sender.address) ? senderTooLong : null) ??
    (parameter(sender, 'SMTPUTF8') === null && !hasAsciiLocalPart(sender.address) ? needsSmtpUtf8 : null)
  )
}

export function refuseRecipient(recipient: SMTPServerAddress, sender: SMTPServerAddress): Refused | null {
  return (
    refuseParameters(recipient, recipientParameters) ??
    ((recipientOf(recipient).orcpt ?? '').length > 500 ? parameterTooLong('ORCPT') : null) ??
    (isTooLong(recipient.address) ? recipientTooLong : null) ??
    (parameter(sender, 'SMTPUTF8') === null && !hasAsciiLocalPart(recipient.address) ? needsSmtpUtf8 : null)
  )
}

/**
 * Read from the command's own parameters: the server's session keeps those of a refused MAIL for the next one.
 */
export function envelopeOf(sender: SMTPServerAddress): Envelope {
  const ret = String(parameter(sender, 'RET') ?? '').toUpperCase()
  const envid = parameter(sender, 'ENVID')
  return {
    mailFrom: withAsciiDomain(sender.address),
    smtpUtf8: parameter(sender, 'SMTPUTF8') !== null,
    eightBitMime: String(parameter(sender, 'BODY') ?? '').toUpperCase() === '8BITMIME',
    requireTls: parameter(sender, 'REQUIRETLS') !== null,
    dsn: {
      ret: ret === 'FULL' || ret === 'HDRS' ? ret : null,
      envid: typeof envid === 'string' ? envid : null,
    },
  }
}

/** @param address where it goes, as resolved */
export function recipientOf(recipient: SMTPServerAddress, address = recipient.address): Recipient {
  const { notify, orcpt } = recipient.dsn ?? {}
  return {
    ...untried(address),
    notify: notify ? (notify as NonNullable<Recipient['notify']>) : null,
    orcpt: orcpt ? xtext(orcpt) : null,
  }
}

/** Two spellings of one mailbox are one recipient. @param addressOf where each goes, as resolved */
export function distinctRecipients(
  recipients: readonly SMTPServerAddress[],
  addressOf: (recipient: SMTPServerAddress) => string,
): Recipient[] {
  const resolved = recipients.map((recipient) => recipientOf(recipient, addressOf(recipient)))
  return [...new Map(resolved.map((recipient) => [recipient.address.toLowerCase(), recipient])).values()]
}

/**
 * The server hands domains over as U-labels; without SMTPUTF8 only A-labels may travel on (RFC 6531 §3.2). What is no
 * domain stays as it is, to be refused as what the client wrote.
 */
export function withAsciiDomain(address: string): string {
  const at = address.lastIndexOf('@') + 1
  const domain = address.slice(at)
  return isAscii(domain) ? address : address.slice(0, at) + (normaliseDomain(domain) ?? domain)
}

/**
 * RFC 3461 §4: the server hands the value over decoded. What is not ASCII is RFC 6533's form of it.
 */
export function xtext(value: string): string {
  return value.replace(/[^!-*,-<>-~]/gu, (character) => {
    const hexadecimal = character.codePointAt(0)?.toString(16).toUpperCase() ?? ''
    return isAscii(character) ? `+${hexadecimal.padStart(2, '0')}` : `\\x{${hexadecimal}}`
  })
}

/** RFC 5321 §4.5.3.1.3: a path has 256 octets with its brackets; the server counts characters. */
const isTooLong = (address: string): boolean => Buffer.byteLength(address) > 254

function refuseParameters(address: SMTPServerAddress, known: ReadonlySet<string>): Refused | null {
  const unknown = Object.keys(address.args || {}).find((name) => !known.has(name))
  // RFC 5321 §4.1.2: a parameter's name is letters, digits and hyphens; anything else is not repeated.
  if (unknown === undefined) return null
  return parameterUnknown(/^[A-Z0-9-]{1,30}$/.test(unknown) ? unknown : 'given')
}

/** Octets the client announces (RFC 1870), or 0. */
export function announcedSize(sender: SMTPServerAddress): number {
  return Number(parameter(sender, 'SIZE') ?? 0) || 0
}

function parameter(address: SMTPServerAddress, name: string): string | true | null {
  return address.args ? (address.args[name] ?? null) : null
}

function hasAsciiLocalPart(address: string): boolean {
  return isAscii(address.slice(0, address.lastIndexOf('@') + 1))
}

function isAscii(value: string): boolean {
  return !/[^ -~]/.test(value)
}
