/**
 * Writes Authentication-Results (RFC 8601) and Received-SPF (RFC 7208 §9.1). The attack: a client's text, such as a
 * HELO name or a selector, that ends a field or adds a result to it. The defence: every value is a domain name, an
 * address or another value of a narrow syntax; others are left out. Not covered: a true name that misleads.
 */
import { isIP } from 'node:net'
import type { AuthenticationResult, MessageAuthentication } from '../contract/authentication.ts'
import { normaliseDomain } from '../mail/domain.ts'

export interface SpfOutcome {
  result: AuthenticationResult
  /** What was checked (RFC 7208 §2.4). */
  identity: 'mailfrom' | 'helo'
  domain: string
}

export interface SignatureOutcome {
  result: AuthenticationResult
  domain: string
  selector: string
  aligned: boolean
  algorithm: string
  /** The tag b=, base64. */
  signature: string
}

export type DmarcOutcome = NonNullable<MessageAuthentication['dmarc']> & {
  /** A fixed text, or null. */
  reason: string | null
}

export type ArcOutcome = NonNullable<MessageAuthentication['arc']>

export interface Outcomes {
  spf: SpfOutcome
  dkim: readonly SignatureOutcome[]
  dmarc: DmarcOutcome
  arc: ArcOutcome
  /** Why the signatures could not be read, a fixed text; usually null. */
  unreadable: string | null
}

export interface Session {
  ip: string
  helo: string
  mailFrom: string
  /** The name of this gateway. */
  hostname: string
}

/** Returns what follows the field's name: the gateway's name, and a line for each result. */
export function authenticationResults({ hostname, ip }: Session, outcomes: Outcomes): string {
  const { spf, dkim, dmarc, arc, unreadable } = outcomes
  const results = [
    `spf=${spf.result}${property(`smtp.${spf.identity}`, domainValue(spf.domain))}`,
    ...(unreadable === null ? dkim.map(dkimResult) : [`dkim=permerror reason="${unreadable}"`]),
    ...(unreadable === null && dkim.length === 0 ? ['dkim=none'] : []),
    `dmarc=${dmarc.result}${dmarc.reason === null ? '' : ` reason="${dmarc.reason}"`}${
      property('policy.dmarc', dmarc.policy) + property('header.from', domainValue(dmarc.fromDomain ?? ''))
    }`,
    `arc=${arc.result}${property('smtp.remote-ip', addressValue(ip))}`,
  ]
  return [hostname, ...results].join(';\r\n ')
}

const dkimResult = ({ result, domain, selector, algorithm, signature }: SignatureOutcome): string =>
  `dkim=${result}${property('header.d', domainValue(domain))}${property('header.s', selectorOf(selector))}${
    property('header.a', /^(?:rsa|ed25519)-sha(?:1|256)$/.test(algorithm) ? algorithm : null) +
    // RFC 6008 §4: the first characters distinguish signatures of one domain.
    property('header.b', /^[A-Za-z0-9+/]{8}/.test(signature) ? `"${signature.slice(0, 8)}"` : null)
  }`

const property = (name: string, value: string | null): string => (value === null ? '' : ` ${name}=${value}`)

const domainValue = (name: string): string | null => normaliseDomain(name)

/** Labels as of a domain name, but all may be digits, as in `20230601` (RFC 6376 §3.1). @returns null for another text */
export const selectorOf = (text: string): string | null =>
  text.length <= 253 && /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/i.test(text) ? text.toLowerCase() : null

/** RFC 2045 §5.1: a token has no colon. */
const addressValue = (ip: string): string | null =>
  isIP(ip) === 0 ? null : ip.includes(':') ? `"${ip}"` : ip

/** RFC 7208 §9.1, with the name and the line's end. */
export function receivedSpf(
  { ip, helo, mailFrom, hostname }: Session,
  { result, identity, domain }: SpfOutcome,
): string {
  const pairs = [
    property('receiver', hostname),
    property('client-ip', addressValue(ip)),
    property('envelope-from', mailFrom === '' ? null : quotedValue(mailFrom)),
    property('helo', domainValue(helo) ?? quotedValue(helo)),
    property('identity', identity),
  ].filter((pair) => pair !== '')
  const explanation = explanations[result]
  const comment = `(${hostname}: ${explanation.replace('DOMAIN', domainValue(domain) ?? 'the sender')})`
  return `Received-SPF: ${result} ${comment}\r\n${pairs.join(';\r\n')}\r\n`
}

const explanations: Record<AuthenticationResult, string> = {
  pass: 'DOMAIN permits the client',
  fail: 'DOMAIN does not permit the client',
  softfail: 'DOMAIN probably does not permit the client',
  neutral: 'DOMAIN makes no statement about the client',
  none: 'DOMAIN has no SPF record',
  temperror: 'a DNS query failed',
  permerror: 'the SPF record of DOMAIN is invalid',
  policy: 'not evaluated',
}

const maxQuotedOctets = 320

/** A quoted-string (RFC 5322 §3.2.4); null for a text with other characters than printable ASCII. */
const quotedValue = (text: string): string | null =>
  text.length <= maxQuotedOctets && /^[\x20-\x7e]+$/.test(text)
    ? `"${text.replace(/["\\]/g, (character) => `\\${character}`)}"`
    : null
