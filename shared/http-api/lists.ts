/** Shared parts of all lists: queries, cursors and pages. */
import * as z from 'zod'
import { type CsvValue, csvText } from './csv.ts'
import { csvResponse } from './csv-response.ts'
import { cursorSchema, encodeCursor } from './request.ts'
import type { RequestTarget, RouteResponse } from './route.ts'

export const limitUpTo = (maxLimit: number, defaultLimit: number) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(maxLimit)
    .default(defaultLimit)
    .describe('maximum number of entries of a page')

export const instant = z.iso
  .datetime({
    offset: true,
    error: ({ input }) =>
      / \d\d:\d\d$/.test(String(input))
        ? 'has a space where the offset begins: in a query, + is written %2B'
        : 'is not a time in ISO 8601 with its offset, such as 2026-02-03T11:00:00Z',
  })
  .transform((text) => new Date(text))
  .refine((time) => time.getUTCFullYear() <= 9999, 'is after the year 9999')

/** Cursor of a search through the message trace. */
export const historyCursor = cursorSchema(
  z.strictObject({ day: z.iso.date(), before: z.string().regex(/^[0-9A-Z]{26}$/) }),
)

export const isUlid = (text: string): boolean => z.ulid().safeParse(text).success

/** Query of a list that is sorted by key. */
export const KeyedListQuery = z.strictObject({
  cursor: cursorSchema(z.string().min(1).max(255)).optional(),
  limit: limitUpTo(200, 100),
})

export const listOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() })

/** Returns a handler that answers with one page of a list sorted by key. */
export const keyedListHandler =
  (list: { page(after: string | null, limit: number): Promise<{ items: unknown[]; last: string | null }> }) =>
  async ({
    query: { cursor, limit },
  }: {
    query: z.output<typeof KeyedListQuery>
  }): Promise<RouteResponse> => {
    const { items, last } = await list.page(cursor ?? null, limit)
    return listResponse(items, last)
  }

export const listResponse = (items: readonly unknown[], next: unknown) => ({
  status: 200,
  body: { items, nextCursor: next === null ? null : encodeCursor(next) },
})

export interface CsvPage {
  /** Name of the file that a browser stores, without its extension. */
  name: string
  columns: readonly string[]
  rows: readonly Readonly<Record<string, CsvValue>>[]
  /** The position at which the next page starts, or null. */
  next: unknown
  /** Parameters of the next page that must not depend on its time, such as the end of the period. */
  fixed?: Readonly<Record<string, string>>
}

/** Answers a page as CSV. CSV has no place for a cursor, so a header has the address of the next page (RFC 8288 §3). */
export function csvListResponse({ name, columns, rows, next, fixed = {} }: CsvPage, target: RequestTarget) {
  const response = csvResponse(name, csvText(columns, rows))
  if (next === null) return response
  const query = new URLSearchParams(target.query)
  for (const [parameter, value] of Object.entries(fixed)) query.set(parameter, value)
  query.set('cursor', encodeCursor(next))
  return { ...response, headers: { ...response.headers, link: `<${target.path}?${query}>; rel="next"` } }
}
