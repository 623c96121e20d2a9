/**
 * Connectors compiled into maps by domain, wildcard suffix, certificate and address. The cost of a decision depends on
 * the labels of a domain and the names in a certificate, not on the number of connectors.
 */

import { IpRanges } from '../connectors/ip-ranges.ts'
import type { AcceptedDomain, InboundConnector, OutboundConnector } from '../connectors/schema.ts'
import { byName, byRestrictionsThenName, byStrengthThenName } from './order.ts'

export interface Snapshot {
  version: number
  /** In the order in which they were accepted. */
  acceptedDomains: ReadonlySet<string>
  /** The accepted domains that do not accept every recipient. */
  recipientRules: ReadonlyMap<string, RecipientRule>
  /** Separate by mode, because a report-only connector never replaces an enforced one. */
  partners: ByMode<DomainIndex<InboundRule>>
  onPremises: OnPremises
  /** The Partner connectors with `requireDmarc`. */
  requiringDmarc: ByMode<readonly InboundRule[]>
  /** The domains in the scope (`associatedAcceptedDomains`) of some inbound connector. */
  scopedDomains: ReadonlySet<string>
  outbound: ByMode<OutboundIndex>
  /** Used only to explain decisions. */
  disabled: { inbound: DomainIndex<InboundConnector>; outbound: OutboundIndex }
}

/** `version`: of the list, which is not a part of the snapshot. */
export type RecipientRule = { kind: 'List'; version: string } | { kind: 'SmtpCallout' }

export type ByMode<T> = Readonly<Record<InboundConnector['mode'], T>>

export interface InboundRule {
  connector: InboundConnector
  addressRanges: IpRanges<unknown>
  /** Position among the enabled connectors, from 0: the most restrictions, then the first name. */
  rank: number
}

export interface DomainIndex<T> {
  exact: ReadonlyMap<string, readonly T[]>
  /** `*.example.com` is stored under `example.com`. */
  wildcard: ReadonlyMap<string, readonly T[]>
  catchAll: readonly T[]
}

export interface OutboundIndex {
  byDomain: DomainIndex<OutboundConnector>
  allAcceptedDomains: readonly OutboundConnector[]
  /** Connectors for `*` that may deliver to an accepted domain, because they do not use its MX records. */
  catchAllBySmartHost: readonly OutboundConnector[]
}

export interface OnPremises {
  /** Sorted by rank. */
  rules: readonly InboundRule[]
  byDomain: DomainIndex<InboundRule>
  byFingerprint: ReadonlyMap<string, readonly InboundRule[]>
  /** Names as connectors write them, `*.example.com` included. */
  byName: ReadonlyMap<string, readonly InboundRule[]>
  /** Names without a wildcard, by their parent domain: a certificate for `*.example.com` matches these. */
  byParent: ReadonlyMap<string, readonly InboundRule[]>
  byAddress: IpRanges<InboundRule>
}

export interface ConnectorSet {
  version: number
  inbound: readonly InboundConnector[]
  outbound: readonly OutboundConnector[]
  /** `createdAt` orders the domains of a snapshot. */
  acceptedDomains: readonly (Pick<AcceptedDomain, 'domain'> &
    Partial<Pick<AcceptedDomain, 'createdAt' | 'recipients' | 'recipientList'>>)[]
}

/** By name where the time is equal or unknown. */
const inOrderOfCreation = (
  acceptedDomains: ConnectorSet['acceptedDomains'],
): ConnectorSet['acceptedDomains'] =>
  acceptedDomains.toSorted(
    (a, b) => compareText(a.createdAt ?? '', b.createdAt ?? '') || compareText(a.domain, b.domain),
  )

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export function compileSnapshot({ version, inbound, outbound, acceptedDomains }: ConnectorSet): Snapshot {
  const rules = inbound.filter(isEnabled).sort(byRestrictionsThenName).map(compileRule)
  const enabledOutbound = outbound.filter(isEnabled).sort(byStrengthThenName)
  const partners = rules.filter(isPartner)
  return {
    version,
    acceptedDomains: new Set(inOrderOfCreation(acceptedDomains).map(({ domain }) => domain)),
    recipientRules: new Map(acceptedDomains.flatMap(recipientRule)),
    partners: byMode((mode) => indexByDomain(partners.filter(hasMode(mode)), senderDomains)),
    onPremises: compileOnPremises(rules.filter((rule) => !isPartner(rule))),
    requiringDmarc: byMode((mode) =>
      partners.filter(hasMode(mode)).filter(({ connector }) => connector.requireDmarc),
    ),
    scopedDomains: new Set(rules.flatMap(({ connector }) => connector.associatedAcceptedDomains)),
    outbound: byMode((mode) =>
      compileOutbound(enabledOutbound.filter((connector) => connector.mode === mode)),
    ),
    disabled: {
      inbound: indexByDomain(inbound.filter(isDisabled).sort(byName), (connector) => connector.senderDomains),
      outbound: compileOutbound(outbound.filter(isDisabled).sort(byName)),
    },
  }
}

