/**
 * Parses one line as a command of RFC 5321 §4.1.1 and extensions. The attack: arbitrary octets. The defence: a line is
 * ASCII or UTF-8 without controls, read once from front to back, and either a command or refused; nothing is repaired.
 * The limit: the caller bounds the length of a line.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { Envelope, Recipient } from '../../../shared/contract/message.ts'
import { normaliseDomain } from '../../../shared/mail/domain.ts'
import { needsSmtpUtf8, type Refused, recipientTooLong, senderTooLong } from '../replies.ts'
import { readMailParameters, readRecipientParameters, upperCase } from './parameters.ts'
import { type Path, readPath, unseen } from './path.ts'
import {
  badHostName,
  badRecipient,
  badSender,
  commandNotOffered,
  commandUnknown,
  parametersNotUtf8,
  recipientNotUtf8,
  senderNotUtf8,
  unlawfulControl,
  wrongArguments,
} from './refusals.ts'

/** RFC 5321 §4.1.1.2; the envelope holds the parameters of RFC 1870, 3461, 6152, 6531 and 8689. */
export interface MailCommand {
  verb: 'MAIL'
  /** The domain is in A-labels (RFC 6531 §3.2). */
  envelope: Envelope
  /** Octets that the client announces (RFC 1870), or 0. */
  size: number
}

/** RFC 5321 §4.1.1.3 */
export interface RecipientCommand {
  verb: 'RCPT'
  /** `postmaster` needs no domain (RFC 5321 §4.5.1). */
  recipient: Pick<Recipient, 'address' | 'notify' | 'orcpt'>
  /** The local part is not ASCII, so the transaction needs SMTPUTF8 (RFC 6531 §3.5). */
  needsSmtpUtf8: boolean
}

export type Command =
  | { verb: 'EHLO' | 'HELO'; name: string }
  | MailCommand
  | RecipientCommand
  | { verb: 'DATA' | 'RSET' | 'STARTTLS' | 'QUIT' | 'NOOP' | 'VRFY' | 'HELP' }
  /** Not SMTP: an HTTP request, or the start of a TLS handshake. */
  | { verb: 'HTTP' | 'TLS' }

/** The text contains U+FFFD where the line is not UTF-8. */
interface Line {
  text: string
  isAscii: boolean
  isUtf8: boolean
}
const replacement = '\ufffd'

const httpMethods = new Set([
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'PATCH',
  'TRACE',
  'PRI',
])

/** Octets of the longest verb or HTTP method. */
const longestVerb = 8

/** ASCII controls, and U+0080 to U+009F. */
const control = /[^ -~\u00a0-\uffff]/

/** RFC 5321 §4.5.3.1.2 */
const longestHostName = 255

/** RFC 5321 §4.5.3.1.3: a path has 256 octets including its brackets. */
const longestAddress = 254

/**
 * @param octets a line without its CRLF
 * @returns the command, or the refusal
 */
export function parseCommand(octets: Buffer): Command | Refused {
  // A handshake record (RFC 8446 §5.1).
  if (octets[0] === 0x16 && octets[1] === 0x03) return { verb: 'TLS' }
  const line = lineOf(octets)
  const verbEnd = endOfVerb(line.text)
  const verb = verbEnd > longestVerb ? '' : upperCase(line.text.slice(0, verbEnd))
  if (httpMethods.has(verb) && line.text[verbEnd] === ' ') return { verb: 'HTTP' }
  const found = control.exec(line.text)
  return found ? unlawfulControl(found[0]) : read(verb, verbEnd, line)
}

function lineOf(octets: Buffer): Line {
  if (isAscii(octets)) return { text: octets.toString('latin1'), isAscii: true, isUtf8: true }
  return { text: octets.toString(), isAscii: false, isUtf8: isUtf8(octets) }
}

function endOfVerb(text: string): number {
  const space = text.indexOf(' ')
  return space < 0 ? text.length : space
}

function read(verb: string, verbEnd: number, line: Line): Command | Refused {
  switch (verb) {
    case 'MAIL':
      return readMail(line)
    case 'RCPT':
      return readRecipient(line)
    case 'EHLO':
    case 'HELO':
      return readGreeting(verb, withoutSpaces(line.text, verbEnd), line)
    case 'DATA':
    case 'RSET':
    case 'QUIT':
    case 'STARTTLS':
      return withoutSpaces(line.text, verbEnd) === '' ? { verb } : wrongArguments(verb)
    case 'NOOP':
    case 'VRFY':
    case 'HELP':
      return { verb }
    case 'AUTH':
    case 'EXPN':
      return commandNotOffered
    default:
      return commandUnknown
  }
}

