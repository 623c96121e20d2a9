/**
 * Mailboxes in angle brackets (RFC 5321 §4.1.2, RFC 6531 §3.3). The attack: an address that we read as one mailbox
 * and the next server as another, that ends a line or hides a part of itself, or whose reading takes for ever. The
 * defence: one pass over its characters without going back, by the grammar and nothing beside it; what cannot be seen
 * or moves other text is refused. Its limit: letters that look like others stay, and so do local parts of more than 64
 * octets, the least that a server must take (§4.5.3.1.1); forwarders make longer ones.
 */
import { isIPv4, isIPv6 } from 'node:net'

export interface Path {
  /** Without source route and brackets, as it was written; empty is the null path. */
  address: string
  /** Where in the address the domain begins; -1 where there is none. */
  domainAt: number
  /** Where in the text the path has ended. */
  end: number
}

const quote = 0x22
const comma = 0x2c
const hyphen = 0x2d
const dot = 0x2e
const colon = 0x3a
const at = 0x40
const backslash = 0x5c

const tableOf = (signs: string): Uint8Array => {
  const table = new Uint8Array(128)
  for (const sign of signs) table[sign.charCodeAt(0)] = 1
  return table
}
const alphanumeric = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
/** RFC 5322 §3.2.3 */
const inAtoms = tableOf(`${alphanumeric}!#$%&'*+-/=?^_\`{|}~`)
/** The underscore stands in names of hosts that send mail, and in no rule. */
const inLabels = tableOf(`${alphanumeric}_-`)

/** RFC 1035 §2.3.4. What is not ASCII has its length as an A-label only. */
const longestLabel = 63

/** Octets of `[IPv6:` and the longest address. */
const longestLiteral = 52

/** Besides controls: spaces other than that in quotes, changes of direction, what has no width. */
export const unseen = /[\p{Bidi_Control}\u200b\u2060\ufeff]|[^\P{Z} ]/u

/**
 * @param text a line without ASCII controls
 * @param from where the path should begin
 * @returns null when no path begins there, or something is attached to it
 */
export function readPath(text: string, from: number): Path | null {
  const path = text.startsWith('<>', from)
    ? { address: '', domainAt: -1, end: from + 2 }
    : readMailbox(text, from)
  return path && (path.end === text.length || text[path.end] === ' ') ? path : null
}

function readMailbox(text: string, from: number): Path | null {
  if (text[from] !== '<') return null
  const begin = skipSourceRoute(text, from + 1)
  const localEnd = begin < 0 ? -1 : readLocalPart(text, begin)
  if (localEnd < 0) return null
  const hasDomain = text.charCodeAt(localEnd) === at
  const end = hasDomain ? readDomainOrLiteral(text, localEnd + 1) : localEnd
  if (end < 0 || text[end] !== '>') return null
  const address = text.slice(begin, end)
  if (unseen.test(address)) return null
  return { address, domainAt: hasDomain ? localEnd + 1 - begin : -1, end: end + 1 }
}

/** RFC 5321 §4.1.1.3, Appendix C: `@one,@two:` is taken and ignored. */
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

/** @returns where it ends, or -1 */
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
    } else if (code < 128 && inAtoms[code] === 0) break
  }
  return position === atomAt ? -1 : position
}

function readQuoted(text: string, from: number): number {
  for (let position = from; position < text.length; position++) {
    const code = text.charCodeAt(position)
    if (code === quote) return position + 1
    if (code !== backslash) continue
    // What stands behind a backslash is ASCII in RFC 6531, too.
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
    else if (inLabels[code] === 0) break
  }
  return isLabel(text, labelAt, position, isAscii) ? position : -1
}

function isLabel(text: string, from: number, end: number, isAscii: boolean): boolean {
  return (
    end > from &&
    (!isAscii || end - from <= longestLabel) &&
    text.charCodeAt(from) !== hyphen &&
    text.charCodeAt(end - 1) !== hyphen
  )
}

/** RFC 5321 §4.1.3: of the tags there is one. A scope (`%eth0`) means something on one machine only. */
function readLiteral(text: string, from: number): number {
  const end = text.indexOf(']', from)
  if (end < 0 || end - from > longestLiteral) return -1
  const literal = text.slice(from + 1, end)
  const isLawful = /^ipv6:/i.test(literal)
    ? isIPv6(literal.slice(5)) && !literal.includes('%')
    : isIPv4(literal)
  return isLawful ? end + 1 : -1
}
