/**
 * Parses ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.1.11). The attack: a value that means something else when
 * written into the next server's command line, a DSN or a log. The defence: each parameter may occur once and needs an
 * allowed value; xtext must decode to printable ASCII.
 */
import type { Envelope, Recipient } from '../../../shared/contract/message.ts'
import { binaryMimeNotOffered, parameterTooLong, parameterUnknown, type Refusal } from '../replies.ts'
import { invalidParameter } from './refusals.ts'

export interface MailParameters {
  /** Octets (RFC 1870), or 0. */
  size: number
  eightBitMime: boolean
  smtpUtf8: boolean
  requireTls: boolean
  ret: Envelope['dsn']['ret']
  /** The decoded value. */
  envid: string | null
}

export type RecipientParameters = Pick<Recipient, 'notify' | 'orcpt'>

/**
 * Stores the value of one parameter.
 * @param value null when the parameter has no `=`
 * @returns null, or the refusal
 */
type ParameterReader<Parameters> = (value: string | null, parameters: Parameters) => Refusal | null

/** Limits in characters (RFC 3461 §4.4, §4.2); for an ENVID, after decoding. */
const maxEnvidLength = 100
const maxOrcptLength = 500

const flagReader =
  <Key extends string>(name: string, key: Key): ParameterReader<Record<Key, boolean>> =>
  (value, parameters) => {
    if (value !== null)
      return invalidParameter(`Invalid ${name} parameter. This flag does not accept a value`)
    parameters[key] = true
    return null
  }

const valueReader =
  <Parameters>(
    name: string,
    readValue: (value: string, parameters: Parameters) => Refusal | null,
  ): ParameterReader<Parameters> =>
  (value, parameters) =>
    value ? readValue(value, parameters) : invalidParameter(`${name} parameter requires a value`)

const mailParameterReaders = new Map<string, ParameterReader<MailParameters>>([
  ['SIZE', valueReader('SIZE', readSize)],
  ['BODY', valueReader('BODY', readBody)],
  ['SMTPUTF8', flagReader('SMTPUTF8', 'smtpUtf8')],
  ['RET', valueReader('RET', readRet)],
  ['ENVID', valueReader('ENVID', readEnvid)],
  ['REQUIRETLS', flagReader('REQUIRETLS', 'requireTls')],
])

const recipientParameterReaders = new Map<string, ParameterReader<RecipientParameters>>([
  ['NOTIFY', valueReader('NOTIFY', readNotify)],
  ['ORCPT', valueReader('ORCPT', readOrcpt)],
])

/** @param from the position after the path */
export function readMailParameters(text: string, from: number): MailParameters | Refusal {
  const parameters: MailParameters = {
    size: 0,
    eightBitMime: false,
    smtpUtf8: false,
    requireTls: false,
    ret: null,
    envid: null,
  }
  return readParameters(text, from, mailParameterReaders, parameters) ?? parameters
}

/** @param from the position after the path */
export function readRecipientParameters(text: string, from: number): RecipientParameters | Refusal {
  const parameters: RecipientParameters = { notify: null, orcpt: null }
  return readParameters(text, from, recipientParameterReaders, parameters) ?? parameters
}

function readParameters<Parameters>(
  text: string,
  from: number,
  readers: ReadonlyMap<string, ParameterReader<Parameters>>,
  parameters: Parameters,
): Refusal | null {
  const usedNames = new Set<string>()
  let position = from
  while (position < text.length) {
    if (text[position] === ' ') {
      position++
      continue
    }
    const end = findWordEnd(text, position)
    const refusal = readParameter(text.slice(position, end), readers, usedNames, parameters)
    if (refusal) return refusal
    position = end
  }
  return null
}

function findWordEnd(text: string, from: number): number {
  const end = text.indexOf(' ', from)
  return end < 0 ? text.length : end
}

function readParameter<Parameters>(
  word: string,
  readers: ReadonlyMap<string, ParameterReader<Parameters>>,
  usedNames: Set<string>,
  parameters: Parameters,
): Refusal | null {
  const equalsAt = word.indexOf('=')
  const keyword = equalsAt < 0 ? word : word.slice(0, equalsAt)
  const name = upperCase(keyword)
  const reader = readers.get(name)
  // RFC 5321 §4.1.2: a parameter name is letters, digits and hyphens. Other names are not repeated in the reply.
  if (!reader) return parameterUnknown(/^[A-Z0-9-]{1,30}$/.test(name) ? name : 'given')
  if (usedNames.has(name)) return invalidParameter(`Duplicate ${name} parameter`)
  usedNames.add(name)
  return reader(equalsAt < 0 ? null : word.slice(equalsAt + 1), parameters)
}

