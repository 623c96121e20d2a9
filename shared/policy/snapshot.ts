/**
 * Connectors compiled into maps by domain, wildcard suffix, certificate and address. The cost of a decision depends on
 * the labels of a domain and the names in a certificate, not on the number of connectors. A snapshot never changes: a
 * change of connectors makes a new one, which shares what did not change.
 */

import { IpRanges } from '../connectors/ip-ranges.ts'
import type { AcceptedDomain, InboundConnector, OutboundConnector } from '../connectors/schema.ts'
import { LayeredMap } from './layered-map.ts'
import { byName, byRestrictionsThenName, byStrengthThenName } from './order.ts'
import {
  type Edit,
  editList,
  editLists,
  filterEdit,
  isEmptyEdit,
  mapEdit,
  type Order,
  sortEdit,
} from './sorted-lists.ts'

export interface Snapshot {
  version: number
  /** All connectors and accepted domains, by id or domain. */
  all: {
    inbound: LayeredMap<InboundRule>
    outbound: LayeredMap<OutboundConnector>
    acceptedDomains: LayeredMap<ListedDomain>
  }
  /** In the order in which they were accepted. */
  acceptedDomains: ReadonlySet<string>
  /** The accepted domains that do not accept every recipient. */
  recipientRules: LayeredMap<RecipientRule>
  /** Separate by mode, because a report-only connector never replaces an enforced one. */
  partners: ByMode<DomainIndex<InboundRule>>
  onPremises: OnPremises
  /** The Partner connectors with `requireDmarc`. */
  requiringDmarc: ByMode<readonly InboundRule[]>
  /** The number of inbound connectors with a domain in their scope (`associatedAcceptedDomains`). */
  scopedDomains: LayeredMap<number>
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
}

export interface DomainIndex<T> {
  exact: LayeredMap<readonly T[]>
  /** `*.example.com` is stored under `example.com`. */
  wildcard: LayeredMap<readonly T[]>
  catchAll: readonly T[]
}

export interface OutboundIndex {
  byDomain: DomainIndex<OutboundConnector>
  allAcceptedDomains: readonly OutboundConnector[]
  /** Connectors for `*` that may deliver to an accepted domain, because they do not use its MX records. */
  catchAllBySmartHost: readonly OutboundConnector[]
}

export interface OnPremises {
  /** The most restrictions first, then the first name; as every list of rules. */
  rules: readonly InboundRule[]
  byDomain: DomainIndex<InboundRule>
  byFingerprint: LayeredMap<readonly InboundRule[]>
  /** Names as connectors write them, `*.example.com` included. */
  byName: LayeredMap<readonly InboundRule[]>
  /** Names without a wildcard, by their parent domain: a certificate for `*.example.com` matches these. */
  byParent: LayeredMap<readonly InboundRule[]>
  byAddress: IpRanges<InboundRule>
}

/** `createdAt` orders the domains of a snapshot. */
type ListedDomain = Pick<AcceptedDomain, 'domain'> &
  Partial<Pick<AcceptedDomain, 'createdAt' | 'recipients' | 'recipientList'>>

export interface ConnectorSet {
  version: number
  inbound: readonly InboundConnector[]
  outbound: readonly OutboundConnector[]
  acceptedDomains: readonly ListedDomain[]
}

/** A connector or domain after a change, or its deletion. */
export type ItemChange =
  | { kind: 'inbound-connector'; key: string; item: InboundConnector | null }
  | { kind: 'outbound-connector'; key: string; item: OutboundConnector | null }
  | { kind: 'accepted-domain'; key: string; item: ListedDomain | null }

export const compileSnapshot = ({ version, inbound, outbound, acceptedDomains }: ConnectorSet): Snapshot =>
  editSnapshot(emptySnapshot, version, {
    inbound: { removed: [], added: inbound.map(compileRule) },
    outbound: { removed: [], added: outbound },
    acceptedDomains: { removed: [], added: acceptedDomains },
  })

/**
 * Returns the snapshot after changes. Its cost depends on the changes, and hardly on the number of connectors.
 * @param version of the connectors after the changes
 * @param changes the oldest first; a change of an item replaces the whole item
 */
export function changeSnapshot(
  snapshot: Snapshot,
  version: number,
  changes: readonly ItemChange[],
): Snapshot {
  const edits = {
    inbound: editOfChanges(snapshot.all.inbound, changes, (change) =>
      change.kind === 'inbound-connector' ? change.item && compileRule(change.item) : undefined,
    ),
    outbound: editOfChanges(snapshot.all.outbound, changes, (change) =>
      change.kind === 'outbound-connector' ? change.item : undefined,
    ),
    acceptedDomains: editOfChanges(snapshot.all.acceptedDomains, changes, (change) =>
      change.kind === 'accepted-domain' ? change.item : undefined,
    ),
  }
  return editSnapshot(snapshot, version, edits)
}

