/** `/dry-runs`: which decisions about past mail would have been others with other connectors. */
import { InvalidRequestException } from '@aws-sdk/client-athena'
import { comparableName } from '../../../shared/connectors/comparable-name.ts'
import type { DefaultRoute } from '../../../shared/connectors/outbound-fields.ts'
import type { InboundConnector, OutboundConnector } from '../../../shared/connectors/schema.ts'
import { newUlid } from '../../../shared/content/ulid.ts'
import {
  type DryRun,
  type DryRunInput,
  readDryRun,
  startDryRun,
} from '../../../shared/event-queries/dry-run-schemas.ts'
import { type MailGroup, mailFactsSql, mailGroupOf } from '../../../shared/event-queries/mail-facts-sql.ts'
import { mailScope } from '../../../shared/event-queries/mail-scope.ts'
import { summariseDryRun } from '../../../shared/event-queries/summarise-dry-run.ts'
import type { EventSearch } from '../../../shared/events/event-search.ts'
import type { EventStore } from '../../../shared/events/event-store.ts'
import { isUlid } from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import type { Settings } from '../../../shared/policy/evaluate.ts'
import { changeSnapshot, type ItemChange, type Snapshot } from '../../../shared/policy/snapshot.ts'
import { completeUntil, rangeOf, startSearch } from '../start-search.ts'

export interface DryRunDependencies {
  search: Pick<EventSearch, 'start' | 'status' | 'page'>
  store: Pick<EventStore, 'get' | 'put'>
  snapshot(): Promise<Snapshot>
  settings: Settings
  defaultRoute: DefaultRoute
  /** Name of the table of events. */
  table: string
  /** The first hour whose events are not in Parquet files yet, `YYYY-MM-DDTHH`. */
  firstUnsealedHour(): Promise<string>
  retentionDays: number
  /** Milliseconds since the epoch. */
  now(): number
}

/** What a dry run keeps until its search has succeeded, beside the results of searches. */
interface StoredDryRun {
  searchId: string
  /** ISO 8601. */
  from: string
  to: string
  changes: ItemChange[]
}

const requestKey = (id: string): string => `searches/dry-run-${id}.json`
const resultKey = (id: string): string => `searches/dry-run-${id}-result.json`

export const dryRunRoutes = (dependencies: DryRunDependencies): Route[] => [
  route(startDryRun(dependencies.defaultRoute), async ({ body }) => {
    const { search, store, table, settings, now, retentionDays } = dependencies
    const range = rangeOf(body, now(), retentionDays)
    const snapshot = await dependencies.snapshot()
    const changes = changesOf(body, snapshot, new Date(now()))
    // First: an hour that is sealed after the search has started may not be in it.
    const open = await dependencies.firstUnsealedHour()
    const searchId = await startSearch(
      search,
      mailFactsSql(table, range, scopeOf(changes, snapshot), settings),
    )
    const id = newUlid()
    const stored: StoredDryRun = {
      searchId,
      from: range.from.toISOString(),
      to: range.to.toISOString(),
      changes,
    }
    await store.put(requestKey(id), Buffer.from(JSON.stringify(stored)))
    return {
      status: 202,
      headers: { location: `/dry-runs/${id}` },
      body: { id, completeUntil: completeUntil(open) },
    }
  }),
  route(readDryRun, async ({ parameter }) => {
    const { search, store } = dependencies
    if (!isUlid(parameter)) throw notFound()
    const known = await readJson<DryRun>(store, resultKey(parameter))
    if (known !== null) return { status: 200, body: known }
    const stored = await readJson<StoredDryRun>(store, requestKey(parameter))
    if (stored === null) throw notFound()
    const status = await search.status(stored.searchId)
    if (status === null) throw notFound()
    const { state, reason, scannedOctets, ms } = status
    const { from, to } = stored
    const common = { id: parameter, state, reason, from, to, scannedOctets, ms }
    if (state !== 'Succeeded') return { status: 200, body: { ...common, ...nothing } }
    const before = await dependencies.snapshot()
    const after = changeSnapshot(before, before.version, stored.changes)
    const groups = await readGroups(search, stored.searchId)
    const summary = summariseDryRun(groups, before, after, dependencies.settings, (id) =>
      nameOf(id, [after, before]),
    )
    const result: DryRun = { ...common, connectorsVersion: before.version, ...summary }
    await store.put(resultKey(parameter), Buffer.from(JSON.stringify(result)))
    return { status: 200, body: result }
  }),
]

