/** The local parts of an accepted domain's recipients, as a list names them and as RCPT TO names them. */
import { invisibleFault } from '../contract/visible-text.ts'
import { comparableMailbox } from './address.ts'
import { normaliseDomain } from './domain.ts'

/** RFC 5321 §4.5.3.1.1. */
const maxLocalPartOctets = 64

const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\u{80}-\\u{10ffff}-]+"
/** RFC 5321 §4.1.2 and RFC 6531 §3.3: atoms with dots between them. */
const dotString = new RegExp(`^${atom}(?:\\.${atom})*$`, 'u')
/** RFC 5321 §4.1.2. */
const quotedString = /^"(?:[ !#-[\]-~\u{80}-\u{10ffff}]|\\[ -~])*"$/u

/**
 * Returns the same text for spellings of a local part that name one mailbox: in another case of ASCII letters, and with
 * quotes and backslashes that are not needed (RFC 5321 §4.1.2).
 */
export function comparableLocalPart(localPart: string): string {
  const comparable = comparableMailbox(localPart)
  if (!quotedString.test(comparable)) return comparable
  const unquoted = unquotedLocalPart(comparable)
  return dotString.test(unquoted) ? unquoted : `"${unquoted.replace(/["\\]/g, '\\$&')}"`
}

/** Returns the characters of a quoted local part. */
export const unquotedLocalPart = (quoted: string): string => quoted.slice(1, -1).replace(/\\(.)/gu, '$1')

export const localPartOf = (address: string): string => address.slice(0, address.lastIndexOf('@'))

/**
 * The local parts under which a list may name a recipient, in comparable form: as written, and for `name+tag` also
 * `name`, the mailbox of a plus address (Exchange Online).
 */
export function listedLocalParts(address: string): string[] {
  const localPart = comparableLocalPart(localPartOf(address))
  const plus = localPart.startsWith('"') ? -1 : localPart.indexOf('+')
  return plus > 0 ? [localPart, localPart.slice(0, plus)] : [localPart]
}

/**
 * Reads one entry of a domain's list: an address of the domain, or its local part.
 * @param domain in comparable form
 * @returns the local part in comparable form, or what is wrong with the entry
 */
export function readListedRecipient(text: string, domain: string): { localPart: string } | { fault: string } {
  const entry = text.trim()
  const at = entry.endsWith('"') ? -1 : entry.lastIndexOf('@')
  const localPart = comparableLocalPart(at < 0 ? entry : entry.slice(0, at))
  const fault = at < 0 ? null : domainFault(entry.slice(at + 1), domain)
  const localFault = fault ?? localPartFault(localPart)
  return localFault === null ? { localPart } : { fault: `"${shortened(entry)}" ${localFault}` }
}

const domainFault = (text: string, domain: string): string | null =>
  normaliseDomain(text) === domain ? null : `is not an address of ${domain}`

/** @returns what is wrong with a local part in comparable form, or null */
export function localPartFault(localPart: string): string | null {
  if (Buffer.byteLength(localPart) > maxLocalPartOctets)
    return `has a local part of more than ${maxLocalPartOctets} octets`
  const invisible = invisibleFault(localPart)
  if (invisible !== null) return invisible
  return dotString.test(localPart) || quotedString.test(localPart) ? null : 'is not an address'
}

const maxShownLength = 100

const shortened = (text: string): string =>
  text.length > maxShownLength ? `${text.slice(0, maxShownLength)}…` : text