/** The connectors and accepted domains of a snapshot, sorted by id or domain. */
export function connectorSetOf({ version, all }: Snapshot): ConnectorSet {
  const sorted = <T>(map: LayeredMap<T>) =>
    [...map.entries()].sort(([a], [b]) => compareText(a, b)).map(([, value]) => value)
  return {
    version,
    inbound: sorted(all.inbound).map(({ connector }) => connector),
    outbound: sorted(all.outbound),
    acceptedDomains: sorted(all.acceptedDomains),
  }
}

/** @param itemOf the item after the change; null for a deletion, undefined for a change of another kind */
function editOfChanges<T>(
  all: LayeredMap<T>,
  changes: readonly ItemChange[],
  itemOf: (change: ItemChange) => T | null | undefined,
): Edit<T> {
  const latest = new Map<string, T | null>()
  for (const change of changes) {
    const item = itemOf(change)
    if (item !== undefined) latest.set(change.key, item)
  }
  return {
    removed: [...latest.keys()].flatMap((key) => all.get(key) ?? []),
    added: [...latest.values()].flatMap((item) => item ?? []),
  }
}

interface Edits {
  inbound: Edit<InboundRule>
  outbound: Edit<OutboundConnector>
  acceptedDomains: Edit<ListedDomain>
}

function editSnapshot({ all, ...snapshot }: Snapshot, version: number, edits: Edits): Snapshot {
  const inbound = sortEdit(edits.inbound, byRank)
  const outbound = sortEdit(edits.outbound, byStrengthThenName)
  const acceptedDomains = sortEdit(edits.acceptedDomains, byCreation)
  const rules = filterEdit(inbound, ({ connector }) => connector.enabled)
  const partners = byMode((mode) => filterEdit(filterEdit(rules, isPartner), hasMode(mode)))
  const disabledInbound = mapEdit(
    filterEdit(inbound, ({ connector }) => !connector.enabled),
    ({ connector }) => connector,
  )
  const disabledOutbound = filterEdit(outbound, ({ enabled }) => !enabled)
  const onPremises = filterEdit(rules, (rule) => !isPartner(rule))
  const { disabled } = snapshot
  return {
    version,
    all: {
      inbound: editMap(all.inbound, inbound, ({ connector }) => connector.id),
      outbound: editMap(all.outbound, outbound, ({ id }) => id),
      acceptedDomains: editMap(all.acceptedDomains, acceptedDomains, ({ domain }) => domain),
    },
    ...editDomains(snapshot, all.acceptedDomains, acceptedDomains),
    partners: byMode((mode) => editIndex(snapshot.partners[mode], partners[mode], senderDomains, byRank)),
    onPremises: editOnPremises(snapshot.onPremises, onPremises),
    requiringDmarc: byMode((mode) => {
      const edit = filterEdit(partners[mode], ({ connector }) => connector.requireDmarc)
      return editList(snapshot.requiringDmarc[mode], edit, byRank)
    }),
    scopedDomains: editScopes(snapshot.scopedDomains, rules),
    outbound: byMode((mode) => {
      const edit = filterEdit(outbound, (connector) => connector.enabled && connector.mode === mode)
      return editOutbound(snapshot.outbound[mode], edit, byStrengthThenName)
    }),
    disabled: {
      inbound: editIndex(
        disabled.inbound,
        sortEdit(disabledInbound, byName),
        (connector) => connector.senderDomains,
        byName,
      ),
      outbound: editOutbound(disabled.outbound, sortEdit(disabledOutbound, byName), byName),
    },
  }
}

function editMap<T>(map: LayeredMap<T>, { removed, added }: Edit<T>, keyOf: (item: T) => string) {
  if (map.isEmpty) return new LayeredMap(new Map(added.map((item) => [keyOf(item), item])))
  const edits = new Map<string, T | undefined>()
  for (const item of removed) edits.set(keyOf(item), undefined)
  for (const item of added) edits.set(keyOf(item), item)
  return map.with(edits)
}

function editDomains(
  { acceptedDomains, recipientRules }: Pick<Snapshot, 'acceptedDomains' | 'recipientRules'>,
  all: LayeredMap<ListedDomain>,
  edit: Edit<ListedDomain>,
): Pick<Snapshot, 'acceptedDomains' | 'recipientRules'> {
  if (isEmptyEdit(edit)) return { acceptedDomains, recipientRules }
  const current = [...acceptedDomains].flatMap((domain) => all.get(domain) ?? [])
  const edits = new Map<string, RecipientRule | undefined>()
  for (const { domain } of edit.removed) edits.set(domain, undefined)
  for (const domain of edit.added) edits.set(domain.domain, recipientRule(domain))
  return {
    acceptedDomains: new Set(editList(current, edit, byCreation).map(({ domain }) => domain)),
    recipientRules: recipientRules.with(edits),
  }
}

/** By name where the time is equal or unknown. */
const byCreation: Order<ListedDomain> = (first, second) =>
  compareText(first.createdAt ?? '', second.createdAt ?? '') || compareText(first.domain, second.domain)

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** A list that does not exist, which the API prevents, would refuse all mail. */
function recipientRule({ recipients, recipientList }: ListedDomain): RecipientRule | undefined {
  if (recipients === 'SmtpCallout') return { kind: 'SmtpCallout' }
  return recipients === 'List' && recipientList ? { kind: 'List', version: recipientList.version } : undefined
}

