/**
 * Decides to which addresses from untrusted DNS a connection may be made. The attack (SSRF): a name resolves to an
 * address in the deployment's own network or of a metadata service (169.254.169.254). The defence: an address must be
 * public, or in a network that the deployment lists. The caller connects to the checked address, and does not resolve
 * the name again.
 */
import ipaddr from 'ipaddr.js'

/**
 * Metadata services at addresses that are not link-local: Amazon EC2 and ECS by IPv6 (fd00:ec2::254, fd00:ec2::23), and
 * Alibaba Cloud. No listed network permits them.
 */
const metadataNetworks = ['fd00:ec2::/32', '100.100.100.200/32'].map((cidr) => ipaddr.parseCIDR(cidr))

/** @param privateNetworks CIDRs of permitted private networks */
export function createAddressFilter(privateNetworks: readonly string[]): (ip: string) => boolean {
  const networks = privateNetworks.map((cidr) => ipaddr.parseCIDR(cidr))
  return (ip) => {
    const address = ipaddr.process(ip)
    const isIn = ([network, bits]: [ipaddr.IPv4 | ipaddr.IPv6, number]) =>
      network.kind() === address.kind() && address.match(network, bits)
    if (metadataNetworks.some(isIn)) return false
    return address.range() === 'unicast' || networks.some(isIn)
  }
}
