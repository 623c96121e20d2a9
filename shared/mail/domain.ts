/**
 * Domain names and the domain patterns of connectors. They are compared as lower-case A-labels without a trailing dot.
 * So U-labels, A-labels and letter case do not distinguish two spellings of one name (RFC 5890 §2.3.2.4). The console
 * uses this file, too.
 */

const labelPattern = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/**
 * Refused before domainToASCII, which parses a URL's host: it stops at a slash, decodes a percent sign and skips tabs.
 * So without this check a different text could become a partner's name.
 */
const forbiddenCharacters = /[^\P{Cc}]|[ /\\?#%:@[\]]/u

/**
 * Names that domainToASCII only lower-cases, unless they contain `--` (Punycode): ASCII, with a last label that cannot
 * end an IPv4 address. Nearly all names match, and this test takes a tenth of the conversion's time.
 */
const simpleName = /^(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*[a-z][a-z0-9_-]{0,62}(?<!-)$/i

/** As in node:url. The URL Standard converts the host of a URL in this way, in Node and in browsers. */
function domainToASCII(name: string): string {
  try {
    return new URL(`ws://${name}`).hostname
  } catch {
    return ''
  }
}

/** Returns the comparable form of a domain name, or null (RFC 1035 §2.3.4: labels of 1–63 octets, 253 in all). */
export function normaliseDomain(name: string): string | null {
  if (name.length <= 253 && simpleName.test(name) && !name.includes('--')) return name.toLowerCase()
  if (forbiddenCharacters.test(name)) return null
  // The trailing dot is removed last: domainToASCII turns an ideographic full stop into a dot.
  const ascii = domainToASCII(name).toLowerCase().replace(/\.$/, '')
  if (ascii === '' || ascii.length > 253) return null
  // domainToASCII reads `127.1` or `0x7f000001` as an IPv4 address, which is never a mail domain.
  if (/^[\d.]+$/.test(ascii)) return null
  return ascii.split('.').every((part) => labelPattern.test(part)) ? ascii : null
}

/** Returns the comparable form of `example.com`, `*.example.com` or `*`, or null. */
export function normaliseDomainPattern(pattern: string): string | null {
  if (pattern === '*') return '*'
  const wildcard = pattern.startsWith('*.')
  const domain = normaliseDomain(wildcard ? pattern.slice(2) : pattern)
  if (domain === null) return null
  return wildcard ? `*.${domain}` : domain
}

/** As in Exchange, `*.example.com` matches example.com and every subdomain. */
export function domainMatchesPattern(domain: string, pattern: string): boolean {
  if (pattern === '*') return true
  if (!pattern.startsWith('*.')) return domain === pattern
  const suffix = pattern.slice(2)
  return domain === suffix || domain.endsWith(`.${suffix}`)
}
