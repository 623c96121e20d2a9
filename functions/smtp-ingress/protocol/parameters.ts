/**
 * Parses ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.1.11). The attack: a value that means something else when
 * written into the next server's command line, a DSN or a log. The defence: each parameter once, with an allowed value;
 * xtext must decode to printable ASCII.
 */
import type { Envelope, Recipient } from '../../../shared/contract/message.ts'
import { parameterTooLong, parameterUnknown, type Refused } from '../replies.ts'
import { wrongParameter } from './refusals.ts'

export interface MailParameters {
  /** Octets (RFC 1870), or 0. */
  size: number
  eightBitMime: boolean
  smtpUtf8: boolean
  requireTls: boolean
  ret: Envelope['dsn']['ret']
  /** Decoded. */
  envid: string | null
}

export type RecipientParameters = Pick<Recipient, 'notify' | 'orcpt'>

/** Stores the value of one parameter, null if it has none, or returns the refusal. */
type Take<Parameters> = (value: string | null, parameters: Parameters) => Refused | null

/** Characters (RFC 3461 §4.4, §4.2); an ENVID counts decoded. */
const longestEnvid = 100
const longestOrcpt = 500

const flag =
  <Key extends string>(name: string, key: Key): Take<Record<Key, boolean>> =>
  (value, parameters) => {
    if (value !== null) return wrongParameter(`Invalid ${name} parameter. This flag does not accept a value`)
    parameters[key] = true
    return null
  }

const withValue =
  <Parameters>(
    name: string,
    take: (value: string, parameters: Parameters) => Refused | null,
  ): Take<Parameters> =>
  (value, parameters) =>
    value ? take(value, parameters) : wrongParameter(`${name} parameter requires a value`)

const ofMail = new Map<string, Take<MailParameters>>([
  ['SIZE', withValue('SIZE', takeSize)],
  ['BODY', withValue('BODY', takeBody)],
  ['SMTPUTF8', flag('SMTPUTF8', 'smtpUtf8')],
  ['RET', withValue('RET', takeRet)],
  ['ENVID', withValue('ENVID', takeEnvid)],
  ['REQUIRETLS', flag('REQUIRETLS', 'requireTls')],
])

const ofRecipients = new Map<string, Take<RecipientParameters>>([
  ['NOTIFY', withValue('NOTIFY', takeNotify)],
  ['ORCPT', withValue('ORCPT', takeOrcpt)],
])

/** @param from the position after the path */
export function readMailParameters(text: string, from: number): MailParameters | Refused {
  const parameters: MailParameters = {
    size: 0,
    eightBitMime: false,
    smtpUtf8: false,
    requireTls: false,
    ret: null,
    envid: null,
  }
  return read(text, from, ofMail, parameters) ?? parameters
}

/** @param from the position after the path */
export function readRecipientParameters(text: string, from: number): RecipientParameters | Refused {
  const parameters: RecipientParameters = { notify: null, orcpt: null }
  return read(text, from, ofRecipients, parameters) ?? parameters
}

function read<Parameters>(
  text: string,
  from: number,
  known: ReadonlyMap<string, Take<Parameters>>,
  parameters: Parameters,
): Refused | null {
  const given = new Set<string>()
  let position = from
  while (position < text.length) {
    if (text[position] === ' ') {
      position++
      continue
    }
    const end = endOfWord(text, position)
    const refused = takeOne(text.slice(position, end), known, given, parameters)
    if (refused) return refused
    position = end
  }
  return null
}

function endOfWord(text: string, from: number): number {
  const end = text.indexOf(' ', from)
  return end < 0 ? text.length : end
}

function takeOne<Parameters>(
  word: string,
  known: ReadonlyMap<string, Take<Parameters>>,
  given: Set<string>,
  parameters: Parameters,
): Refused | null {
  const sign = word.indexOf('=')
  const keyword = sign < 0 ? word : word.slice(0, sign)
  const name = upperCase(keyword)
  const take = known.get(name)
  // RFC 5321 §4.1.2: a parameter name is letters, digits and hyphens. Other names are not repeated in the reply.
  if (!take) return parameterUnknown(/^[A-Z0-9-]{1,30}$/.test(name) ? name : 'given')
  if (given.has(name)) return wrongParameter(`Duplicate ${name} parameter`)
  given.add(name)
  return take(sign < 0 ? null : word.slice(sign + 1), parameters)
}

