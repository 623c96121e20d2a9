/**
 * Finds OnPremises connectors that admit so many addresses that they make the gateway an open relay. A listed address
 * may relay, with or without a certificate, so a certificate beside it protects nothing.
 */
import { IpRanges } from './ip-ranges.ts'

/** A /8. The largest network that one organisation has. */
const maxIpv4Addresses = 2n ** 24n
/** A /32. What a registry allocates to a whole internet provider. */
const maxIpv6Addresses = 2n ** 96n

/**
 * @param connector whose ranges are valid
 * @returns why the connector would be an open relay; null if it is not
 */
export function openRelayFault(connector: {
  connectorType: string
  enabled: boolean
  senderIpAddresses: readonly string[]
}): string | null {
  const { connectorType, enabled, senderIpAddresses } = connector
  if (connectorType !== 'OnPremises' || !enabled) return null
  const { ipv4, ipv6 } = new IpRanges(senderIpAddresses.map((range) => [range, null])).addressCounts()
  const excess = [
    ipv4 > maxIpv4Addresses ? 'an IPv4 /8' : '',
    ipv6 > maxIpv6Addresses ? 'an IPv6 /32' : '',
  ].filter(Boolean)
  if (excess.length === 0) return null
  return `the ranges together are wider than ${excess.join(' and ')}, and each address in them may relay: list only the addresses of your servers, or identify the servers by certificate alone`
}
