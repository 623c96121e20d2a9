/**
 * Domain names and domain patterns as connectors write them: compared as lower-case A-labels without a trailing
 * dot, so that U-labels, A-labels and letter case never make two names out of one (RFC 5890 §2.3.2.4).
 */
import { domainToASCII } from 'node:url'

const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/**
 * domainToASCII reads its argument as the host of a URL: it would end it at a slash, decode a percent sign and
 * pass over tabs, and so make a partner's name out of something longer.
 */
const neverInNames = /[^\P{Cc}]|[ /\\?#%:@[\]]/u

/**
 * Names that domainToASCII would give back in lower case, nothing else: ASCII throughout, no label that could be
 * Punycode, and a last label that cannot end an IPv4 address. Nearly every name is, and costs a tenth so.
 */
const plain = /^(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*[a-z][a-z0-9_-]{0,62}(?<!-)$/i

/**
 * The comparable form of a domain name, or null when it is not one (RFC 1035 §2.3.4: labels of 1–63 octets,
 * 253 octets in all).
 */
export function normaliseDomain(name: string): string | null {
  if (name.length <= 253 && plain.test(name) && !name.includes('--')) return name.toLowerCase()
  if (neverInNames.test(name)) return null
  // The dot at the end goes last: an ideographic full stop has only now become one.
  const ascii = domainToASCII(name).toLowerCase().replace(/\.$/, '')
  if (ascii === '' || ascii.length > 253) return null
  // domainToASCII reads `127.1` or `0x7f000001` as an IPv4 address; a mail domain is never one.
  if (/^[\d.]+$/.test(ascii)) return null
  return ascii.split('.').every((part) => label.test(part)) ? ascii : null
}

/** The comparable form of `example.com`, `*.example.com` or `*`, or null. */
export function normaliseDomainPattern(pattern: string): string | null {
  if (pattern === '*') return '*'
  const wildcard = pattern.startsWith('*.')
  const domain = normaliseDomain(wildcard ? pattern.slice(2) : pattern)
  if (domain === null) return null
  return wildcard ? `*.${domain}` : domain
}

/** `*.example.com` matches example.com and every subdomain, as Exchange's connectors read it. */
export function domainMatchesPattern(domain: string, pattern: string): boolean {
  if (pattern === '*') return true
  if (!pattern.startsWith('*.')) return domain === pattern
  const suffix = pattern.slice(2)
  return domain === suffix || domain.endsWith(`.${suffix}`)
}
