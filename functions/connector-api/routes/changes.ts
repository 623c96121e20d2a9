/** `/changes`: the log of changes of connectors and accepted domains. */
import * as z from 'zod'
import { comparableName } from '../../../shared/connectors/comparable-name.ts'
import { type Change, ItemKind } from '../../../shared/connectors-table/change-log.ts'
import type { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { changeColumns, changeRow } from '../../../shared/event-queries/change-columns.ts'
import { csvListResponse, instant, limitUpTo, listOf, listResponse } from '../../../shared/http-api/lists.ts'
import { cursorSchema } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'

const fields = z.record(z.string(), z.unknown())

export const ChangeEntry = z.strictObject({
  version: z.int().positive().describe('version of the configuration after the change'),
  at: z.iso.datetime(),
  actor: z.string().describe('IAM principal, or subject of the token'),
  kind: ItemKind,
  id: z.string().optional().describe('id of the connector'),
  domain: z.string().optional().describe('the accepted domain'),
  name: z.string().describe('name of the connector after the change, or the domain'),
  action: z.enum(['Created', 'Changed', 'Deleted']),
  before: fields
    .nullable()
    .describe('values of the fields that changed; null: created. A list of recipients has no addresses here'),
  after: fields.nullable().describe('values of the fields that changed; null: deleted'),
})

export const ChangeList = listOf(ChangeEntry)

const ChangePosition = z.strictObject({ before: z.int().positive() })
type ChangePosition = z.output<typeof ChangePosition>

const ChangeQuery = z.strictObject({
  from: instant.optional().describe('changed at or after this time'),
  to: instant.optional().describe('changed before this time; default: now'),
  actor: z.string().min(1).max(2048).optional().describe('IAM principal, or subject of the token'),
  kind: ItemKind.optional(),
  key: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('id or name of a connector, or a domain; letter case does not matter'),
  cursor: cursorSchema(ChangePosition).optional(),
  limit: limitUpTo(200, 100),
})
type ChangeQuery = z.output<typeof ChangeQuery>

/** Changes that one request reads. A page of a rare filter may have no entry, and still a cursor. */
const maxReadChanges = 2000

export const changesRoute = (repository: Pick<ConnectorRepository, 'changes'>): Route =>
  route(
    {
      method: 'GET',
      path: '/changes',
      role: 'read',
      summary: 'List changes of connectors and accepted domains, newest first',
      query: ChangeQuery,
      csv: true,
      answers: { 200: ChangeList },
    },
    async ({ query, acceptsCsv, target }) => {
      const answer = (entries: z.output<typeof ChangeEntry>[], next: ChangePosition | null) =>
        acceptsCsv
          ? csvListResponse(
              { name: 'changes', columns: changeColumns, rows: entries.map(changeRow), next },
              target,
            )
          : listResponse(entries, next)
      const entries: z.output<typeof ChangeEntry>[] = []
      let count = 0
      const before = query.cursor?.before ?? (await repository.changes.versionAt(query.to ?? null))
      for await (const change of repository.changes.newestFirst(before - 1)) {
        if (query.from && change.at < query.from.toISOString()) return answer(entries, null)
        if (isSelected(change, query)) entries.push(entryOf(change))
        if (entries.length === query.limit || ++count === maxReadChanges)
          return answer(entries, change.version > 1 ? { before: change.version } : null)
      }
      return answer(entries, null)
    },
  )

const isSelected = (change: Change, { actor, kind, key }: ChangeQuery): boolean =>
  (actor === undefined || change.actor === actor) &&
  (kind === undefined || change.kind === kind) &&
  (key === undefined || namesOf(change).some((name) => comparableName(name) === comparableName(key)))

/** A renamed connector is found by its old name, too. */
const namesOf = ({ key, name, before }: Change): string[] => [key, name, String(before?.name ?? '')]

function entryOf({ kind, key, before, after, ...change }: Change): z.output<typeof ChangeEntry> {
  const action = before === null ? 'Created' : after === null ? 'Deleted' : 'Changed'
  return {
    ...change,
    kind,
    ...(kind === 'accepted-domain' ? { domain: key } : { id: key }),
    action,
    before,
    after,
  }
}
