/**
 * Checks a value as it is typed, with the verdicts of the API (shared/connectors/fields.ts). The API checks it again, and
 * checks certificates and rules about several fields. Pure.
 */
import { maxNameLength, nameFault } from '../../../../../shared/connectors/connector-name.ts'
import { normaliseDomain, normaliseDomainPattern } from '../../../../../shared/mail/domain.ts'

/** The form that the API stores, or what is wrong. */
export type Checked = { value: string } | { fault: string }

const checked = (value: string | null, fault: string): Checked => (value === null ? { fault } : { value })

const wildcardNote = (text: string): string =>
  text.replace(/^\*(\.|$)/, '').includes('*') ? ': a wildcard is the whole first label' : ''

export const checkPattern = (text: string): Checked =>
  checked(normaliseDomainPattern(text), `"${text}" is not a domain, "*.domain" or "*"${wildcardNote(text)}`)

export function checkCertificateName(text: string): Checked {
  const name = normaliseDomainPattern(text)
  return checked(
    name === '*' ? null : name,
    `"${text}" is not a host name or "*.domain"${wildcardNote(text)}`,
  )
}

export const checkDomain = (text: string): Checked =>
  checked(normaliseDomain(text), `"${text}" is not a domain`)

export const checkRange = (text: string): Checked =>
  checked(isIpRange(text) ? text : null, `"${text}" is not an IP address or a CIDR range`)

export const checkFingerprint = (text: string): Checked => {
  const digits = text.replaceAll(':', '').toLowerCase()
  return checked(
    /^[0-9a-f]{64}$/.test(digits) ? digits : null,
    `"${text}" is not a SHA-256 fingerprint (64 hexadecimal digits)`,
  )
}

export const checkTenant = (text: string): Checked => {
  const id = text.toLowerCase()
  return checked(
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? id : null,
    `"${text}" is not a tenant id, such as 72f988bf-86f1-41af-91ab-2d7cd011db47`,
  )
}

export function checkName(text: string): string | null {
  if (text === '') return 'A connector needs a name.'
  if (text.length > maxNameLength) return `At most ${maxNameLength} characters.`
  const fault = nameFault(text)
  return fault === null ? null : `The name ${fault}.`
}

/** `host`, `host:port`, `192.0.2.1`, `[2001:db8::1]:25` or `2001:db8::1`. */
export function parseHost(text: string): { host: string; port: number } | null {
  const [, bracketed, plain, port = '25'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const name = bracketed ?? plain ?? text
  const number = Number(port)
  if (number < 1 || number > 65_535) return null
  const host = isIp(name) ? name : bracketed === undefined ? normaliseDomain(name) : null
  return host === null ? null : { host, port: number }
}

/** The whole address: other software reads `10/8` in different ways. */
function isIpRange(text: string): boolean {
  const [address = '', bits = '0', ...rest] = text.split('/')
  if (rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false
  return isIpv4(address) ? Number(bits) <= 32 : isIpv6(address) && Number(bits) <= 128
}

const octet = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const ipv4Pattern = new RegExp(`^(?:${octet}\\.){3}${octet}$`)

const isIpv4 = (text: string): boolean => ipv4Pattern.test(text)

/** As the URL Standard reads it; a mapped IPv4 address has no leading zeros. */
const isIpv6 = (text: string): boolean =>
  /^[0-9a-f:.]+$/i.test(text) &&
  text.includes(':') &&
  URL.canParse(`ws://[${text}]`) &&
  (!text.includes('.') || isIpv4(text.slice(text.lastIndexOf(':') + 1)))

const isIp = (text: string): boolean => isIpv4(text) || isIpv6(text)