const nothing = {
  connectorsVersion: null,
  considered: 0,
  same: 0,
  different: [],
  undetermined: [],
  notConsidered: 0,
}

const notFound = (): Problem => new Problem(404, 'There is no such dry run. Results are kept for seven days.')

async function readJson<T>(store: Pick<EventStore, 'get'>, key: string): Promise<T | null> {
  try {
    return JSON.parse((await store.get(key)).toString())
  } catch (error) {
    if (error instanceof Error && error.name === 'NoSuchKey') return null
    throw error
  }
}

/** @throws Problem 404 when the result of the search was deleted */
async function readGroups(search: Pick<EventSearch, 'page'>, id: string): Promise<MailGroup[]> {
  const groups: MailGroup[] = []
  let token: string | null = null
  do {
    const page: Awaited<ReturnType<EventSearch['page']>> = await search.page(id, token).catch((error) => {
      throw error instanceof InvalidRequestException ? notFound() : error
    })
    groups.push(...page.rows.map(mailGroupOf))
    token = page.next
  } while (token !== null)
  return groups
}

/** A connector of the request replaces the one of the same name and direction. */
function changesOf(input: DryRunInput, { all }: Snapshot, now: Date): ItemChange[] {
  const at = now.toISOString()
  const inbound = [...all.inbound.values()].map(({ connector }) => connector)
  const outbound = [...all.outbound.values()]
  const served = <T extends { id: string }>(known: T | undefined) => ({
    createdAt: at,
    version: 1,
    ...known,
    id: known?.id ?? newUlid(),
    updatedAt: at,
  })
  return [
    ...input.inboundConnectors.map((connector): ItemChange => {
      const item: InboundConnector = { ...served(byName(inbound, connector)), ...connector }
      return { kind: 'inbound-connector', key: item.id, item }
    }),
    ...input.outboundConnectors.map((connector): ItemChange => {
      const item: OutboundConnector = {
        validation: null,
        ...served(byName(outbound, connector)),
        ...connector,
      }
      return { kind: 'outbound-connector', key: item.id, item }
    }),
    ...input.deleted.map((key): ItemChange => {
      if (all.inbound.has(key)) return { kind: 'inbound-connector', key, item: null }
      if (all.outbound.has(key)) return { kind: 'outbound-connector', key, item: null }
      const errors = [{ path: 'deleted', message: `${key} is not the id of a connector` }]
      throw new Problem(422, 'The body is not valid.', { errors })
    }),
  ]
}

const byName = <T extends { name: string }>(connectors: readonly T[], { name }: { name: string }) =>
  connectors.find((connector) => comparableName(connector.name) === comparableName(name))

function scopeOf(changes: readonly ItemChange[], { all, acceptedDomains }: Snapshot) {
  const inbound = changes.flatMap(({ kind, key, item }) =>
    kind === 'inbound-connector' ? [item, all.inbound.get(key)?.connector] : [],
  )
  const outbound = changes.flatMap(({ kind, key, item }) =>
    kind === 'outbound-connector' ? [item, all.outbound.get(key)] : [],
  )
  return mailScope(inbound.filter(isPresent), outbound.filter(isPresent), acceptedDomains)
}

const isPresent = <T>(item: T | null | undefined): item is T => item != null

function nameOf(id: string, snapshots: readonly Snapshot[]): string {
  for (const { all } of snapshots) {
    const name = all.inbound.get(id)?.connector.name ?? all.outbound.get(id)?.name
    if (name !== undefined) return name
  }
  return id
}
