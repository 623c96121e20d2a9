/** Parses the target: `HOST`, `HOST:PORT`, an IPv4 address, or an IPv6 address in brackets. */
import { isIP, isIPv4, isIPv6 } from 'node:net'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { UsageError } from '../command-error.ts'

export interface Target {
  /** A name in comparable form, or an IP address. */
  readonly host: string
  readonly port: number
}

const smtpPort = 25

/** @throws UsageError */
export function parseTarget(text: string): Target {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text) ?? []
  // An IPv6 address without brackets has no port.
  if (isIPv6(text)) return { host: text, port: smtpPort }
  if (bracketed !== undefined && !isIPv6(bracketed))
    throw new UsageError(`${text}: ${bracketed} is not an IPv6 address`)
  const host = bracketed ?? (isIPv4(plain ?? '') ? plain : normaliseDomain(plain ?? ''))
  if (!host)
    throw new UsageError(`${text}: not a host; examples: mx.example.com, 192.0.2.1:587, [2001:db8::1]:25`)
  return { host, port: parsePort(text, port) }
}

function parsePort(text: string, port: string | undefined): number {
  if (port === undefined) return smtpPort
  const number = Number(port)
  if (/^\d{1,5}$/.test(port) && number >= 1 && number <= 65_535) return number
  throw new UsageError(`${text}: "${port}" is not a port from 1 to 65535`)
}

export const targetText = ({ host, port }: Target): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

/** Returns the name that the certificate must have; null for an IP address. */
export const expectedNameOf = ({ host }: Target): string | null => (isIP(host) ? null : host)
