/**
 * Addresses of name servers, as a deployment writes them. The attack: a network attacker blocks a server that uses TLS,
 * so that another is queried in the clear, and forges its answer. The defence: a list has servers of one kind only, and
 * a server with TLS has a name that its certificate must contain.
 */
import { isIP } from 'node:net'

export interface NameServerAddress {
  ip: string
  port: number
  /** Lower-case name for its certificate; null for a server without TLS. */
  tlsName: string | null
}

const clearPort = 53
/** RFC 7858 §3.1. */
const tlsPort = 853

/**
 * `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:5353`; by TLS
 * `tls://192.0.2.1#dns.example`, `tls://192.0.2.1:8853#dns.example` or `tls://[2001:db8::1]#dns.example`.
 * @throws Error that names the invalid text
 */
export function parseNameServer(text: string): NameServerAddress {
  return /^tls:/i.test(text) ? parseTls(text) : parseClear(text)
}

/** @throws Error that names an invalid address, or two servers of which only one uses TLS */
export function parseNameServers(texts: readonly string[]): NameServerAddress[] {
  const servers = texts.map(parseNameServer)
  const [byTls, inTheClear] = [true, false].map((tls) =>
    servers.findIndex(({ tlsName }) => (tlsName !== null) === tls),
  ) as [number, number]
  if (byTls >= 0 && inTheClear >= 0)
    throw new Error(
      `"${texts[byTls]}" uses TLS and "${texts[inTheClear]}" does not: an attacker who blocks the first could answer in place of the second. Write tls:// before all of them or before none`,
    )
  return servers
}

function parseClear(text: string): NameServerAddress {
  // An IPv6 address without brackets has no port.
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? ['', '', text]
  const server = place(bracketed, plain, port ?? clearPort)
  if (server === null)
    throw new Error(
      `"${text}" is not the address of a name server: use address[:port], [IPv6 address]:port or tls://address[:port]#name`,
    )
  return { ...server, tlsName: null }
}

/** RFC 8310 §7.1: both address and name come from the configuration. */
function parseTls(text: string): NameServerAddress {
  const wrong = (why: string) =>
    new Error(`"${text}" is not the address of a name server by TLS, tls://address[:port]#name: ${why}`)
  const [, bracketed, plain, port, tlsName] =
    /^tls:\/\/(?:\[([^\]]*)\]|([^:#]*))(?::(\d{1,5}))?(?:#(.*))?$/i.exec(text) ?? []
  const server = place(bracketed, plain, port ?? tlsPort)
  if (server === null) throw wrong('an address with a port is needed, IPv6 in brackets')
  if (!tlsName) throw wrong('the name in its certificate is needed: #name')
  if (!isHostName(tlsName)) throw wrong(`"${tlsName}" is not a host name`)
  return { ...server, tlsName: tlsName.toLowerCase() }
}

function place(
  bracketed: string | undefined,
  plain: string | undefined,
  port: string | number,
): { ip: string; port: number } | null {
  const server = { ip: bracketed || (plain ?? ''), port: Number(port) }
  const family = isIP(server.ip)
  const isPlace = family !== 0 && (!bracketed || family === 6) && server.port >= 1 && server.port <= 65_535
  return isPlace ? server : null
}

/** A name of A-labels. The letter at the start of its last label distinguishes it from an IPv4 address. */
const isHostName = (name: string): boolean =>
  name.length <= 253 &&
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(name)
