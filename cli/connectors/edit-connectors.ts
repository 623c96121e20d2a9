/** Selects connectors by name for `connectors set`, `enable`, `disable` and `delete`, and plans their change. */
import { comparableName } from '../../shared/connectors/comparable-name.ts'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import { CommandError, UsageError } from '../command-error.ts'
import {
  connectorKinds,
  type EntryKind,
  type Fields,
  inboundConnectors,
  outboundConnectors,
} from './entry-kinds.ts'
import type { FoundConnector } from './find-connectors.ts'
import { changeOptions, type Plan } from './make-changes.ts'
import { type Change, changeOf } from './plan-changes.ts'
import type { CurrentConfiguration } from './read-current-configuration.ts'
import { toDesiredEntry } from './to-desired-entry.ts'

export const editOptions = {
  direction: {
    type: 'string',
    value: 'DIRECTION',
    description: 'Inbound, Outbound or Both; required when connectors of both directions have the name',
  },
  ...changeOptions,
} as const

const kindsOfDirection: Readonly<Record<string, readonly EntryKind[]>> = {
  Inbound: [inboundConnectors],
  Outbound: [outboundConnectors],
  Both: connectorKinds,
}

/** @throws UsageError for a text that is no direction */
export function parseDirection(text: string | undefined): readonly EntryKind[] | undefined {
  if (text === undefined) return undefined
  const name = Object.keys(kindsOfDirection).find((known) => known.toLowerCase() === text.toLowerCase())
  if (name !== undefined) return kindsOfDirection[name]
  throw new UsageError(`--direction ${text}: not a direction; the directions are Inbound, Outbound and Both`)
}

export const connectorsOf = (current: CurrentConfiguration, kinds: readonly EntryKind[]): FoundConnector[] =>
  kinds.flatMap((kind) => current[kind.name].map((connector) => ({ kind, connector })))

/**
 * @param kinds undefined when the name alone must tell which connector is meant
 * @throws CommandError when no connector has the name or id, or two have it
 */
export function selectConnectors(
  current: CurrentConfiguration,
  nameOrId: string,
  kinds: readonly EntryKind[] | undefined,
): FoundConnector[] {
  const key = comparableName(nameOrId)
  const found = connectorsOf(current, kinds ?? connectorKinds).filter(
    ({ connector }) => connector.id === nameOrId || connector.key === key,
  )
  if (found.length === 0)
    throw new CommandError(`no ${kinds?.length === 1 ? kinds[0]?.singular : 'connector'} "${nameOrId}"`, [
      'To list the connectors: npx mailflow connectors list',
    ])
  if (found.length > 1 && kinds === undefined)
    throw new CommandError(
      `an inbound and an outbound connector have the name "${nameOrId}"; give --direction Inbound, Outbound or Both`,
    )
  return found
}

/** @returns the fields of the changed connector, not yet validated */
export type Edit = (kind: EntryKind, fields: Fields) => Fields

/** @throws CommandError that names every fault of the changed connector */
export function editChange({ kind, connector }: FoundConnector, edit: Edit): Change {
  const parsed = kind.input.safeParse(edit(kind, connector.fields))
  if (parsed.success) return changeOf(kind, toDesiredEntry(kind, parsed.data), connector)
  throw new CommandError(
    `${kind.singular} "${connector.label}" would not be valid. Nothing was written`,
    faultsOf(parsed.error).map(faultText),
  )
}

export const removal = ({ kind, connector }: FoundConnector): Change => ({
  kind: 'Remove',
  entryKind: kind,
  current: connector,
})

/** Plans the same change of each connector that the name selects. */
export const planFor =
  (nameOrId: string, direction: string | undefined, toChange: (found: FoundConnector) => Change): Plan =>
  ({ current }) =>
    selectConnectors(current, nameOrId, parseDirection(direction)).map(toChange)