/** A list that does not exist, which the API prevents, would refuse all mail. */
function recipientRule({
  domain,
  recipients,
  recipientList,
}: ConnectorSet['acceptedDomains'][number]): [string, RecipientRule][] {
  if (recipients === 'SmtpCallout') return [[domain, { kind: 'SmtpCallout' }]]
  return recipients === 'List' && recipientList
    ? [[domain, { kind: 'List', version: recipientList.version }]]
    : []
}

const isEnabled = ({ enabled }: { enabled: boolean }): boolean => enabled
const isDisabled = ({ enabled }: { enabled: boolean }): boolean => !enabled
const isPartner = ({ connector }: InboundRule): boolean => connector.connectorType === 'Partner'
const senderDomains = ({ connector }: InboundRule): readonly string[] => connector.senderDomains
const recipientDomains = (connector: OutboundConnector): readonly string[] => connector.recipientDomains

export function compileRule(connector: InboundConnector, rank: number): InboundRule {
  const { senderIpAddresses } = connector
  const ranges =
    senderIpAddresses.length === 0 ? noRanges : new IpRanges(senderIpAddresses.map((range) => [range, null]))
  return { connector, addressRanges: ranges, rank }
}

const noRanges = new IpRanges<unknown>([])

const byMode = <T>(compile: (mode: InboundConnector['mode']) => T): ByMode<T> => ({
  Enforce: compile('Enforce'),
  ReportOnly: compile('ReportOnly'),
})

const hasMode =
  (mode: InboundConnector['mode']) =>
  ({ connector }: InboundRule): boolean =>
    connector.mode === mode

function compileOutbound(connectors: readonly OutboundConnector[]): OutboundIndex {
  const byDomain = indexByDomain(connectors, recipientDomains)
  return {
    byDomain,
    allAcceptedDomains: connectors.filter(({ allAcceptedDomains }) => allAcceptedDomains),
    catchAllBySmartHost: byDomain.catchAll.filter(({ route }) => route === 'SmartHosts'),
  }
}

function compileOnPremises(rules: readonly InboundRule[]): OnPremises {
  const byFingerprint = new Map<string, InboundRule[]>()
  const byName = new Map<string, InboundRule[]>()
  const byParent = new Map<string, InboundRule[]>()
  const addresses: [string, InboundRule][] = []
  for (const rule of rules) {
    const { certificateFingerprints, tlsSenderCertificateNames, senderIpAddresses } = rule.connector
    for (const fingerprint of certificateFingerprints) append(byFingerprint, fingerprint, rule)
    for (const name of tlsSenderCertificateNames) {
      append(byName, name, rule)
      if (!name.startsWith('*.')) append(byParent, parentDomainOf(name), rule)
    }
    for (const range of senderIpAddresses) addresses.push([range, rule])
  }
  const byAddress = new IpRanges(addresses)
  return { rules, byDomain: indexByDomain(rules, senderDomains), byFingerprint, byName, byParent, byAddress }
}

/** The name without its first label. */
export const parentDomainOf = (name: string): string => name.slice(name.indexOf('.') + 1)

/** The connectors for a domain: exact, then the longest wildcard, then `*`. */
export function* matchesByDomain<T>(index: DomainIndex<T>, domain: string | null): Generator<T> {
  if (domain !== null) yield* matchesExceptCatchAll(index, domain)
  yield* index.catchAll
}

/** Returns the connectors for a domain without those for `*`. */
export function* matchesExceptCatchAll<T>({ exact, wildcard }: DomainIndex<T>, domain: string): Generator<T> {
  const exactMatches = exact.get(domain)
  if (exactMatches) yield* exactMatches
  for (let suffix = domain; ; ) {
    const wildcardMatches = wildcard.get(suffix)
    if (wildcardMatches) yield* wildcardMatches
    const dot = suffix.indexOf('.')
    if (dot < 0) return
    suffix = suffix.slice(dot + 1)
  }
}

export const firstOrNull = <T>(items: Iterator<T>): T | null => items.next().value ?? null

function indexByDomain<T>(
  connectors: readonly T[],
  patterns: (connector: T) => readonly string[],
): DomainIndex<T> {
  const exact = new Map<string, T[]>()
  const wildcard = new Map<string, T[]>()
  const catchAll: T[] = []
  for (const connector of connectors) {
    for (const pattern of new Set(patterns(connector))) {
      if (pattern === '*') catchAll.push(connector)
      else if (pattern.startsWith('*.')) append(wildcard, pattern.slice(2), connector)
      else append(exact, pattern, connector)
    }
  }
  return { exact, wildcard, catchAll }
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list) list.push(value)
  else map.set(key, [value])
}
