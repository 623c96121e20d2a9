/** Where name servers are, as a deployment writes it. */
import { isIP } from 'node:net'

export interface NameServerAddress {
  ip: string
  port: number
}

const defaultPort = 53

/**
 * `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:5353`.
 * @throws Error naming what is none of these
 */
export function parseNameServer(text: string): NameServerAddress {
  // An IPv6 address without brackets has no port.
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? ['', '', text]
  const server = { ip: bracketed || (plain ?? ''), port: Number(port ?? defaultPort) }
  const family = isIP(server.ip)
  if (family === 0 || (bracketed && family !== 6) || server.port < 1 || server.port > 65_535)
    throw new Error(`"${text}" is not the address of a name server: address[:port] or [IPv6 address]:port`)
  return server
}
