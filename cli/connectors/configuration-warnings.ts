/**
 * Warns about the configuration that results from a plan, also in a dry run. The warnings come from the functions that
 * the gateway calls when a connector is saved. Only overlaps that weaken no requirement are left out (`WhatWeakens`).
 * Intermediate states are not checked: while a pair of connectors is written, one is missing for a moment.
 */
import type { InboundConnector, OutboundConnector } from '../../shared/connectors/schema.ts'
import { selectOutbound } from '../../shared/policy/outbound.ts'
import { compileSnapshot, type Snapshot } from '../../shared/policy/snapshot.ts'
import type { ComparedConnectors, WarningOptions } from '../../shared/policy/warnings/warning.ts'
import { inboundWarnings, outboundWarnings } from '../../shared/policy/warnings/warnings.ts'
import {
  acceptedDomains,
  type DesiredEntry,
  type EntryKind,
  type EntryKindName,
  entryKinds,
  inboundConnectors,
} from './entry-kinds.ts'
import type { Change } from './plan-changes.ts'
import type { CurrentConfiguration, CurrentEntry, Gateway } from './read-current-configuration.ts'

export interface ConfigurationWarning {
  /** The kind of entry, such as `inbound connector`. */
  readonly of: string
  readonly name: string
  readonly path: string
  readonly message: string
}

/** The whole configuration of the gateway, current or planned. */
type ConfigurationState = Readonly<Record<EntryKindName, readonly DesiredEntry[]>>

/** @returns all warnings about written entries, and new warnings about other entries */
export function collectWarnings(
  changes: readonly Change[],
  { current, deliversInVpc, validatesDnssec }: Gateway,
  now: Date,
): ConfigurationWarning[] {
  const options: WarningOptions = { scope: 'WhatWeakens', deliversInVpc, validatesDnssec }
  const writtenEntries = new Set(changes.flatMap((change) => ('desired' in change ? [change.desired] : [])))
  const after = stateAfter(changes, current)
  const currentSurroundings = surroundingsOf(current)
  const plannedSurroundings = surroundingsOf(after)
  return entryKinds.flatMap((kind) =>
    after[kind.name].flatMap((entry) => {
      const previousWarnings = writtenEntries.has(entry)
        ? []
        : warningsAbout(kind, entry, currentSurroundings, now, options)
      return warningsAbout(kind, entry, plannedSurroundings, now, options)
        .filter(
          ({ path, message }) =>
            !previousWarnings.some((old) => old.path === path && old.message === message),
        )
        .map(({ path, message }) => ({ of: kind.singular, name: entry.label, path, message }))
    }),
  )
}

function stateAfter(changes: readonly Change[], current: CurrentConfiguration): ConfigurationState {
  const entries = entryKinds.map((kind) => {
    const ofKind = changes.filter(({ entryKind }) => entryKind === kind)
    const removed = new Set(
      ofKind.flatMap((change) =>
        'current' in change && change.kind !== 'Unchanged' && change.kind !== 'NotInFile'
          ? [change.current]
          : [],
      ),
    )
    const writtenOfKind = ofKind.flatMap((change) => ('desired' in change ? [change.desired] : []))
    return [kind.name, [...current[kind.name].filter((entry) => !removed.has(entry)), ...writtenOfKind]]
  })
  return Object.fromEntries(entries)
}

const surroundingsOf = (state: ConfigurationState): ComparedConnectors => ({
  inbound: state.inboundConnectors.map(toStoredConnector<InboundConnector>),
  outbound: state.outboundConnectors.map(toStoredConnector<OutboundConnector>),
  acceptedDomains: state[acceptedDomains.name].map(({ key }) => ({ domain: key })),
})

function warningsAbout(
  kind: EntryKind,
  entry: DesiredEntry,
  all: ComparedConnectors,
  now: Date,
  options: WarningOptions,
) {
  if (kind === acceptedDomains) return unroutedWarnings(entry.key, all)
  if (kind === inboundConnectors)
    return inboundWarnings(toStoredConnector<InboundConnector>(entry), all, now, options)
  return outboundWarnings(toStoredConnector<OutboundConnector>(entry), all, now, options)
}

const snapshots = new WeakMap<ComparedConnectors, Snapshot>()

/** Accepted mail without a route is deferred without notice: its senders get a DSN only after 24 hours. */
function unroutedWarnings(domain: string, all: ComparedConnectors) {
  const snapshot = snapshots.get(all) ?? compileSnapshot({ ...all, version: 0 })
  snapshots.set(all, snapshot)
  if (selectOutbound(snapshot, domain) !== null) return []
  return [
    {
      path: '',
      message: 'no outbound connector routes its mail, so its mail is deferred and bounces after 24 hours',
    },
  ]
}

/** Converts to the stored form. A new connector gets placeholders for the fields that the gateway assigns. */
function toStoredConnector<T extends InboundConnector | OutboundConnector>({
  key,
  fields,
  ...rest
}: DesiredEntry): T {
  const epoch = new Date(0).toISOString()
  return {
    ...fields,
    id: (rest as Partial<CurrentEntry>).id ?? key,
    version: 1,
    createdAt: epoch,
    updatedAt: epoch,
    validation: null,
  } as unknown as T
}
