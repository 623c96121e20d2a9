/** Finds connectors by id, or by name without regard to letter case. */
import { comparableName } from '../../shared/connectors/comparable-name.ts'
import type { ApiClient } from '../api/client.ts'
import { Fault } from '../faults.ts'
import { directions, type Kind } from './kinds.ts'
import { type Existing, readKind } from './read-present.ts'

export interface Found {
  readonly kind: Kind
  readonly connector: Existing
}

/**
 * An inbound and an outbound connector may share a name.
 * @returns one or two
 * @throws Fault when no connector matches
 */
export async function findConnectors(api: ApiClient, nameOrId: string): Promise<Found[]> {
  const all = await everyConnector(api)
  const byId = all.filter(({ connector }) => connector.id === nameOrId)
  const found =
    byId.length > 0 ? byId : all.filter(({ connector }) => connector.key === comparableName(nameOrId))
  if (found.length > 0) return found
  throw new Fault(`no connector "${nameOrId}"`, ['To list the connectors: npx mailflow connectors list'])
}

export async function everyConnector(api: ApiClient): Promise<Found[]> {
  const lists = await Promise.all(
    directions.map(async (kind) => (await readKind(api, kind)).map((connector) => ({ kind, connector }))),
  )
  return lists.flat()
}
