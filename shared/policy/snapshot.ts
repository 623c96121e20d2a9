/**
 * Connectors compiled for deciding: maps by exact domain and by wildcard suffix, so that the cost of a decision
 * follows the number of labels in a domain, not the number of connectors.
 */
import ipaddr from 'ipaddr.js'
import type { AcceptedDomain, InboundConnector, OutboundConnector } from '../connectors/schema.ts'

export interface Snapshot {
  version: number
  acceptedDomains: ReadonlySet<string>
  partners: DomainIndex<InboundRule>
  /** OnPremises inbound connectors in the order in which they are asked. */
  onPremises: readonly InboundRule[]
  outbound: DomainIndex<OutboundConnector>
  /** Outbound connectors for every accepted domain. */
  allAcceptedDomains: readonly OutboundConnector[]
  connectorsById: ReadonlyMap<string, InboundConnector | OutboundConnector>
}

/** An inbound connector with its addresses read. */
export interface InboundRule {
  connector: InboundConnector
  ranges: readonly IpRange[]
}

type IpRange = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

export interface DomainIndex<T> {
  exact: ReadonlyMap<string, readonly T[]>
  /** `*.example.com` under `example.com`. */
  wildcard: ReadonlyMap<string, readonly T[]>
  everyone: readonly T[]
}

export interface ConnectorSet {
  version: number
  inbound: readonly InboundConnector[]
  outbound: readonly OutboundConnector[]
  acceptedDomains: readonly Pick<AcceptedDomain, 'domain'>[]
}

export function compileSnapshot({ version, inbound, outbound, acceptedDomains }: ConnectorSet): Snapshot {
  const rules = inbound
    .filter(({ enabled }) => enabled)
    .sort(byRestrictionsThenName)
    .map((connector) => ({ connector, ranges: connector.senderIpAddresses.map(parseRange) }))
  const enabledOutbound = outbound.filter(({ enabled }) => enabled).sort(byDemandThenName)
  return {
    version,
    acceptedDomains: new Set(acceptedDomains.map(({ domain }) => domain)),
    partners: indexByDomain(
      rules.filter(({ connector }) => connector.connectorType === 'Partner'),
      ({ connector }) => connector.senderDomains,
    ),
    onPremises: rules.filter(({ connector }) => connector.connectorType === 'OnPremises'),
    outbound: indexByDomain(enabledOutbound, ({ recipientDomains }) => recipientDomains),
    allAcceptedDomains: enabledOutbound.filter(({ allAcceptedDomains }) => allAcceptedDomains),
    connectorsById: new Map([...inbound, ...outbound].map((connector) => [connector.id, connector])),
  }
}

/** The connectors for a domain, most specific first: exact, then the longest wildcard, then `*`. */
export function* matchesByDomain<T>(index: DomainIndex<T>, domain: string | null): Generator<T> {
  if (domain !== null) {
    yield* index.exact.get(domain) ?? []
    for (let suffix = domain; ; ) {
      yield* index.wildcard.get(suffix) ?? []
      const dot = suffix.indexOf('.')
      if (dot < 0) break
      suffix = suffix.slice(dot + 1)
    }
  }
  yield* index.everyone
}

/** Whether an address lies in one of the ranges; an IPv4 address mapped into IPv6 is that IPv4 address. */
export function addressInRanges(ip: string, ranges: readonly IpRange[]): boolean {
  if (!ipaddr.isValid(ip)) return false
  const address = ipaddr.process(ip)
  return ranges.some(([network, bits]) => address.kind() === network.kind() && address.match(network, bits))
}

/** IPv4 ranges mapped into IPv6 are those IPv4 ranges, as the addresses that are compared with them are. */
function parseRange(range: string): IpRange {
  const [address = '', bits] = range.split('/')
  const network = ipaddr.parse(address)
  const prefix = bits === undefined ? (network.kind() === 'ipv4' ? 32 : 128) : Number(bits)
  return network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && prefix >= 96
    ? [network.toIPv4Address(), prefix - 96]
    : [network, prefix]
}

function indexByDomain<T>(
  connectors: readonly T[],
  patterns: (connector: T) => readonly string[],
): DomainIndex<T> {
  const exact = new Map<string, T[]>()
  const wildcard = new Map<string, T[]>()
  const everyone: T[] = []
  for (const connector of connectors) {
    for (const pattern of new Set(patterns(connector))) {
      if (pattern === '*') everyone.push(connector)
      else if (pattern.startsWith('*.')) append(wildcard, pattern.slice(2), connector)
      else append(exact, pattern, connector)
    }
  }
  return { exact, wildcard, everyone }
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list) list.push(value)
  else map.set(key, [value])
}

/** How much a connector asks of a sender: more comes first. */
function restrictions(connector: InboundConnector): number {
  return [
    connector.requireTls,
    connector.restrictDomainsToCertificate,
    connector.restrictDomainsToIpAddresses,
    connector.minimumTlsVersion === 'TLSv1.3',
  ].filter(Boolean).length
}

function byRestrictionsThenName(one: InboundConnector, other: InboundConnector): number {
  return restrictions(other) - restrictions(one) || byName(one, other)
}

const levels = [null, 'EncryptionOnly', 'CertificateValidation', 'DomainValidation']

/** How much a connector asks of a next hop: more comes first, so that a second connector never undoes the first. */
function demand({ mode, tlsSettings, minimumTlsVersion }: OutboundConnector): number {
  const level = levels.indexOf(tlsSettings) * 2 + Number(minimumTlsVersion === 'TLSv1.3')
  return mode === 'Enforce' ? level + 2 * levels.length : level
}

function byDemandThenName(one: OutboundConnector, other: OutboundConnector): number {
  return demand(other) - demand(one) || byName(one, other)
}

type Named = { name: string; id: string }

/** Code point order, not the locale's: the same everywhere. */
function byName(one: Named, other: Named): number {
  return compare(one.name, other.name) || compare(one.id, other.id)
}

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
