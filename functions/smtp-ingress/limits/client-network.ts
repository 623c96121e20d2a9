/** Whom an address is counted as. */
import ipaddr from 'ipaddr.js'

/**
 * An IPv4 address is one client. Of IPv6, a client has a /64 at least (RFC 4291 §2.5.1: its interface identifiers) and
 * may change within it as often as it likes.
 * @param ip in any of its spellings
 * @returns `192.0.2.1`, or `2001:db8:1:2::/64`; what is no address stands for itself
 */
export function clientNetwork(ip: string): string {
  // Most are IPv4 and stay as they are.
  if (!ip.includes(':')) return ip
  try {
    const address = ipaddr.process(ip)
    if (!('parts' in address)) return address.toString()
    const network = new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0])
    return `${network.toString()}/64`
  } catch {
    return ip
  }
}