/** RFC 5321 §4.1.1.1, less strict: any name is accepted that can be stored and shown, since clients use many kinds. */
function readGreeting(verb: 'EHLO' | 'HELO', name: string, line: Line): Command | Refused {
  if (name === '') return wrongArguments(`${verb} hostname`)
  const isWord = line.isUtf8 && !name.includes(' ') && !unseen.test(name)
  return isWord && Buffer.byteLength(name) <= longestHostName ? { verb, name } : badHostName
}

function readMail(line: Line): MailCommand | Refused {
  const begin = behindKeyword(line.text, 'MAIL FROM:')
  if (begin < 0) return wrongArguments('MAIL FROM:<address>')
  const path = readPath(line.text, begin)
  if (!path || (path.domainAt < 0 && path.address !== '')) return badSender
  if (!line.isUtf8) return isGarbled(line, path) ? senderNotUtf8 : parametersNotUtf8
  const { address, hasAsciiLocalPart } = withAsciiDomain(path, line)
  if (isTooLong(address)) return senderTooLong
  const parameters = readMailParameters(line.text, path.end)
  if ('reason' in parameters) return parameters
  const { size, eightBitMime, smtpUtf8, requireTls, ret, envid } = parameters
  if (!smtpUtf8 && !hasAsciiLocalPart) return needsSmtpUtf8
  const envelope = { mailFrom: address, smtpUtf8, eightBitMime, requireTls, dsn: { ret, envid } }
  return { verb: 'MAIL', envelope, size }
}

function readRecipient(line: Line): RecipientCommand | Refused {
  const begin = behindKeyword(line.text, 'RCPT TO:')
  if (begin < 0) return wrongArguments('RCPT TO:<address>')
  const path = readPath(line.text, begin)
  if (!path || (path.domainAt < 0 && path.address.toLowerCase() !== 'postmaster')) return badRecipient
  if (!line.isUtf8) return isGarbled(line, path) ? recipientNotUtf8 : parametersNotUtf8
  const { address, hasAsciiLocalPart } = withAsciiDomain(path, line)
  if (isTooLong(address)) return recipientTooLong
  const parameters = readRecipientParameters(line.text, path.end)
  if ('reason' in parameters) return parameters
  const { notify, orcpt } = parameters
  return { verb: 'RCPT', recipient: { address, notify, orcpt }, needsSmtpUtf8: !hasAsciiLocalPart }
}

/**
 * @returns where the path should begin, or -1. Allows spaces: RFC 5321 §3.3 forbids them, but some clients send them.
 */
function behindKeyword(text: string, keyword: string): number {
  if (upperCase(text.slice(0, keyword.length)) !== keyword) return -1
  let position = keyword.length
  while (text[position] === ' ') position++
  return position
}

const isGarbled = ({ text }: Line, path: Path): boolean => text.slice(0, path.end).includes(replacement)

/**
 * Without SMTPUTF8 only A-labels may be relayed (RFC 6531 §3.2). An invalid domain stays unchanged, so that the refusal
 * shows what the client wrote.
 */
function withAsciiDomain(path: Path, line: Line): { address: string; hasAsciiLocalPart: boolean } {
  const { address, domainAt } = path
  if (line.isAscii || isAsciiText(address)) return { address, hasAsciiLocalPart: true }
  const local = address.slice(0, domainAt)
  const domain = address.slice(domainAt)
  return {
    address: isAsciiText(domain) ? address : local + (normaliseDomain(domain) ?? domain),
    hasAsciiLocalPart: isAsciiText(local),
  }
}

const isTooLong = (address: string): boolean =>
  address.length > longestAddress || Buffer.byteLength(address) > longestAddress

const isAsciiText = (text: string): boolean => !/[^ -~]/.test(text)

function withoutSpaces(text: string, from: number): string {
  let begin = from
  let end = text.length
  while (text[begin] === ' ') begin++
  while (end > begin && text[end - 1] === ' ') end--
  return text.slice(begin, end)
}
