/**
 * Parses mailboxes in angle brackets (RFC 5321 §4.1.2, RFC 6531 §3.3). The attack: an address that the next server
 * reads as another mailbox, that contains a line end, that is displayed only in part, or that takes exponential time to
 * parse. The defence: one pass without backtracking, strictly by the grammar. `Lenient` also accepts a mailbox without
 * brackets, as devices send and Postfix accepts it, if it has no quoted local part and no source route: then it ends at
 * the first space, and parameters cannot be part of it. mailflow itself writes brackets. Invisible characters
 * (shared/contract/visible-text.ts) are found. Not covered: look-alike letters are accepted. A local part may have more
 * than the 64 octets that every server must support (§4.5.3.1.1), because forwarders create longer local parts.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { invisibleCharacter } from '../../../shared/contract/visible-text.ts'
import { normaliseDomain } from '../../../shared/mail/domain.ts'

export interface Path {
  /** As written, without source route and brackets; empty for the null path. */
  address: string
  /** Start of the domain in the address; -1 if there is none. */
  domainAt: number
  /** The position after the path in the text. */
  end: number
  /** The address has a character that people cannot see, so they take it for another address. */
  hasInvisibleCharacter: boolean
}

/**
 * `Lenient` accepts spaces after the colon of MAIL FROM: and RCPT TO:, and a mailbox without brackets. `Strict` accepts
 * only the syntax of RFC 5321 §4.1.1.2 and §4.1.1.3.
 */
export type EnvelopeSyntax = 'Lenient' | 'Strict'

const quote = 0x22
const comma = 0x2c
const hyphen = 0x2d
const dot = 0x2e
const colon = 0x3a
const at = 0x40
const backslash = 0x5c

const characterTable = (signs: string): Uint8Array => {
  const table = new Uint8Array(128)
  for (const sign of signs) table[sign.charCodeAt(0)] = 1
  return table
}
const alphanumeric = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
/** RFC 5322 §3.2.3 */
const atomCharacters = characterTable(`${alphanumeric}!#$%&'*+-/=?^_\`{|}~`)
/** No RFC allows the underscore, but hostnames of real senders contain it. */
const labelCharacters = characterTable(`${alphanumeric}_-`)

/** Octets (RFC 1035 §2.3.4). A non-ASCII label is measured later, as an A-label. */
const maxLabelLength = 63

/** Octets of `[IPv6:`, the longest IPv6 address and `]`. */
const maxLiteralLength = 52

/** ZERO WIDTH JOINER and NON-JOINER. */
const joiners = /[\u200c\u200d]/g

/**
 * @param text a line without ASCII controls
 * @param from where the path should begin
 * @returns null when no path begins there, or text follows it without a space
 */
export function readPath(text: string, from: number): Path | null {
  const path = text[from] === '<' ? readInBrackets(text, from + 1) : readWithoutBrackets(text, from)
  return path && (path.end === text.length || text[path.end] === ' ') ? path : null
}

function readInBrackets(text: string, from: number): Path | null {
  if (text[from] === '>') return { address: '', domainAt: -1, end: from + 1, hasInvisibleCharacter: false }
  const begin = skipSourceRoute(text, from)
  const path = begin < 0 ? null : readMailbox(text, begin, readLocalPart(text, begin))
  return path && text[path.end] === '>' ? { ...path, end: path.end + 1 } : null
}

const readWithoutBrackets = (text: string, from: number): Path | null =>
  readMailbox(text, from, readDotString(text, from))

/** @param localEnd the position after the local part, or -1 */
function readMailbox(text: string, begin: number, localEnd: number): Path | null {
  if (localEnd < 0) return null
  const hasDomain = text.charCodeAt(localEnd) === at
  const end = hasDomain ? readDomainOrLiteral(text, localEnd + 1) : localEnd
  if (end < 0) return null
  const local = text.slice(begin, localEnd)
  const domain = text.slice(localEnd + 1, end)
  return {
    address: text.slice(begin, end),
    domainAt: hasDomain ? localEnd + 1 - begin : -1,
    end,
    hasInvisibleCharacter: invisibleCharacter.test(local) || hasInvisibleDomain(domain),
  }
}

/**
 * IDNA2008 allows a joiner in a U-label where it changes the form of letters (RFC 5892 Appendix A.1, A.2), and the
 * A-label keeps it. normaliseDomain checks that. A local part has no such check, so there joiners are refused: the
 * mailboxes with and without one would look the same.
 */
const hasInvisibleDomain = (domain: string): boolean =>
  invisibleCharacter.test(domain) &&
  (invisibleCharacter.test(domain.replace(joiners, '')) || normaliseDomain(domain) === null)

/** RFC 5321 §4.1.1.3, Appendix C: `@one,@two:` is accepted and ignored. */
function skipSourceRoute(text: string, from: number): number {
  let position = from
  while (text.charCodeAt(position) === at) {
    position = readDomain(text, position + 1)
    if (position < 0) return -1
    const separator = text.charCodeAt(position)
    if (separator === colon) return position + 1
    if (separator !== comma || text.charCodeAt(position + 1) !== at) return -1
    position++
  }
  return position
}

/** @returns the position after the local part, or -1 */
function readLocalPart(text: string, from: number): number {
  return text.charCodeAt(from) === quote ? readQuoted(text, from + 1) : readDotString(text, from)
}

function readDotString(text: string, from: number): number {
  let position = from
  let atomAt = from
  for (; position < text.length; position++) {
    const code = text.charCodeAt(position)
    if (code === dot) {
      if (position === atomAt) return -1
      atomAt = position + 1
    } else if (code < 128 && atomCharacters[code] === 0) break
  }
  return position === atomAt ? -1 : position
}

function readQuoted(text: string, from: number): number {
  for (let position = from; position < text.length; position++) {
    const code = text.charCodeAt(position)
    if (code === quote) return position + 1
    if (code !== backslash) continue
    // RFC 6531 also allows only ASCII after a backslash.
    position++
    if (!(text.charCodeAt(position) < 127)) return -1
  }
  return -1
}

function readDomainOrLiteral(text: string, from: number): number {
  return text[from] === '[' ? readLiteral(text, from) : readDomain(text, from)
}

function readDomain(text: string, from: number): number {
  let position = from
  let labelAt = from
  let isAscii = true
  for (; position < text.length; position++) {
    const code = text.charCodeAt(position)
    if (code === dot) {
      if (!isLabel(text, labelAt, position, isAscii)) return -1
      labelAt = position + 1
      isAscii = true
    } else if (code >= 128) isAscii = false
    else if (labelCharacters[code] === 0) break
  }
  return isLabel(text, labelAt, position, isAscii) ? position : -1
}

function isLabel(text: string, from: number, end: number, isAscii: boolean): boolean {
  return (
    end > from &&
    (!isAscii || end - from <= maxLabelLength) &&
    text.charCodeAt(from) !== hyphen &&
    text.charCodeAt(end - 1) !== hyphen
  )
}

/** RFC 5321 §4.1.3: IPv6 is the only registered tag. A scope (`%eth0`) is refused: only one machine understands it. */
function readLiteral(text: string, from: number): number {
  const end = text.indexOf(']', from)
  if (end < 0 || end - from > maxLiteralLength) return -1
  const literal = text.slice(from + 1, end)
  const isValid = /^ipv6:/i.test(literal)
    ? isIPv6(literal.slice(5)) && !literal.includes('%')
    : isIPv4(literal)
  return isValid ? end + 1 : -1
}
