/** Finds connectors by id, or by name without regard to letter case. */
import { comparableName } from '../../shared/connectors/comparable-name.ts'
import type { ApiClient } from '../api/api-client.ts'
import { CommandError } from '../command-error.ts'
import { connectorKinds, type EntryKind } from './entry-kinds.ts'
import { type CurrentEntry, readEntries } from './read-current-configuration.ts'

export interface FoundConnector {
  readonly kind: EntryKind
  readonly connector: CurrentEntry
}

/**
 * An inbound and an outbound connector may share a name.
 * @returns one or two connectors
 * @throws CommandError when no connector matches
 */
export async function findConnectors(api: ApiClient, nameOrId: string): Promise<FoundConnector[]> {
  const all = await readAllConnectors(api)
  const byId = all.filter(({ connector }) => connector.id === nameOrId)
  const matches =
    byId.length > 0 ? byId : all.filter(({ connector }) => connector.key === comparableName(nameOrId))
  if (matches.length > 0) return matches
  throw new CommandError(`no connector "${nameOrId}"`, [
    'To list the connectors: npx mailflow connectors list',
  ])
}

export async function readAllConnectors(api: ApiClient): Promise<FoundConnector[]> {
  const lists = await Promise.all(
    connectorKinds.map(async (kind) =>
      (await readEntries(api, kind)).map((connector) => ({ kind, connector })),
    ),
  )
  return lists.flat()
}

/** @throws CommandError when no connector matches, or one of each direction */
export async function findConnectorId(api: ApiClient, nameOrId: string): Promise<string> {
  const [first, second] = await findConnectors(api, nameOrId)
  if (second === undefined) return first?.connector.id ?? ''
  throw new CommandError(
    `an inbound and an outbound connector have the name "${nameOrId}"; give an id instead`,
    [...[first, second].map((found) => `${found?.connector.id}  ${found?.kind.singular}`)],
  )
}
