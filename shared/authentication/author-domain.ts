/**
 * Reads the domain of the author from From: (RFC 9989 §5.3.1). The attack: a field that this gateway reads as one
 * address, and a mail program as another, so that DMARC passes for a domain that the reader does not see. The defence: only a field
 * that RFC 5322 §3.6.2 permits has a domain, and an address in an unquoted display name counts as an address. Not
 * covered: a quoted display name that looks like an address (RFC 9989 §11.4). The time grows with the field's length.
 */
import { normaliseDomain } from '../mail/domain.ts'

export type AuthorDomain =
  | { kind: 'One'; domain: string }
  /** `reason`: a fixed text. */
  | { kind: 'Unusable'; reason: string }

const unusable = (reason: string): AuthorDomain => ({ kind: 'Unusable', reason })

/** @param values the value of each From: field of a message, unfolded or not */
export function authorDomain(values: readonly string[]): AuthorDomain {
  if (values.length !== 1) return unusable(values.length === 0 ? 'no From field' : 'several From fields')
  const domains = domainsOf(values[0] as string)
  if (domains === null) return unusable('malformed From field')
  if (domains.size > 1) return unusable('several domains in From')
  const [domain] = domains
  return domain === undefined ? unusable('no domain in From') : { kind: 'One', domain }
}

interface Token {
  kind: 'Word' | 'Quoted' | 'Special'
  text: string
  /** Whether it follows the token before it without space or comment. */
  adjacent: boolean
}

/** @returns null for a malformed value */
function domainsOf(value: string): Set<string> | null {
  const tokens = tokenize(value)
  if (tokens === null) return null
  const domains = new Set<string>()
  let mailbox: Token[] = []
  let group: 'None' | 'Open' | 'Closed' = 'None'
  let isInAngle = false
  for (const token of [...tokens, separator]) {
    if (token.kind !== 'Special' || isInAngle || !/[,:;]/.test(token.text)) {
      mailbox.push(token)
      if (isSpecial('<')(token)) isInAngle = true
      else if (isSpecial('>')(token)) isInAngle = false
      continue
    }
    if (token.text === ':') {
      if (group !== 'None' || mailbox.length === 0 || !mailbox.every(isPhrase)) return null
      group = 'Open'
    } else {
      if (mailbox.length > 0 && (group === 'Closed' || !addDomains(mailbox, domains))) return null
      if (token.text === ';') {
        if (group !== 'Open') return null
        group = 'Closed'
      } else if (group === 'Closed') group = 'None'
    }
    mailbox = []
  }
  // A last mailbox with an angle bracket that never ends is still there.
  return mailbox.length > 0 || group === 'Open' ? null : domains
}

const separator: Token = { kind: 'Special', text: ',', adjacent: false }

const isSpecial =
  (text: string) =>
  (token: Token | undefined): boolean =>
    token?.kind === 'Special' && token.text === text

/** RFC 5322 §4.1 permits a dot in a phrase. */
const isPhrase = (token: Token): boolean => token.kind !== 'Special' || token.text === '.'

/** @returns false for a malformed mailbox */
function addDomains(mailbox: readonly Token[], domains: Set<string>): boolean {
  const angle = mailbox.findIndex(isSpecial('<'))
  const address = angle < 0 ? mailbox : mailbox.slice(angle + 1, -1)
  if (angle >= 0 && !isSpecial('>')(mailbox.at(-1))) return false
  const domain = domainOf(address)
  if (domain === null) return false
  domains.add(domain)
  const phrase = mailbox.slice(0, Math.max(angle, 0))
  const visibleDomain = domainInPhrase(phrase)
  if (visibleDomain !== null) domains.add(visibleDomain)
  return phrase
    .filter((token) => !isPhrase(token))
    .every((token, index) => index === 0 && isSpecial('@')(token))
}

/** @returns null unless the tokens are an addr-spec with a domain name */
function domainOf(address: readonly Token[]): string | null {
  const at = address.findIndex(isSpecial('@'))
  const [local, domain] = [address.slice(0, Math.max(at, 0)), address.slice(at + 1)]
  if (at < 1 || !isDotted(local) || !isDotted(domain) || domain.some(({ kind }) => kind === 'Quoted'))
    return null
  return normaliseDomain(domain.map(({ text }) => text).join(''))
}

/** Words with a dot between each two (RFC 5322 §4.4). */
const isDotted = (tokens: readonly Token[]): boolean =>
  tokens.length % 2 === 1 &&
  tokens.every((token, index) => (index % 2 === 1 ? isSpecial('.')(token) : token.kind !== 'Special'))

/** @returns the domain of what looks like an address in an unquoted display name, or null */
function domainInPhrase(phrase: readonly Token[]): string | null {
  const at = phrase.findIndex(isSpecial('@'))
  if (at < 0 || !phrase[at]?.adjacent) return null
  const rest = phrase.slice(at + 1)
  const end = rest.findIndex(({ adjacent }) => !adjacent)
  const domain = rest
    .slice(0, end < 0 ? rest.length : end)
    .map(({ text }) => text)
    .join('')
  return domain.includes('.') ? (normaliseDomain(domain) ?? domain) : null
}

/** @returns null for a comment, quoted string or literal without end, and for a control character */
function tokenize(value: string): Token[] | null {
  const tokens: Token[] = []
  let adjacent = false
  for (let at = 0; at < value.length; ) {
    const character = value[at] as string
    if (/[ \t\r\n]/.test(character)) {
      adjacent = false
      at += 1
    } else if (character === '(') {
      const end = endOfComment(value, at)
      if (end < 0) return null
      adjacent = false
      at = end
    } else {
      const token = tokenAt(value, at)
      if (token === null) return null
      tokens.push({ ...token, adjacent })
      adjacent = true
      at += token.text.length
    }
  }
  return tokens
}

const quoted = /"(?:[^"\\]|\\.)*"/sy
const word = /[^\p{Cc} ()<>[\]:;@\\,."]+/uy

function tokenAt(value: string, at: number): Omit<Token, 'adjacent'> | null {
  quoted.lastIndex = word.lastIndex = at
  const character = value[at] as string
  if (character === '"') {
    const text = quoted.exec(value)?.[0]
    return text === undefined ? null : { kind: 'Quoted', text }
  }
  // A domain literal names no domain, so that it is as good as malformed.
  if ('<>@,;:.'.includes(character)) return { kind: 'Special', text: character }
  const text = word.exec(value)?.[0]
  return text === undefined ? null : { kind: 'Word', text }
}

/** @returns the index after a comment, which may contain comments; -1 without end */
function endOfComment(value: string, begin: number): number {
  let depth = 0
  for (let at = begin; at < value.length; at++) {
    const character = value[at]
    if (character === '\\') at += 1
    else if (character === '(') depth += 1
    else if (character === ')' && --depth === 0) return at + 1
  }
  return -1
}
