/**
 * Which addresses may be connected to that were found in a stranger's DNS. The attack: whoever runs a name aims us at
 * our own network, or at a metadata service (169.254.169.254). The defence: an address must be public, or lie in a
 * network that the deployment lists, and it is this address that is connected to, not the name again.
 */
import ipaddr from 'ipaddr.js'

/** @param privateNetworks CIDRs */
export function addressFilter(privateNetworks: readonly string[]): (ip: string) => boolean {
  const networks = privateNetworks.map((cidr) => ipaddr.parseCIDR(cidr))
  return (ip) => {
    const address = ipaddr.process(ip)
    if (address.range() === 'unicast') return true
    return networks.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    )
  }
}
