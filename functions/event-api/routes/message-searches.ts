/** `/message-searches`: searches for messages in the Parquet files of events. */
import { TooManyRequestsException } from '@aws-sdk/client-athena'
import { newUlid } from '../../../shared/content/ulid.ts'
import { dayMs } from '../../../shared/contract/durations.ts'
import { criteriaOf } from '../../../shared/event-queries/message-filters.ts'
import {
  type MessageSearchInput,
  type MessageSearchResult,
  readMessageSearch,
  startMessageSearch,
} from '../../../shared/event-queries/message-search.ts'
import { foundRow, messageSearchSql } from '../../../shared/event-queries/message-search-sql.ts'
import type { TimeRange } from '../../../shared/event-queries/sql.ts'
import type { EventSearch } from '../../../shared/events/event-search.ts'
import { startOf } from '../../../shared/events/hours.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { encodeCursor } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'

export interface SearchDependencies {
  search: Pick<EventSearch, 'start' | 'status' | 'page'>
  /** Name of the table of events. */
  table: string
  /** Returns an address at which an object of the events bucket can be read for fifteen minutes. */
  linkTo(key: string): Promise<string>
  /** The first hour whose events are not in Parquet files yet, `YYYY-MM-DDTHH`. */
  firstUnsealedHour(): Promise<string>
  retentionDays: number
  /** Milliseconds since the epoch. */
  now(): number
}

const defaultDays = 7

export const searchRoutes = (dependencies: SearchDependencies): Route[] => [
  route(startMessageSearch, async ({ body }) => {
    const { search, table, now, retentionDays } = dependencies
    const range = rangeOf(body, now(), retentionDays)
    const sql = messageSearchSql(table, { ...range, ...criteriaOf(body), state: body.state ?? null })
    const [id, open] = await Promise.all([start(search, sql), dependencies.firstUnsealedHour()])
    const completeUntil = new Date(startOf(open)).toISOString()
    return {
      status: 202,
      headers: { location: `/message-searches/${id}` },
      body: { id, completeUntil },
    }
  }),
  route(readMessageSearch, async ({ parameter, query }) => {
    const { search, linkTo } = dependencies
    const status = isSearchId(parameter) ? await search.status(parameter) : null
    if (status === null) throw new Problem(404, 'There is no such search. Results are kept for seven days.')
    const { state, reason, scannedOctets, ms, resultKey } = status
    const result = { id: parameter, state, reason, scannedOctets, ms }
    if (state !== 'Succeeded')
      return { status: 200, body: { ...result, rows: [], nextCursor: null, csv: null } }
    const [{ columns, rows, next }, csv] = await Promise.all([
      search.page(parameter, query.cursor ?? null, query.limit),
      linkTo(resultKey),
    ])
    const found: MessageSearchResult = {
      ...result,
      rows: rows.map((values) => foundRow(columns, values)),
      nextCursor: next === null ? null : encodeCursor(next),
      csv,
    }
    return { status: 200, body: found }
  }),
]

/** Athena's ids are UUIDs. */
const isSearchId = (text: string): boolean => /^[0-9a-f-]{36}$/.test(text)

async function start(search: Pick<EventSearch, 'start'>, sql: string): Promise<string> {
  try {
    return await search.start(sql, newUlid())
  } catch (error) {
    if (error instanceof TooManyRequestsException)
      throw new Problem(429, 'Too many searches run in this account. Try again in a minute.')
    throw error
  }
}

function rangeOf({ from, to }: MessageSearchInput, now: number, retentionDays: number): TimeRange {
  const end = to ?? new Date(now)
  const begin = from ?? new Date(end.getTime() - defaultDays * dayMs)
  if (begin >= end) throw invalidField('from', 'must be earlier than to')
  if (now - begin.getTime() > (retentionDays + 1) * dayMs)
    throw invalidField('from', `is more than ${retentionDays} days ago; events are kept for this time`)
  return { from: begin, to: end }
}

const invalidField = (path: string, message: string): Problem =>
  new Problem(422, 'The body is not valid.', { errors: [{ path, message }] })
