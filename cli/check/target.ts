/** Which server is meant: `HOST`, `HOST:PORT`, an IPv4 address, or an IPv6 address in brackets. */
import { isIP, isIPv4, isIPv6 } from 'node:net'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { UsageFault } from '../faults.ts'

export interface Target {
  /** A name in comparable form, or an address. */
  readonly host: string
  readonly port: number
}

const smtpPort = 25

/** @throws UsageFault */
export function targetOf(text: string): Target {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text) ?? []
  // Whoever leaves the brackets out means no port.
  if (isIPv6(text)) return { host: text, port: smtpPort }
  if (bracketed !== undefined && !isIPv6(bracketed))
    throw new UsageFault(`${text}: ${bracketed} is not an IPv6 address`)
  const host = bracketed ?? (isIPv4(plain ?? '') ? plain : normaliseDomain(plain ?? ''))
  if (!host)
    throw new UsageFault(`${text}: not a host, such as mx.example.com, 192.0.2.1:587 or [2001:db8::1]:25`)
  return { host, port: portOf(text, port) }
}

function portOf(text: string, port: string | undefined): number {
  if (port === undefined) return smtpPort
  const number = Number(port)
  if (/^\d{1,5}$/.test(port) && number >= 1 && number <= 65_535) return number
  throw new UsageFault(`${text}: "${port}" is not a port from 1 to 65535`)
}

export const shownTarget = ({ host, port }: Target): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

/** The name that the certificate is to have; null for an address, which has none. */
export const nameOf = ({ host }: Target): string | null => (isIP(host) ? null : host)
