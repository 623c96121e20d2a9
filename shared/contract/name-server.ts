/**
 * Addresses of name servers, as a deployment writes them. The attack: a network attacker blocks a server that uses TLS,
 * so that mailflow queries another server in the clear, and forges its response. The defence: either all servers of a
 * list use TLS or none, and a server with TLS has a name that its certificate must contain.
 */
import { isIP } from 'node:net'

export interface NameServerAddress {
  ip: string
  port: number
  /** The name that the server's certificate must contain, in lower case; null for a server without TLS. */
  tlsName: string | null
}

const dnsPort = 53
/** RFC 7858 §3.1 */
const dnsOverTlsPort = 853

/**
 * Parses `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:5353`; with TLS
 * `tls://192.0.2.1#dns.example`, `tls://192.0.2.1:8853#dns.example` or `tls://[2001:db8::1]#dns.example`.
 * @throws Error that names the invalid text
 */
export function parseNameServer(text: string): NameServerAddress {
  return /^tls:/i.test(text) ? parseWithTls(text) : parseWithoutTls(text)
}

/** @throws Error that names an invalid address, or two servers of which only one uses TLS */
export function parseNameServers(texts: readonly string[]): NameServerAddress[] {
  const servers = texts.map(parseNameServer)
  const [firstWithTls, firstInTheClear] = [true, false].map((tls) =>
    servers.findIndex(({ tlsName }) => (tlsName !== null) === tls),
  ) as [number, number]
  if (firstWithTls >= 0 && firstInTheClear >= 0)
    throw new Error(
      `"${texts[firstWithTls]}" uses TLS and "${texts[firstInTheClear]}" does not: an attacker who blocks the first could forge responses of the second. Write tls:// before all of them or before none`,
    )
  return servers
}

function parseWithoutTls(text: string): NameServerAddress {
  // An IPv6 address without brackets has no port.
  const [, bracketed, unbracketed, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [
    '',
    '',
    text,
  ]
  const server = parseEndpoint(bracketed, unbracketed, port ?? dnsPort)
  if (server === null)
    throw new Error(
      `"${text}" is not the address of a name server: use address[:port], [IPv6 address]:port or tls://address[:port]#name`,
    )
  return { ...server, tlsName: null }
}

/** RFC 8310 §7.1: both address and name come from the configuration. */
function parseWithTls(text: string): NameServerAddress {
  const invalid = (reason: string) =>
    new Error(`"${text}" is not the address of a name server with TLS, tls://address[:port]#name: ${reason}`)
  const [, bracketed, unbracketed, port, tlsName] =
    /^tls:\/\/(?:\[([^\]]*)\]|([^:#]*))(?::(\d{1,5}))?(?:#(.*))?$/i.exec(text) ?? []
  const server = parseEndpoint(bracketed, unbracketed, port ?? dnsOverTlsPort)
  if (server === null) throw invalid('an address is required, IPv6 in brackets')
  if (!tlsName) throw invalid('the name in its certificate is required: #name')
  if (!isHostName(tlsName)) throw invalid(`"${tlsName}" is not a host name`)
  return { ...server, tlsName: tlsName.toLowerCase() }
}

function parseEndpoint(
  bracketed: string | undefined,
  unbracketed: string | undefined,
  port: string | number,
): { ip: string; port: number } | null {
  const server = { ip: bracketed || (unbracketed ?? ''), port: Number(port) }
  const family = isIP(server.ip)
  const isValid = family !== 0 && (!bracketed || family === 6) && server.port >= 1 && server.port <= 65_535
  return isValid ? server : null
}

/** A name of A-labels. The letter at the start of its last label distinguishes it from an IPv4 address. */
const isHostName = (name: string): boolean =>
  name.length <= 253 &&
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(name)
