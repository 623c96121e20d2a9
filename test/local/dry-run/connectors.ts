/** The connectors of the running stack as a snapshot, and changes of them: predicted, made through the API, undone. */
import {
  InboundConnector,
  InboundConnectorInput,
  OutboundConnector,
  OutboundConnectorInput,
} from '../../../shared/connectors/schema.ts'
import {
  changeSnapshot,
  compileSnapshot,
  type ItemChange,
  type Snapshot,
} from '../../../shared/policy/snapshot.ts'
import type { Api } from '../../support/local/runner.ts'

export type Change =
  | { title: string; kind: 'inbound' | 'outbound'; change: string; fields: object }
  | { title: string; kind: 'inbound' | 'outbound'; create: object }
  | { title: string; kind: 'inbound' | 'outbound'; remove: string }
  | { title: string; kind: 'accepted-domain'; remove: string }

/** The id of a connector that does not exist yet. */
const newId = '01KB0000000000000000000000'

export async function readSnapshot(api: Api): Promise<Snapshot> {
  const [inbound, outbound, domains] = await Promise.all(
    ['/inbound-connectors', '/outbound-connectors', '/accepted-domains'].map(async (path) => {
      const { items } = await api.call<{ items: unknown[] }>('GET', `${path}?limit=200`)
      return items
    }),
  )
  return compileSnapshot({
    version: 1,
    inbound: (inbound ?? []).map((item) => InboundConnector.parse(withoutWarnings(item))),
    outbound: (outbound ?? []).map((item) => OutboundConnector.parse(withoutWarnings(item))),
    acceptedDomains: domains as { domain: string; createdAt: string }[],
  })
}

/** The API answers with warnings, which are not stored. */
function withoutWarnings(item: unknown): unknown {
  const { warnings: _, ...stored } = item as { warnings: unknown }
  return stored
}

/** The names of the connectors of a snapshot, by id. */
export const namesIn = ({ all }: Snapshot): Map<string, string> =>
  new Map([
    ...[...all.inbound.values()].map(({ connector }): [string, string] => [connector.id, connector.name]),
    ...[...all.outbound.values()].map(({ id, name }): [string, string] => [id, name]),
  ])

const stored = { createdAt: new Date(0).toISOString(), updatedAt: new Date(0).toISOString(), version: 1 }

/** The snapshot with the change, as a dry run of the API would build it from the connector's fields. */
export function predictSnapshot(snapshot: Snapshot, change: Change): Snapshot {
  return changeSnapshot(snapshot, snapshot.version + 1, [itemChange(snapshot, change)])
}

function itemChange(snapshot: Snapshot, change: Change): ItemChange {
  if (change.kind === 'accepted-domain') return { kind: 'accepted-domain', key: change.remove, item: null }
  if (change.kind === 'inbound') {
    const found = [...snapshot.all.inbound.values()].find(
      ({ connector }) => connector.name === nameIn(change),
    )
    const { id, createdAt, updatedAt, version, ...fields } = found?.connector ?? { id: newId, ...stored }
    const item =
      'remove' in change
        ? null
        : { id, createdAt, updatedAt, version, ...InboundConnectorInput.parse(inputOf(fields, change)) }
    return { kind: 'inbound-connector', key: id, item }
  }
  const found = [...snapshot.all.outbound.values()].find(({ name }) => name === nameIn(change))
  const { id, createdAt, updatedAt, version, validation, ...fields } = found ?? {
    id: newId,
    ...stored,
    validation: null,
  }
  const item =
    'remove' in change
      ? null
      : {
          id,
          createdAt,
          updatedAt,
          version,
          validation,
          ...OutboundConnectorInput.parse(inputOf(fields, change)),
        }
  return { kind: 'outbound-connector', key: id, item }
}

const nameIn = (change: Change): string =>
  'remove' in change
    ? change.remove
    : 'change' in change
      ? change.change
      : String((change.create as { name?: string }).name)

function inputOf(fields: object, change: Change): object {
  if ('create' in change)
    return change.kind === 'outbound' ? { route: 'Mx', ...change.create } : change.create
  return { ...fields, ...('fields' in change && change.fields) }
}

/** Makes the change through the API. @returns undoes it */
export async function makeChange(api: Api, snapshot: Snapshot, change: Change): Promise<() => Promise<void>> {
  if (change.kind === 'accepted-domain') {
    await api.remove(`/accepted-domains/${change.remove}`)
    return () => api.call('PUT', `/accepted-domains/${change.remove}`, {})
  }
  const { kind } = change
  const path = `/${kind}-connectors`
  const choice = kind === 'outbound' ? '?waiting=hold' : ''
  if ('create' in change) {
    const id = await api.create(kind, change.create)
    return () => api.remove(`${path}/${id}`, choice)
  }
  const all =
    kind === 'inbound'
      ? [...snapshot.all.inbound.values()].map(({ connector }) => connector)
      : [...snapshot.all.outbound.values()]
  const before = all.find(({ name }) => name === nameIn(change))
  if (before === undefined) throw new Error(`no connector ${nameIn(change)}`)
  const { id, createdAt, updatedAt, version, ...fields } = before
  const { validation: _, ...input } = fields as typeof fields & { validation?: unknown }
  if ('remove' in change) {
    await api.remove(`${path}/${id}`, choice)
    return async () => void (await api.create(kind, input))
  }
  await api.change(`${path}/${id}`, change.fields, choice)
  return () => api.change(`${path}/${id}`, input, choice)
}
