/** `/message-searches`: searches for messages in the Parquet files of events. */
import { InvalidRequestException } from '@aws-sdk/client-athena'
import { criteriaOf, type MessageCriteria } from '../../../shared/event-queries/message-filters.ts'
import {
  type MessageSearchResult,
  readMessageSearch,
  startMessageSearch,
} from '../../../shared/event-queries/message-search.ts'
import { foundRow, messageSearchSql } from '../../../shared/event-queries/message-search-sql.ts'
import type { EventSearch } from '../../../shared/events/event-search.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { encodeCursor, invalidParameter } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import type { AddressHash } from '../../../shared/mail/address-hash.ts'
import { type ReadAddressHash, readOrRefuse } from '../address-hash.ts'
import {
  completeUntil,
  noteCompleteUntil,
  notedCompleteUntil,
  rangeOf,
  startSearch,
} from '../start-search.ts'

export interface SearchDependencies {
  search: Pick<EventSearch, 'start' | 'status' | 'page'>
  /** Name of the table of events. */
  table: string
  /** Returns an address at which an object of the events bucket can be read for fifteen minutes. */
  linkTo(key: string): Promise<string>
  /** The first hour whose events are not in Parquet files yet, `YYYY-MM-DDTHH`. */
  firstUnsealedHour(): Promise<string>
  readAddressHash: ReadAddressHash
  retentionDays: number
  /** Milliseconds since the epoch. */
  now(): number
}

export const searchRoutes = (dependencies: SearchDependencies): Route[] => [
  route(startMessageSearch, async ({ body }) => {
    const { search, table, now, retentionDays } = dependencies
    const range = rangeOf(body, now(), retentionDays)
    const criteria = criteriaOf(body)
    const hash = await hashFor(criteria, dependencies.readAddressHash)
    const sql = messageSearchSql(table, { ...range, ...criteria, state: body.state ?? null, hash })
    const until = completeUntil(await dependencies.firstUnsealedHour())
    const id = await startSearch(search, noteCompleteUntil(sql, until))
    return {
      status: 202,
      headers: { location: `/message-searches/${id}` },
      body: { id, completeUntil: until },
    }
  }),
  route(readMessageSearch, async ({ parameter, query }) => {
    const { search, linkTo } = dependencies
    const status = isSearchId(parameter) ? await search.status(parameter) : null
    if (status === null) throw notFound()
    const { sql, state, reason, scannedOctets, ms, resultKey } = status
    const result = {
      id: parameter,
      completeUntil: notedCompleteUntil(sql),
      ...{ state, reason, scannedOctets, ms },
    }
    if (state !== 'Succeeded')
      return { status: 200, body: { ...result, rows: [], nextCursor: null, csv: null } }
    const [{ columns, rows, next }, csv] = await Promise.all([
      pageOf(search, parameter, query.cursor ?? null, query.limit),
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

/** The key is read only for a search that has an address, so that others do not depend on it. */
async function hashFor(
  { sender, recipient }: Pick<MessageCriteria, 'sender' | 'recipient'>,
  read: ReadAddressHash,
): Promise<AddressHash | null> {
  const hasAddress = [sender, recipient].some((filter) => filter?.kind === 'address' && filter.address !== '')
  return hasAddress ? readOrRefuse(read) : null
}

const notFound = (): Problem => new Problem(404, 'There is no such search. Results are kept for seven days.')

/** @throws Problem when the result was deleted, or Athena did not give this token */
async function pageOf(search: Pick<EventSearch, 'page'>, id: string, token: string | null, limit: number) {
  try {
    return await search.page(id, token, limit)
  } catch (error) {
    if (!(error instanceof InvalidRequestException)) throw error
    throw token === null
      ? notFound()
      : invalidParameter('cursor', 'is not a cursor of this search, or its result is no longer kept')
  }
}

/** Athena's ids are UUIDs. */
const isSearchId = (text: string): boolean => /^[0-9a-f-]{36}$/.test(text)
