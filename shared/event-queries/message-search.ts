/** The routes of searches for messages, for the function that has them and for the OpenAPI document. */
import * as z from 'zod'
import { instant, limitUpTo } from '../http-api/lists.ts'
import { cursorSchema } from '../http-api/request.ts'
import type { RouteDescription } from '../http-api/route.ts'
import { RecipientStates } from '../messages/trace-entry.ts'
import { messageFilters } from './message-filters.ts'

export const MessageSearchInput = z.strictObject({
  from: instant.optional().describe('received at or after this time; default: 7 days before to'),
  to: instant.optional().describe('received before this time; default: now'),
  ...messageFilters,
  state: z
    .enum([...RecipientStates, 'Rejected'])
    .optional()
    .describe('default: any; what was refused in the session is found too'),
})
export type MessageSearchInput = z.output<typeof MessageSearchInput>

const completeUntil = z.iso
  .datetime()
  .describe('mail that was received later is in GET /messages, and is found by searches within two hours')

export const StartedSearch = z.strictObject({ id: z.string(), completeUntil })

export const MessageSearchResult = z.strictObject({
  id: z.string(),
  completeUntil: completeUntil.nullable().meta({ description: 'as when it was started; null: not known' }),
  state: z.enum(['Running', 'Succeeded', 'Failed', 'Cancelled']),
  reason: z.string().nullable().describe('why it failed or was cancelled'),
  scannedOctets: z.int().nonnegative().describe('octets that were read, for which AWS bills'),
  ms: z.int().nonnegative().describe('duration'),
  rows: z
    .array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])))
    .describe(
      'a row for each recipient and each refusal, the newest first, with the columns of GET /messages as CSV',
    ),
  nextCursor: z.string().nullable(),
  csv: z
    .url()
    .nullable()
    .describe('address of all rows as CSV, for fifteen minutes; a new one comes with each request'),
})
export type MessageSearchResult = z.infer<typeof MessageSearchResult>

export const startMessageSearch = {
  method: 'POST',
  path: '/message-searches',
  role: 'read',
  summary: 'Search for messages up to the retention of events. The search runs for seconds to minutes',
  body: MessageSearchInput,
  bodyName: 'MessageSearchInput',
  answers: { 202: StartedSearch },
  problems: [429],
} as const satisfies RouteDescription

export const readMessageSearch = {
  method: 'GET',
  path: '/message-searches/{id}',
  role: 'read',
  summary: 'Read the state of a search, and a page of its rows',
  query: z.strictObject({
    cursor: cursorSchema(z.string().min(1).max(1024)).optional().describe('nextCursor of the previous page'),
    limit: limitUpTo(999, 200),
  }),
  answers: { 200: MessageSearchResult },
  problems: [404],
} as const satisfies RouteDescription
