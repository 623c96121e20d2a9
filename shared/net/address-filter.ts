/**
 * Decides to which addresses from untrusted DNS a connection may be made. The attack (SSRF): a name resolves to an
 * address in the deployment's own network or of a metadata service (169.254.169.254). The defence: an address must be
 * public, or in a network that the deployment lists. The caller connects to the checked address, and does not resolve
 * the name again.
 */
import ipaddr from 'ipaddr.js'

/** @param privateNetworks CIDRs of permitted private networks */
export function createAddressFilter(privateNetworks: readonly string[]): (ip: string) => boolean {
  const networks = privateNetworks.map((cidr) => ipaddr.parseCIDR(cidr))
  return (ip) => {
    const address = ipaddr.process(ip)
    if (address.range() === 'unicast') return true
    return networks.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    )
  }
}
