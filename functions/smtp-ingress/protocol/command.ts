/**
 * Parses one line as a command of RFC 5321 §4.1.1 and extensions. The attack: a line of arbitrary octets, which this
 * parser or a later program misreads. The defence: a line with a control character is refused, and an argument that is
 * used must be UTF-8. Invalid syntax is refused, not repaired. Not covered: the length of a line, which the caller
 * limits.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { Envelope, Recipient } from '../../../shared/contract/message.ts'
import { invisibleCharacter } from '../../../shared/contract/visible-text.ts'
import { normaliseDomain } from '../../../shared/mail/domain.ts'
import { needsSmtpUtf8, type Refusal, recipientTooLong, senderTooLong } from '../replies.ts'
import { readMailParameters, readRecipientParameters, upperCase } from './parameters.ts'
import { type EnvelopeSyntax, type Path, readPath } from './path.ts'
import {
  badHostName,
  badRecipient,
  badSender,
  chunkSizeUnknown,
  commandNotOffered,
  commandUnknown,
  controlRefusal,
  invisibleInRecipient,
  invisibleInSender,
  parametersNotUtf8,
  recipientNotUtf8,
  senderNotUtf8,
  syntaxRefusal,
} from './refusals.ts'

/** RFC 5321 §4.1.1.2, with the parameters of RFC 1870, 3461, 6152, 6531 and 8689. */
export interface MailCommand {
  verb: 'MAIL'
  /** The domain of `mailFrom` is in A-labels (RFC 6531 §3.2), or unchanged if it is invalid. */
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
  | ChunkCommand
  | { verb: 'DATA' | 'RSET' | 'STARTTLS' | 'QUIT' | 'NOOP' | 'VRFY' | 'HELP' }
  /** Not SMTP: an HTTP request, or the start of a TLS handshake. */
  | { verb: 'HTTP' | 'TLS' }

/** RFC 3030 §2. The octets of the chunk follow the line. */
export interface ChunkCommand {
  verb: 'BDAT'
  /** Octets; may exceed each limit. */
  size: number
  isLast: boolean
}

/** The text contains U+FFFD where the line is not UTF-8. */
interface CommandLine {
  text: string
  isAscii: boolean
  isUtf8: boolean
  envelopeSyntax: EnvelopeSyntax
}
const replacementCharacter = '\ufffd'

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
const maxVerbLength = 8

/** ASCII controls, and U+0080 to U+009F. */
const controlCharacter = /[^ -~\u00a0-\uffff]/

/** RFC 5321 §4.5.3.1.2 */
const maxHostnameOctets = 255

/** RFC 5321 §4.5.3.1.3: a path has at most 256 octets including its brackets. */
const maxAddressOctets = 254

/**
 * @param octets a line without its CRLF
 * @returns the command, or the refusal
 */
export function parseCommand(octets: Buffer, envelopeSyntax: EnvelopeSyntax = 'Lenient'): Command | Refusal {
  // A handshake record (RFC 8446 §5.1).
  if (octets[0] === 0x16 && octets[1] === 0x03) return { verb: 'TLS' }
  const line = decodeLine(octets, envelopeSyntax)
  const verbEnd = findVerbEnd(line.text)
  const verb = verbEnd > maxVerbLength ? '' : upperCase(line.text.slice(0, verbEnd))
  if (httpMethods.has(verb) && line.text[verbEnd] === ' ') return { verb: 'HTTP' }
  const control = controlCharacter.exec(line.text)
  const command = control ? controlRefusal(control[0]) : parseVerb(verb, verbEnd, line)
  return 'reason' in command && hasChunk(octets) ? chunkSizeUnknown : command
}

/**
 * Whether a program might read the line as BDAT, and the octets after it as a chunk. If such a line is refused, these
 * octets must not be read as commands, and their number is not known.
 */
export const hasChunk = (line: Buffer): boolean =>
  /^\s*BDAT(?![A-Z0-9])/i.test(line.toString('latin1', 0, 64))

function decodeLine(octets: Buffer, envelopeSyntax: EnvelopeSyntax): CommandLine {
  if (isAscii(octets)) return { text: octets.toString('latin1'), isAscii: true, isUtf8: true, envelopeSyntax }
  return { text: octets.toString(), isAscii: false, isUtf8: isUtf8(octets), envelopeSyntax }
}

function findVerbEnd(text: string): number {
  const space = text.indexOf(' ')
  return space < 0 ? text.length : space
}

function parseVerb(verb: string, verbEnd: number, line: CommandLine): Command | Refusal {
  switch (verb) {
    case 'MAIL':
      return parseMail(line)
    case 'RCPT':
      return parseRecipient(line)
    case 'EHLO':
    case 'HELO':
      return parseGreeting(verb, trimSpaces(line.text, verbEnd), line)
    case 'DATA':
    case 'RSET':
    case 'QUIT':
    case 'STARTTLS':
      return trimSpaces(line.text, verbEnd) === '' ? { verb } : syntaxRefusal(verb)
    case 'BDAT':
      return parseChunk(trimSpaces(line.text, verbEnd))
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

/** RFC 3030 §2: `BDAT size [LAST]` */
function parseChunk(argument: string): ChunkCommand | Refusal {
  const [, digits, last] = /^(\d+)( +LAST)?$/i.exec(argument) ?? []
  return digits === undefined
    ? chunkSizeUnknown
    : { verb: 'BDAT', size: Number(digits), isLast: last !== undefined }
}

/**
 * RFC 5321 §4.1.1.1, less strict: any word of visible characters is accepted, because clients send names of many kinds.
 */
function parseGreeting(verb: 'EHLO' | 'HELO', name: string, line: CommandLine): Command | Refusal {
  if (name === '') return syntaxRefusal(`${verb} hostname`)
  const isWord = line.isUtf8 && !name.includes(' ') && !invisibleCharacter.test(name)
  return isWord && Buffer.byteLength(name) <= maxHostnameOctets ? { verb, name } : badHostName
}

function parseMail(line: CommandLine): MailCommand | Refusal {
  const begin = findPathStart(line, 'MAIL FROM:')
  if (begin < 0) return syntaxRefusal('MAIL FROM:<address>')
  const path = readPath(line.text, begin)
  if (!path || (path.domainAt < 0 && path.address !== '')) return badSender
  if (!line.isUtf8) return hasInvalidUtf8(line, path) ? senderNotUtf8 : parametersNotUtf8
  if (path.hasInvisibleCharacter) return invisibleInSender
  const { address, hasAsciiLocalPart } = withAsciiDomain(path, line)
  if (isTooLong(address)) return senderTooLong
  const parameters = readMailParameters(line.text, path.end)
  if ('reason' in parameters) return parameters
  const { size, eightBitMime, smtpUtf8, requireTls, ret, envid } = parameters
  if (!smtpUtf8 && !hasAsciiLocalPart) return needsSmtpUtf8
  const envelope = { mailFrom: address, smtpUtf8, eightBitMime, requireTls, dsn: { ret, envid } }
  return { verb: 'MAIL', envelope, size }
}

function parseRecipient(line: CommandLine): RecipientCommand | Refusal {
  const begin = findPathStart(line, 'RCPT TO:')
  if (begin < 0) return syntaxRefusal('RCPT TO:<address>')
  const path = readPath(line.text, begin)
  if (!path || (path.domainAt < 0 && path.address.toLowerCase() !== 'postmaster')) return badRecipient
  if (!line.isUtf8) return hasInvalidUtf8(line, path) ? recipientNotUtf8 : parametersNotUtf8
  if (path.hasInvisibleCharacter) return invisibleInRecipient
  const { address, hasAsciiLocalPart } = withAsciiDomain(path, line)
  if (isTooLong(address)) return recipientTooLong
  const parameters = readRecipientParameters(line.text, path.end)
  if ('reason' in parameters) return parameters
  const { notify, orcpt } = parameters
  return { verb: 'RCPT', recipient: { address, notify, orcpt }, needsSmtpUtf8: !hasAsciiLocalPart }
}

/** @returns the position where the path should begin, or -1. RFC 5321 §3.3 forbids spaces before the path. */
function findPathStart({ text, envelopeSyntax }: CommandLine, keyword: string): number {
  if (upperCase(text.slice(0, keyword.length)) !== keyword) return -1
  let position = keyword.length
  if (envelopeSyntax === 'Strict') return text[position] === '<' ? position : -1
  while (text[position] === ' ') position++
  return position
}

const hasInvalidUtf8 = ({ text }: CommandLine, path: Path): boolean =>
  text.slice(0, path.end).includes(replacementCharacter)

/**
 * Without SMTPUTF8 only A-labels may be relayed (RFC 6531 §3.2). An invalid domain stays unchanged, so that the refusal
 * shows the client's spelling.
 */
function withAsciiDomain(path: Path, line: CommandLine): { address: string; hasAsciiLocalPart: boolean } {
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
  address.length > maxAddressOctets || Buffer.byteLength(address) > maxAddressOctets

const isAsciiText = (text: string): boolean => !/[^ -~]/.test(text)

function trimSpaces(text: string, from: number): string {
  let begin = from
  let end = text.length
  while (text[begin] === ' ') begin++
  while (end > begin && text[end - 1] === ' ') end--
  return text.slice(begin, end)
}
