/**
 * What an administrator may not expect of the configuration that a plan leads to, in the gateway's own words (it
 * asks the same functions when a connector is saved). Said of the end, not of the steps: of a pair of connectors the
 * first is alone for a moment, and that is nothing to warn of. A dry run says it too.
 */
import type { InboundConnector, OutboundConnector } from '../../shared/connectors/schema.ts'
import { selectOutbound } from '../../shared/policy/outbound.ts'
import { compileSnapshot, type Snapshot } from '../../shared/policy/snapshot.ts'
import type { Surroundings } from '../../shared/policy/warnings/warning.ts'
import { inboundWarnings, outboundWarnings } from '../../shared/policy/warnings/warnings.ts'
import { acceptedDomains, inboundConnectors, type Kind, type KindName, kinds, type Wanted } from './kinds.ts'
import type { Change } from './plan-changes.ts'
import type { Existing, Present } from './read-present.ts'

export interface Warning {
  /** Of which kind, and its name. */
  readonly of: string
  readonly name: string
  readonly path: string
  readonly message: string
}

/** All that the gateway has, or will have. */
type State = Readonly<Record<KindName, readonly Wanted[]>>

/** @returns of what is written, everything; of the rest, what was not so before */
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

const surroundingsOf = (state: State): Surroundings => ({
  inbound: state.inboundConnectors.map(stored<InboundConnector>),
  outbound: state.outboundConnectors.map(stored<OutboundConnector>),
  acceptedDomains: state[acceptedDomains.name].map(({ key }) => ({ domain: key })),
})

function looksAt(kind: Kind, one: Wanted, all: Surroundings, now: Date) {
  if (kind === acceptedDomains) return unrouted(one.key, all)
  if (kind === inboundConnectors)
    return inboundWarnings(stored<InboundConnector>(one), all, now, 'WhatWeakens')
  return outboundWarnings(stored<OutboundConnector>(one), all, now, 'WhatWeakens')
}

const compiled = new WeakMap<Surroundings, Snapshot>()

/** Mail that is taken in and goes nowhere stops silently: its senders hear of it the day after. */
function unrouted(domain: string, all: Surroundings) {
  const snapshot = compiled.get(all) ?? compileSnapshot({ ...all, version: 0 })
  compiled.set(all, snapshot)
  if (selectOutbound(snapshot, domain) !== null) return []
  return [
    {
      path: '',
      message:
        'no outbound connector says where its mailboxes are: its mail waits, and returns after 24 hours',
    },
  ]
}

/** As the gateway keeps it; one that it has not yet gets what only tells it from others. */
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
