/** Maps an address to the client to which limits apply. */
import ipaddr from 'ipaddr.js'

/**
 * An IPv4 address is one client. An IPv6 client has at least a /64 (RFC 4291 §2.5.1: interface identifiers) and may
 * change its address within it at will.
 * @param ip in any spelling
 * @returns `192.0.2.1`, or `2001:db8:1:2::/64`; an invalid address unchanged
 */
export function clientNetwork(ip: string): string {
  // Fast path for IPv4.
  if (!ip.includes(':')) return ip
  const known = networks.get(ip)
  if (known !== undefined) return known
  const network = parseNetwork(ip)
  if (networks.size >= maxNetworks) networks.clear()
  networks.set(ip, network)
  return network
}

/** Parsing costs more than everything else that a limit needs. */
const networks = new Map<string, string>()
const maxNetworks = 4096

function parseNetwork(ip: string): string {
  try {
    const address = ipaddr.process(ip)
    if (!('parts' in address)) return address.toString()
    const network = new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0])
    return `${network.toString()}/64`
  } catch {
    return ip
  }
}