/** RFC 1870 §3 */
function takeSize(value: string, parameters: MailParameters): Refused | null {
  if (!/^\d{1,20}$/.test(value)) return wrongParameter('Bad message size syntax')
  parameters.size = Number(value)
  return null
}

/** RFC 6152 §2 */
function takeBody(value: string, parameters: MailParameters): Refused | null {
  const body = upperCase(value)
  if (body !== '7BIT' && body !== '8BITMIME')
    return wrongParameter('Invalid BODY parameter value. Must be 7BIT or 8BITMIME')
  parameters.eightBitMime = body === '8BITMIME'
  return null
}

/** RFC 3461 §4.3 */
function takeRet(value: string, parameters: MailParameters): Refused | null {
  const ret = upperCase(value)
  if (ret !== 'FULL' && ret !== 'HDRS')
    return wrongParameter('Invalid RET parameter value. Must be FULL or HDRS')
  parameters.ret = ret
  return null
}

/** RFC 3461 §4.4 */
function takeEnvid(value: string, parameters: MailParameters): Refused | null {
  if (value.length > longestEnvid * escapeLength) return parameterTooLong('ENVID')
  const envid = decodeXtext(value)
  if (envid === null) return wrongParameter('Bad ENVID parameter syntax')
  if (envid.length > longestEnvid) return parameterTooLong('ENVID')
  parameters.envid = envid
  return null
}

type Notice = NonNullable<Recipient['notify']>[number]
const notices: ReadonlySet<string> = new Set<Notice>(['NEVER', 'SUCCESS', 'FAILURE', 'DELAY'])

/** RFC 3461 §4.1 */
function takeNotify(value: string, parameters: RecipientParameters): Refused | null {
  const asked = upperCase(value).split(',')
  if (!asked.every((notice) => notices.has(notice)))
    return wrongParameter('NOTIFY parameter must be NEVER, SUCCESS, FAILURE, or DELAY')
  if (asked.length > 1 && asked.includes('NEVER'))
    return wrongParameter('NOTIFY=NEVER cannot be combined with other values')
  parameters.notify = [...new Set(asked as Notice[])]
  return null
}

/**
 * RFC 3461 §4.2, RFC 6533 §3: stored as written. Non-ASCII characters, which only the type `utf-8` allows, are escaped,
 * so that the value can be relayed without SMTPUTF8.
 */
function takeOrcpt(value: string, parameters: RecipientParameters): Refused | null {
  if (value.length > longestOrcpt) return parameterTooLong('ORCPT')
  const semicolon = value.indexOf(';')
  const type = value.slice(0, Math.max(semicolon, 0))
  const given = value.slice(semicolon + 1)
  const address = type.toLowerCase() === 'utf-8' ? escaped(given) : given
  if (!/^[a-z0-9!#$%&'*+/=?^_`{|}~-]+$/i.test(type) || !decodeXtext(address))
    return wrongParameter('Bad ORCPT parameter syntax')
  if (type.length + 1 + address.length > longestOrcpt) return parameterTooLong('ORCPT')
  parameters.orcpt = `${type};${address}`
  return null
}

const escaped = (address: string): string =>
  address.replace(/[^ -~]/gu, (character) => `\\x{${character.codePointAt(0)?.toString(16).toUpperCase()}}`)

/** RFC 3461 §4: printable ASCII without `=`, and `+` only before two hexadecimal digits. */
const notXtext = /[^!-*,-<>-~]/
const escapes = /\+([0-9A-F]{2})/g
const escapeLength = 3

function decodeXtext(value: string): string | null {
  if (!notXtext.test(value)) return value
  if (notXtext.test(value.replace(escapes, ''))) return null
  const decoded = value.replace(escapes, (_, hexadecimal: string) =>
    String.fromCharCode(Number.parseInt(hexadecimal, 16)),
  )
  return isPrintable(decoded) ? decoded : null
}

/** ASCII only: some other letters have ASCII capitals, and `ſize` is not SIZE. */
export function upperCase(word: string): string {
  return isPrintable(word) ? word.toUpperCase() : ''
}

const isPrintable = (text: string): boolean => !/[^ -~]/.test(text)
