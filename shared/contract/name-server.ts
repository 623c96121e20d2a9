/**
 * Where name servers are, as a deployment writes it. The attack: whoever keeps us from a server that is asked by TLS
 * would have us ask another in the clear, and answers in its place. The defence: a list has servers of one kind only,
 * and a server that is asked by TLS has the name that its certificate must be for.
 */
import { isIP } from 'node:net'

export interface NameServerAddress {
  ip: string
  port: number
  /** The name in its certificate, in lower case, where it is asked by TLS only; null: in the clear. */
  tlsName: string | null
}

const clearPort = 53
/** RFC 7858 §3.1. */
const tlsPort = 853

/**
 * `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:5353`; by TLS
 * `tls://192.0.2.1#dns.example`, `tls://192.0.2.1:8853#dns.example` or `tls://[2001:db8::1]#dns.example`.
 * @throws Error naming what is none of these
 */
export function parseNameServer(text: string): NameServerAddress {
  return /^tls:/i.test(text) ? parseTls(text) : parseClear(text)
}

/**
 * @throws Error naming the one that is no address, or two of which one is asked by TLS and one is not
 */
export function parseNameServers(texts: readonly string[]): NameServerAddress[] {
  const servers = texts.map(parseNameServer)
  const [byTls, inTheClear] = [true, false].map((tls) =>
    servers.findIndex(({ tlsName }) => (tlsName !== null) === tls),
  ) as [number, number]
  if (byTls >= 0 && inTheClear >= 0)
    throw new Error(
      `"${texts[byTls]}" is asked by TLS and "${texts[inTheClear]}" is not: whoever blocks the first would have the second asked, so either all of them have tls:// or none`,
    )
  return servers
}

function parseClear(text: string): NameServerAddress {
  // An IPv6 address without brackets has no port.
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? ['', '', text]
  const server = place(bracketed, plain, port ?? clearPort)
  if (server === null)
    throw new Error(
      `"${text}" is not the address of a name server: address[:port], [IPv6 address]:port or tls://address[:port]#name`,
    )
  return { ...server, tlsName: null }
}

/** RFC 8310 §7.1: address and name both come from the configuration. */
function parseTls(text: string): NameServerAddress {
  const wrong = (why: string) =>
    new Error(`"${text}" is not the address of a name server by TLS, tls://address[:port]#name: ${why}`)
  const [, bracketed, plain, port, tlsName] =
    /^tls:\/\/(?:\[([^\]]*)\]|([^:#]*))(?::(\d{1,5}))?(?:#(.*))?$/i.exec(text) ?? []
  const server = place(bracketed, plain, port ?? tlsPort)
  if (server === null) throw wrong('an address with a port is needed, IPv6 in brackets')
  if (!tlsName) throw wrong('the name in its certificate is needed, since any server has some certificate')
  if (!isHostName(tlsName)) throw wrong(`"${tlsName}" is not a host name`)
  return { ...server, tlsName: tlsName.toLowerCase() }
}

/** @param plain an address without brackets */
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

/** A-labels; the last one tells a name from an IPv4 address. */
const isHostName = (name: string): boolean =>
  name.length <= 253 &&
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(name)
