/**
 * Warns about the configuration that results from a plan, by the functions that the gateway uses when a connector is
 * saved. Intermediate states are not checked: the first connector of a pair is alone for a moment. A dry run warns too.
 */
import type { InboundConnector, OutboundConnector } from '../../shared/connectors/schema.ts'
import { selectOutbound } from '../../shared/policy/outbound.ts'
import { compileSnapshot, type Snapshot } from '../../shared/policy/snapshot.ts'
import type { OtherConnectors } from '../../shared/policy/warnings/warning.ts'
import { inboundWarnings, outboundWarnings } from '../../shared/policy/warnings/warnings.ts'
import { acceptedDomains, inboundConnectors, type Kind, type KindName, kinds, type Wanted } from './kinds.ts'
import type { Change } from './plan-changes.ts'
import type { Existing, Present } from './read-present.ts'

export interface Warning {
  /** The kind in words, such as `inbound connector`. */
  readonly of: string
  readonly name: string
  readonly path: string
  readonly message: string
}

/** The whole configuration of the gateway, current or planned. */
type State = Readonly<Record<KindName, readonly Wanted[]>>

/** @returns all warnings about written entries, and new warnings about the others */
export function warningsOf(changes: readonly Change[], present: Present, now: Date): Warning[] {
  const isWritten = new Set(changes.flatMap((change) => ('wanted' in change ? [change.wanted] : [])))
  const after = stateAfter(changes, present)
  const before = surroundingsOf(present)
  const then = surroundingsOf(after)
  return kinds.flatMap((kind) =>
    after[kind.name].flatMap((one) => {
      const known = isWritten.has(one) ? [] : looksAt(kind, one, before, now)
      return looksAt(kind, one, then, now)
        .filter(({ path, message }) => !known.some((old) => old.path === path && old.message === message))
        .map(({ path, message }) => ({ of: kind.one, name: one.label, path, message }))
    }),
  )
}

function stateAfter(changes: readonly Change[], present: Present): State {
  const entries = kinds.map((kind) => {
    const ofKind = changes.filter(({ of }) => of === kind)
    const gone = new Set(
      ofKind.flatMap((change) =>
        'existing' in change && change.kind !== 'Unchanged' && change.kind !== 'NotInFile'
          ? [change.existing]
          : [],
      ),
    )
    const written = ofKind.flatMap((change) => ('wanted' in change ? [change.wanted] : []))
    return [kind.name, [...present[kind.name].filter((one) => !gone.has(one)), ...written]]
  })
  return Object.fromEntries(entries)
}

const surroundingsOf = (state: State): OtherConnectors => ({
  inbound: state.inboundConnectors.map(stored<InboundConnector>),
  outbound: state.outboundConnectors.map(stored<OutboundConnector>),
  acceptedDomains: state[acceptedDomains.name].map(({ key }) => ({ domain: key })),
})

function looksAt(kind: Kind, one: Wanted, all: OtherConnectors, now: Date) {
  if (kind === acceptedDomains) return unrouted(one.key, all)
  if (kind === inboundConnectors)
    return inboundWarnings(stored<InboundConnector>(one), all, now, 'WhatWeakens')
  return outboundWarnings(stored<OutboundConnector>(one), all, now, 'WhatWeakens')
}

const compiled = new WeakMap<OtherConnectors, Snapshot>()

/** Accepted mail without a route is deferred silently: its senders get a DSN only after 24 hours. */
function unrouted(domain: string, all: OtherConnectors) {
  const snapshot = compiled.get(all) ?? compileSnapshot({ ...all, version: 0 })
  compiled.set(all, snapshot)
  if (selectOutbound(snapshot, domain) !== null) return []
  return [
    {
      path: '',
      message: 'no outbound connector routes its mail: its mail is deferred and bounces after 24 hours',
    },
  ]
}

/** Converts to the stored form. A new connector gets placeholders for what the gateway assigns. */
function stored<T extends InboundConnector | OutboundConnector>({ key, fields, ...rest }: Wanted): T {
  const epoch = new Date(0).toISOString()
  return {
    ...fields,
    id: (rest as Partial<Existing>).id ?? key,
    version: 1,
    createdAt: epoch,
    updatedAt: epoch,
    validation: null,
  } as unknown as T
}
