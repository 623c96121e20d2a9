/**
 * Finds OnPremises connectors that identify strangers as the organisation's own servers, which makes the gateway an
 * open relay. A listed address may relay with or without a certificate, so a certificate beside it protects nothing.
 * Not covered: a provider that shared-providers.ts does not list, and a pinned certificate of a provider.
 */
import type { Fault } from '../contract/schema-faults.ts'
import { IpRanges } from './ip-ranges.ts'
import { providerOfName, providerOfRange, type SharedProvider } from './shared-providers.ts'

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
  exchangeOnline: object | null
}

const identifiesServers = ({
  connectorType,
  enabled,
}: Pick<IdentifyingFields, 'connectorType' | 'enabled'>) => connectorType === 'OnPremises' && enabled

type AddressFields = Pick<IdentifyingFields, 'connectorType' | 'enabled' | 'senderIpAddresses'>

/**
 * @param connector whose ranges are valid
 * @returns why its addresses make the gateway an open relay; null if they do not
 */
export function openRelayByAddress(connector: AddressFields): string | null {
  return identifiesServers(connector)
    ? (wideRangesFault(connector.senderIpAddresses) ?? sharedNetworkFault(connector.senderIpAddresses))
    : null
}

function wideRangesFault(senderIpAddresses: readonly string[]): string | null {
  const ranges = senderIpAddresses.map((range) => [range, null] as const)
  const { ipv4, ipv6 } = new IpRanges(ranges).addressCounts()
  const excess = [
    ipv4 > maxIpv4Addresses ? 'an IPv4 /8' : '',
    ipv6 > maxIpv6Addresses ? 'an IPv6 /32' : '',
  ].filter(Boolean)
  if (excess.length === 0) return null
  return `the ranges together are wider than ${excess.join(' and ')}, and each address in them may relay: list only the addresses of your servers, or identify the servers by certificate alone`
}

function sharedNetworkFault(senderIpAddresses: readonly string[]): string | null {
  const shared = findShared(senderIpAddresses, providerOfRange)
  return shared && sharedFault(shared, 'list only the addresses of your servers')
}

/** @returns why its certificate names make the gateway an open relay; null if they do not */
export function openRelayByName(connector: Omit<IdentifyingFields, 'senderIpAddresses'>): string | null {
  if (!identifiesServers(connector)) return null
  return topLevelFault(connector) ?? sharedNameFault(connector)
}

function topLevelFault({
  tlsSenderCertificateNames,
  certificateAuthorities,
}: Omit<IdentifyingFields, 'senderIpAddresses'>): string | null {
  if (certificateAuthorities.length > 0) return null
  const name = tlsSenderCertificateNames.find((pattern) => topLevelWildcard.test(pattern))
  if (name === undefined) return null
  return `${name} matches certificates of strangers, who may then relay: name your own hosts, or set certificateAuthorities`
}

/**
 * Holds with certificateAuthorities, too: an authority of the organisation issues no certificate for such a name, and
 * another authority may be the one that the provider uses.
 */
function sharedNameFault(connector: Omit<IdentifyingFields, 'senderIpAddresses'>): string | null {
  if (connector.exchangeOnline !== null) return null
  const shared = findShared(connector.tlsSenderCertificateNames, providerOfName)
  return shared && sharedFault(shared, 'name only your own hosts')
}

interface Shared {
  value: string
  provider: SharedProvider
}

/** @returns the first value that a provider shares among its customers; null if there is none */
export function findShared(
  values: readonly string[],
  providerOf: (value: string) => SharedProvider | null,
): Shared | null {
  for (const value of values) {
    const provider = providerOf(value)
    if (provider !== null) return { value, provider }
  }
  return null
}

function sharedFault({ value, provider }: Shared, advice: string): string {
  const alternative = provider.isExchangeOnline
    ? 'for your tenant, set exchangeOnline to its tenant id, and tlsSenderCertificateNames to mail.protection.outlook.com alone'
    : `mail that your servers send through ${provider.name} has to come from a server of your own instead`
  return `${value} is shared by all customers of ${provider.name}, and each of them may relay: ${advice}; ${alternative}`
}

export const openRelayFaults = (connector: IdentifyingFields): Fault[] =>
  Object.entries({
    tlsSenderCertificateNames: openRelayByName(connector),
    senderIpAddresses: openRelayByAddress(connector),
  }).flatMap(([path, message]) => (message === null ? [] : [{ path, message }]))