/** RFC 1870 §3 */
function readSize(value: string, parameters: MailParameters): Refusal | null {
  if (!/^\d{1,20}$/.test(value)) return invalidParameter('Bad message size syntax')
  parameters.size = Number(value)
  return null
}

/** RFC 6152 §2 */
function readBody(value: string, parameters: MailParameters): Refusal | null {
  const body = upperCase(value)
  if (body === 'BINARYMIME') return binaryMimeNotOffered
  if (body !== '7BIT' && body !== '8BITMIME')
    return invalidParameter('Invalid BODY parameter value. Must be 7BIT or 8BITMIME')
  parameters.eightBitMime = body === '8BITMIME'
  return null
}

/** RFC 3461 §4.3 */
function readRet(value: string, parameters: MailParameters): Refusal | null {
  const ret = upperCase(value)
  if (ret !== 'FULL' && ret !== 'HDRS')
    return invalidParameter('Invalid RET parameter value. Must be FULL or HDRS')
  parameters.ret = ret
  return null
}

/** RFC 3461 §4.4 */
function readEnvid(value: string, parameters: MailParameters): Refusal | null {
  if (value.length > maxEnvidLength * xtextEscapeLength) return parameterTooLong('ENVID')
  const envid = decodeXtext(value)
  if (envid === null) return invalidParameter('Bad ENVID parameter syntax')
  if (envid.length > maxEnvidLength) return parameterTooLong('ENVID')
  parameters.envid = envid
  return null
}

type NotifyCondition = NonNullable<Recipient['notify']>[number]
const notifyConditions: ReadonlySet<string> = new Set<NotifyCondition>([
  'NEVER',
  'SUCCESS',
  'FAILURE',
  'DELAY',
])

/** RFC 3461 §4.1 */
function readNotify(value: string, parameters: RecipientParameters): Refusal | null {
  const conditions = upperCase(value).split(',')
  if (!conditions.every((condition) => notifyConditions.has(condition)))
    return invalidParameter('NOTIFY parameter must be NEVER, SUCCESS, FAILURE, or DELAY')
  if (conditions.length > 1 && conditions.includes('NEVER'))
    return invalidParameter('NOTIFY=NEVER cannot be combined with other values')
  parameters.notify = [...new Set(conditions as NotifyCondition[])]
  return null
}

/**
 * RFC 3461 §4.2, RFC 6533 §3: stored as written. Non-ASCII characters, which only the type `utf-8` allows, are escaped,
 * so that the value can be relayed without SMTPUTF8.
 */
function readOrcpt(value: string, parameters: RecipientParameters): Refusal | null {
  if (value.length > maxOrcptLength) return parameterTooLong('ORCPT')
  const semicolon = value.indexOf(';')
  const type = value.slice(0, Math.max(semicolon, 0))
  const writtenAddress = value.slice(semicolon + 1)
  const address = type.toLowerCase() === 'utf-8' ? escapeNonAscii(writtenAddress) : writtenAddress
  if (!/^[a-z0-9!#$%&'*+/=?^_`{|}~-]+$/i.test(type) || !decodeXtext(address))
    return invalidParameter('Bad ORCPT parameter syntax')
  if (type.length + 1 + address.length > maxOrcptLength) return parameterTooLong('ORCPT')
  parameters.orcpt = `${type};${address}`
  return null
}

const escapeNonAscii = (address: string): string =>
  address.replace(/[^ -~]/gu, (character) => `\\x{${character.codePointAt(0)?.toString(16).toUpperCase()}}`)

/**
 * Matches a `+`, and any character that xtext does not allow. Xtext is printable ASCII without space and `=`; a `+`
 * must begin an escape with two hexadecimal digits (RFC 3461 §4).
 */
const invalidXtext = /[^!-*,-<>-~]/
const xtextEscapes = /\+([0-9A-F]{2})/g
const xtextEscapeLength = 3

function decodeXtext(value: string): string | null {
  if (!invalidXtext.test(value)) return value
  if (invalidXtext.test(value.replace(xtextEscapes, ''))) return null
  const decoded = value.replace(xtextEscapes, (_, hexadecimal: string) =>
    String.fromCharCode(Number.parseInt(hexadecimal, 16)),
  )
  return isPrintable(decoded) ? decoded : null
}

/**
 * Converts ASCII only: some other letters have ASCII capitals, and `ſize` is not SIZE.
 * @returns an empty string if the word contains other characters
 */
export function upperCase(word: string): string {
  return isPrintable(word) ? word.toUpperCase() : ''
}

const isPrintable = (text: string): boolean => !/[^ -~]/.test(text)
