/** Starts a search for messages, waits for its end, and reads its rows. */
import * as z from 'zod'
import { type ApiClient, encodeUrlPart } from '../api/api-client.ts'
import { ApiError, optionFaultsText } from '../api/api-error.ts'
import { CommandError } from '../command-error.ts'
import { waitForResult } from './wait-for-result.ts'

const StartedSearch = z.object({ id: z.string(), completeUntil: z.iso.datetime() })
export type StartedSearch = z.output<typeof StartedSearch>

const SearchPage = z.object({
  state: z.string(),
  reason: z.string().nullable(),
  scannedOctets: z.number(),
  ms: z.number(),
  rows: z.array(z.unknown()),
  nextCursor: z.string().nullable(),
  csv: z.url().nullable(),
})
export type SearchPage = z.output<typeof SearchPage>

const maxPageSize = 999

/** @throws CommandError that names options instead of fields */
export async function startSearch(api: ApiClient, fields: object): Promise<StartedSearch> {
  try {
    return await api.post(StartedSearch, '/message-searches', fields)
  } catch (error) {
    if (error instanceof ApiError && error.status === 422)
      throw new CommandError(optionFaultsText(error.faults))
    throw error
  }
}

/**
 * Waits until the search has ended, also if it has failed.
 * @param pageSize number of rows to read
 * @returns the state, and the first page of the rows
 */
export const waitForSearch = (
  api: ApiClient,
  id: string,
  pageSize: number,
  io: Parameters<typeof waitForResult>[2],
): Promise<SearchPage> =>
  waitForResult(
    () => readPage(api, id, pageSize, undefined),
    { doing: 'Searching', goesOn: goesOnText(id) },
    io,
  )

const goesOnText = (id: string): string => `the search goes on; to print its result: ${resultCommand(id)}`

export const resultCommand = (id: string): string => `npx mailflow messages search --id ${id}`

const readPage = (
  api: ApiClient,
  id: string,
  pageSize: number,
  cursor: string | undefined,
): Promise<SearchPage> =>
  api.get(SearchPage, `/message-searches/${encodeUrlPart(id)}`, {
    limit: Math.min(Math.max(pageSize, 1), maxPageSize),
    cursor,
  })

/**
 * Reads further pages until there are enough rows.
 * @returns at most `limit` rows, and whether there are more
 */
export async function readRows(
  api: ApiClient,
  id: string,
  first: SearchPage,
  limit: number,
): Promise<{ rows: unknown[]; more: boolean }> {
  const rows = [...first.rows]
  let cursor = first.nextCursor
  while (cursor !== null && rows.length < limit) {
    const page = await readPage(api, id, limit - rows.length, cursor)
    rows.push(...page.rows)
    cursor = page.nextCursor
  }
  return { rows: rows.slice(0, limit), more: cursor !== null || rows.length > limit }
}