function editScopes(counts: LayeredMap<number>, { removed, added }: Edit<InboundRule>): LayeredMap<number> {
  const edits = new Map<string, number>()
  const count = (rules: readonly InboundRule[], change: number) => {
    for (const { connector } of rules)
      for (const domain of connector.associatedAcceptedDomains)
        edits.set(domain, (edits.get(domain) ?? counts.get(domain) ?? 0) + change)
  }
  count(removed, -1)
  count(added, 1)
  return counts.with(new Map([...edits].map(([domain, number]) => [domain, number || undefined])))
}

/** The most restrictions first, then the first name. */
export const byRank: Order<InboundRule> = (first, second) =>
  byRestrictionsThenName(first.connector, second.connector)

const isPartner = ({ connector }: InboundRule): boolean => connector.connectorType === 'Partner'
const senderDomains = ({ connector }: InboundRule): readonly string[] => connector.senderDomains

export function compileRule(connector: InboundConnector): InboundRule {
  const { senderIpAddresses } = connector
  const ranges =
    senderIpAddresses.length === 0 ? noRanges : new IpRanges(senderIpAddresses.map((range) => [range, null]))
  return { connector, addressRanges: ranges }
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

function editOutbound(
  index: OutboundIndex,
  edit: Edit<OutboundConnector>,
  order: Order<OutboundConnector>,
): OutboundIndex {
  if (isEmptyEdit(edit)) return index
  const byDomain = editIndex(index.byDomain, edit, ({ recipientDomains }) => recipientDomains, order)
  const forAllDomains = filterEdit(edit, ({ allAcceptedDomains }) => allAcceptedDomains)
  return {
    byDomain,
    allAcceptedDomains: editList(index.allAcceptedDomains, forAllDomains, order),
    catchAllBySmartHost: byDomain.catchAll.filter(({ route }) => route === 'SmartHosts'),
  }
}

function editOnPremises(onPremises: OnPremises, edit: Edit<InboundRule>): OnPremises {
  if (isEmptyEdit(edit)) return onPremises
  const lists = (
    map: LayeredMap<readonly InboundRule[]>,
    keysOf: (connector: InboundConnector) => string[],
  ) => editLists(map, edit, ({ connector }) => keysOf(connector), byRank)
  const addresses = (rules: readonly InboundRule[]) =>
    rules.flatMap((rule) => rule.connector.senderIpAddresses.map((range) => [range, rule] as const))
  return {
    rules: editList(onPremises.rules, edit, byRank),
    byDomain: editIndex(onPremises.byDomain, edit, senderDomains, byRank),
    byFingerprint: lists(onPremises.byFingerprint, (connector) => connector.certificateFingerprints),
    byName: lists(onPremises.byName, (connector) => connector.tlsSenderCertificateNames),
    byParent: lists(onPremises.byParent, ({ tlsSenderCertificateNames: names }) =>
      names.filter((name) => !name.startsWith('*.')).map(parentDomainOf),
    ),
    byAddress: onPremises.byAddress.changed(addresses(edit.removed), addresses(edit.added)),
  }
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

function editIndex<T>(
  index: DomainIndex<T>,
  edit: Edit<T>,
  patternsOf: (item: T) => readonly string[],
  order: Order<T>,
): DomainIndex<T> {
  if (isEmptyEdit(edit)) return index
  const exactDomains = (item: T) => unique(patternsOf(item).filter((pattern) => !pattern.startsWith('*')))
  const suffixes = (item: T) =>
    unique(patternsOf(item).filter((pattern) => pattern.startsWith('*.'))).map((pattern) => pattern.slice(2))
  const ofAllDomains = filterEdit(edit, (item) => patternsOf(item).includes('*'))
  return {
    exact: editLists(index.exact, edit, exactDomains, order),
    wildcard: editLists(index.wildcard, edit, suffixes, order),
    catchAll: editList(index.catchAll, ofAllDomains, order),
  }
}

const unique = (texts: readonly string[]): readonly string[] =>
  texts.length < 2 ? texts : [...new Set(texts)]

const emptyIndex: DomainIndex<never> = { exact: new LayeredMap(), wildcard: new LayeredMap(), catchAll: [] }
const emptyOutbound: OutboundIndex = { byDomain: emptyIndex, allAcceptedDomains: [], catchAllBySmartHost: [] }

const emptySnapshot: Snapshot = {
  version: 0,
  all: { inbound: new LayeredMap(), outbound: new LayeredMap(), acceptedDomains: new LayeredMap() },
  acceptedDomains: new Set(),
  recipientRules: new LayeredMap(),
  partners: byMode(() => emptyIndex),
  onPremises: {
    rules: [],
    byDomain: emptyIndex,
    byFingerprint: new LayeredMap(),
    byName: new LayeredMap(),
    byParent: new LayeredMap(),
    byAddress: new IpRanges<InboundRule>([]),
  },
  requiringDmarc: byMode(() => []),
  scopedDomains: new LayeredMap(),
  outbound: byMode(() => emptyOutbound),
  disabled: { inbound: emptyIndex, outbound: emptyOutbound },
}
