/**
 * Finds a mail address in texts and replaces it by a pseudonym. The hazard: another address contains the text of this one,
 * such as joann@ours.example or ann@ours.example.org, and its data must not change. So an occurrence counts only where an
 * address begins and ends. In any doubt about a sign before it, the text belongs to a longer local part.
 *
 * Found are all spellings of the mailbox: letter case, needless quotes and backslashes (RFC 5321 §4.1.2), U-labels and
 * A-labels, percent-encoding, and the escapes of ORCPT. Not covered: addresses in which other systems encode this one (VERP,
 * SRS), plus addresses, and an address that is cut off at the end of a text. Pure.
 */
import { domainToUnicode } from 'node:url'
import { domainOf } from './address.ts'
import type { Mailbox } from './mailbox.ts'
import { comparableLocalPart, localPartOf, unquotedLocalPart } from './recipient-address.ts'

/** Fields with the name of an administrator. They stay: otherwise an administrator could erase the record of own acts. */
export const administratorFields: ReadonlySet<string> = new Set(['actor', 'by'])

/** Fields that are an address of an envelope. */
export const envelopeFields: ReadonlySet<string> = new Set(['sender', 'recipient', 'mailFrom'])

/** Letters, digits and signs that join what stands beside them to one local part or domain. */
const wordBefore = /[\p{L}\p{N}._+-]$/u
const wordAfter = /^(?:[\p{L}\p{N}_-]|\.[\p{L}\p{N}_-])/u
/** Other signs that a local part may have (RFC 5322 §3.2.3). After a letter or digit they are a part of it, as in o'ann. */
const signAfterLetter = /[\p{L}\p{N}][!#$&'*?^`{|}~]$/u
/** The last octet of a letter that is not ASCII counts as one. */
const encodedWord = /[A-Za-z0-9._+\x80-\xff-]/
const percentEncoded = /%([0-9a-f]{2})$/i

const separators = '@|%40'
const quotes = '(?:"|%22|\\+22)'

/** The part of `ErasedAddress` that several addresses together have too. */
export type AddressEraser = Pick<ErasedAddress, 'replaceIn' | 'replaceInValue' | 'mayBeIn'>

/** Erases each of the addresses. */
export const eraserOf = (addresses: readonly ErasedAddress[]): AddressEraser => ({
  replaceIn: (text) => addresses.reduce((replaced, address) => address.replaceIn(replaced), text),
  replaceInValue: (value) => addresses.reduce((replaced, address) => address.replaceInValue(replaced), value),
  mayBeIn: (octets) => addresses.some((address) => address.mayBeIn(octets)),
})

export class ErasedAddress {
  /** The local part that replaces the address's own. */
  readonly pseudonym: string
  readonly #domain: string
  readonly #localPart: RegExp
  readonly #pattern: RegExp
  /** Matches in octets that may hold the address; null if only a decoded text shows it. */
  readonly #octetsPattern: RegExp | null

  /** @param pseudonym a local part of letters, digits and hyphens */
  constructor(mailbox: Mailbox, pseudonym: string) {
    this.pseudonym = pseudonym
    const { localPart, domain } = mailbox
    this.#domain = domain
    // Without the flag `u`, no letter equals an ASCII letter but that letter, as the kelvin sign would equal k.
    this.#localPart = new RegExp(`^${escapePattern(localPart)}$`, 'i')
    const isQuoted = localPart.startsWith('"')
    const local = encodedForms(isQuoted ? unquotedLocalPart(localPart) : localPart)
    const quoted = `${quotes}\\\\?${local.join('\\\\?')}${quotes}`
    const written = isQuoted ? quoted : `(?:${local.join('')}|${quoted})`
    const domains = [...new Set([domain, domainToUnicode(domain)])].filter((form) => form !== '')
    const domainPattern = domains.map((form) => encodedForms(form).join('')).join('|')
    this.#pattern = new RegExp(`${written}(${separators})(${domainPattern})`, 'gi')
    // JSON may escape quotes, backslashes and letters that are not ASCII.
    this.#octetsPattern = /^[\w.+-]+$/.test(localPart)
      ? new RegExp(`${local.join('\\\\*')}\\\\*${quotes}?(?:${separators})`, 'i')
      : null
  }

  /** Whether the text is this address, in any spelling. */
  isSpelled(text: string): boolean {
    const at = text.lastIndexOf('@')
    if (at < 0) return false
    if ((domainOf(text) ?? text.slice(at + 1).toLowerCase()) !== this.#domain) return false
    return this.#localPart.test(comparableLocalPart(localPartOf(text)))
  }

  /** Replaces each occurrence in a text. */
  replaceIn(text: string): string {
    if (!/@|%40/.test(text)) return text
    return text.replace(this.#pattern, (match, separator: string, domain: string, at: number) =>
      beginsAt(text, at) && !wordAfter.test(text.slice(at + match.length, at + match.length + 3))
        ? `${this.pseudonym}${separator}${domain}`
        : match,
    )
  }

  /** Replaces an address of an envelope: only as a whole. */
  replaceAddress(text: string): string {
    return this.isSpelled(text) ? `${this.pseudonym}${text.slice(text.lastIndexOf('@'))}` : text
  }

  /**
   * Replaces the address in all texts of a JSON value, except in the names of administrators.
   * @returns the same value if it does not have the address
   */
  replaceInValue<T>(value: T): T {
    if (typeof value === 'string') return this.replaceIn(value) as T
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date)
      return value
    if (Array.isArray(value)) {
      const items = value.map((item) => this.replaceInValue(item))
      return items.some((item, index) => item !== value[index]) ? (items as T) : value
    }
    const entries = Object.entries(value).map(([name, field]) => [name, this.#replaceField(name, field)])
    const isChanged = entries.some(
      ([name, field]) => field !== (value as Record<string, unknown>)[name as string],
    )
    return isChanged ? Object.fromEntries(entries) : value
  }

  #replaceField(name: string, value: unknown): unknown {
    if (administratorFields.has(name)) return value
    // The columns of events. Another address may end with this one, so a mere occurrence does not count.
    if (envelopeFields.has(name) && typeof value === 'string') return this.replaceAddress(value)
    return this.replaceInValue(value)
  }

  /** Whether UTF-8 octets may have the address. Fast, for octets that hardly ever have it. */
  mayBeIn(octets: Uint8Array): boolean {
    if (this.#octetsPattern === null) return true
    return this.#octetsPattern.test(
      Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1'),
    )
  }
}

/** Whether an address may begin here. */
export function beginsAt(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 4), at)
  const [encoded, code = ''] = percentEncoded.exec(before) ?? []
  if (encoded !== undefined) return !encodedWord.test(String.fromCharCode(Number.parseInt(code, 16)))
  return !wordBefore.test(before) && !signAfterLetter.test(before)
}

const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

/** Patterns of characters that may be percent-encoded (RFC 3986 §2.1) or escaped in ORCPT (RFC 3461 §4, RFC 6533 §3). */
const encodedForms = (text: string): string[] =>
  Array.from(text, (character) => {
    if (/^[A-Za-z0-9._-]$/.test(character)) return escapePattern(character)
    const code = (character.codePointAt(0) as number).toString(16).padStart(2, '0')
    const forms = [character, encodeURIComponent(character), `+${code}`, `\\x{${code}}`]
    return `(?:${forms.map(escapePattern).join('|')})`
  })
