/**
 * Replaces the local parts of the addresses in an event by hashes. The columns `sender` and `recipient` are addresses as a
 * whole. In other texts, such as replies, whatever stands before an `@` counts as a local part: no list of addresses could
 * be complete, and a text that is hashed without need loses little. Names of administrators stay, as in an erasure, and so
 * does `Message-ID`, unless it is an address of the event.
 *
 * The id of an event is a digest of its message and its recipient, by which anyone could test a guess. So it is hashed with
 * the key, too.
 *
 * Not covered: a local part without its domain, and one that is cut off at the end of a text. Pure.
 */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { type AddressHash, createAddressHash, hashedAddress, mailboxOf } from '../mail/address-hash.ts'
import { administratorFields, beginsAt, envelopeFields } from '../mail/erased-address.ts'

/** As `eventId`. */
const idOctets = 16

/** Columns that cannot have an address. */
const ids: ReadonlySet<string> = new Set(['id', 'messageId'])

/** RFC 5322 §3.2.3 and RFC 6531 §3.3; `%` also begins an encoded sign. */
const localPartSign = /[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]|(?!\s)\P{ASCII}/u
const separators = /@|%40/gi
const domainAfter = /(?:\[[^\]\s]*\]|[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*)?/uy
/** Before a local part that begins in the middle of a text. */
const asciiSigns = /^[!#$&'*/=?^`{|}~]+(?=.)/

export class EventAddresses {
  readonly #key: KeyObject
  readonly #hash: AddressHash
  readonly #plain: ReadonlySet<string>

  /**
   * @param key of the hashes
   * @param plain addresses that are roles and stay as they are, besides each postmaster and the null reverse path
   */
  constructor(key: string, plain: readonly string[]) {
    this.#key = createSecretKey(key, 'utf8')
    this.#hash = createAddressHash(key)
    this.#plain = new Set(plain.map(keyOf))
  }

  /** @returns the event, or other data with columns of these names, with hashed addresses */
  hashIn<T extends object>(event: T): T {
    const own = new Set(
      Object.entries(event).flatMap(([name, value]) =>
        envelopeFields.has(name) && typeof value === 'string' ? [keyOf(value)] : [],
      ),
    )
    const hashed = this.#hashFields(event, own)
    const { id, kind, recipient } = event as Record<string, unknown>
    // The id of a rejection is random.
    const isDigest = typeof id === 'string' && recipient !== undefined && kind !== 'Rejected'
    return isDigest ? { ...hashed, id: this.#hashedId(id) } : hashed
  }

  /** The ids under which an event may be stored: from before the setting it has its own. */
  storedIds(id: string): string[] {
    return [id, this.#hashedId(id)]
  }

  #hashedId(id: string): string {
    return createHmac('sha256', this.#key)
      .update(`id\0${id}`)
      .digest()
      .subarray(0, idOctets)
      .toString('base64url')
  }

  #hashFields<T extends object>(value: T, own: ReadonlySet<string>): T {
    const entries = Object.entries(value).map(([name, field]) => [name, this.#hashField(name, field, own)])
    return Object.fromEntries(entries) as T
  }

  #hashField(name: string, value: unknown, own: ReadonlySet<string>): unknown {
    if (ids.has(name) || administratorFields.has(name)) return value
    if (typeof value === 'string') {
      if (envelopeFields.has(name)) return this.#hashAddress(value)
      return this.#hashInText(value, own, name === 'headerMessageId')
    }
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item) => this.#hashField('', item, own))
    return this.#hashFields(value, own)
  }

  #hashAddress(address: string): string {
    return address === '' || this.#isPlain(address) ? address : hashedAddress(address, this.#hash)
  }

  /** @param onlyOwn whether addresses that the event has in no column stay */
  #hashInText(text: string, own: ReadonlySet<string>, onlyOwn: boolean): string {
    if (!text.includes('@') && !text.includes('%40')) return text
    /** From the end of the text. */
    const parts: string[] = []
    let rest = text.length
    let end = text.length
    // From the end, because a quoted local part may have another @.
    for (const { 0: separator, index } of [...text.matchAll(separators)].toReversed()) {
      if (index >= end) continue
      const start = localPartStart(text, index)
      if (start === index) continue
      domainAfter.lastIndex = index + separator.length
      const domain = domainAfter.exec(text)?.[0] ?? ''
      const written = decoded(text.slice(start, index))
      const addresses = [written, written.slice(addressStart(written))].map((local) => `${local}@${domain}`)
      const known = addresses.find((address) => own.has(keyOf(address)))
      const address = known ?? addresses[1] ?? ''
      end = start
      if ((onlyOwn && known === undefined) || this.#isPlain(address)) continue
      parts.push(text.slice(index, rest), this.#hash(mailboxOf(address)))
      rest = start
    }
    return parts.length === 0 ? text : [...parts, text.slice(0, rest)].toReversed().join('')
  }

  #isPlain(address: string): boolean {
    return mailboxOf(address).localPart === 'postmaster' || this.#plain.has(keyOf(address))
  }
}

/** Returns the same text for spellings of one address in ASCII. */
function keyOf(address: string): string {
  const { localPart, domain } = mailboxOf(address)
  return `${localPart}@${domain}`
}

/** @returns where the local part begins that ends at `end`; `end` if there is none */
function localPartStart(text: string, end: number): number {
  const quote = text[end - 1] === '"' ? openingQuote(text, end - 1) : null
  if (quote !== null) return end - quote > 2 ? quote : end
  let start = text[end - 1] === '"' ? end - 1 : end
  while (start > 0 && localPartSign.test(text[start - 1] as string)) start -= 1
  return start + (asciiSigns.exec(text.slice(start, end))?.[0].length ?? 0)
}

/** More than a local part may have. Without a limit, a text with many escaped quotes would take long. */
const maxQuotedLength = 1000

/** @returns the position of the quote that `closing` ends; null if there is none */
function openingQuote(text: string, closing: number): number | null {
  for (let at = closing - 1; at >= Math.max(0, closing - maxQuotedLength); at -= 1)
    if (text[at] === '"' && text[at - 1] !== '\\') return at
  return null
}

/** Where in a local part, as it is written in a text, an erasure would take an address to begin: `to=ann` has `ann`. */
function addressStart(written: string): number {
  if (written.startsWith('"')) return 0
  let start = written.length - 1
  while (start > 0 && (isLowSurrogate(written, start) || !beginsAt(written, start))) start -= 1
  return start
}

/** Whether the second half of a character is here. */
const isLowSurrogate = (text: string, at: number): boolean => /[\udc00-\udfff]/.test(text[at] ?? '')

function decoded(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
