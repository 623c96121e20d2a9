/**
 * Finds OnPremises connectors that identify strangers as the organisation's own servers, which makes the gateway an
 * open relay. A listed address may relay with or without a certificate, so a certificate beside it protects nothing.
 * Not covered: a name or a network that a provider shares among its customers.
 */
import type { Fault } from '../contract/schema-faults.ts'
import { IpRanges } from './ip-ranges.ts'

/** A /8. The largest network that one organisation has. */
const maxIpv4Addresses = 2n ** 24n
/** A /32. What a registry allocates to a whole internet provider. */
const maxIpv6Addresses = 2n ** 96n

/** A wildcard for a whole top-level domain. Anyone can get a certificate for a name below it. */
const topLevelWildcard = /^\*\.[^.]+$/

interface IdentifyingFields {
  connectorType: string
  enabled: boolean
  senderIpAddresses: readonly string[]
  tlsSenderCertificateNames: readonly string[]
  certificateAuthorities: readonly string[]
}

const identifiesServers = ({
  connectorType,
  enabled,
}: Pick<IdentifyingFields, 'connectorType' | 'enabled'>) => connectorType === 'OnPremises' && enabled

/**
 * @param connector whose ranges are valid
 * @returns why its addresses make the gateway an open relay; null if they do not
 */
export function openRelayByAddress(
  connector: Pick<IdentifyingFields, 'connectorType' | 'enabled' | 'senderIpAddresses'>,
): string | null {
  if (!identifiesServers(connector)) return null
  const ranges = connector.senderIpAddresses.map((range) => [range, null] as const)
  const { ipv4, ipv6 } = new IpRanges(ranges).addressCounts()
  const excess = [
    ipv4 > maxIpv4Addresses ? 'an IPv4 /8' : '',
    ipv6 > maxIpv6Addresses ? 'an IPv6 /32' : '',
  ].filter(Boolean)
  if (excess.length === 0) return null
  return `the ranges together are wider than ${excess.join(' and ')}, and each address in them may relay: list only the addresses of your servers, or identify the servers by certificate alone`
}

/** @returns why its certificate names make the gateway an open relay; null if they do not */
export function openRelayByName(connector: Omit<IdentifyingFields, 'senderIpAddresses'>): string | null {
  if (!identifiesServers(connector) || connector.certificateAuthorities.length > 0) return null
  const name = connector.tlsSenderCertificateNames.find((pattern) => topLevelWildcard.test(pattern))
  if (name === undefined) return null
  return `${name} matches certificates of strangers, who may then relay: name your own hosts, or set certificateAuthorities`
}

export const openRelayFaults = (connector: IdentifyingFields): Fault[] =>
  Object.entries({
    tlsSenderCertificateNames: openRelayByName(connector),
    senderIpAddresses: openRelayByAddress(connector),
  }).flatMap(([path, message]) => (message === null ? [] : [{ path, message }]))
