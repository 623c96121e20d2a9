/** `/messages`: the message trace. */
import * as z from 'zod'
import { dayMs } from '../../../shared/contract/durations.ts'
import { messageColumnNames } from '../../../shared/event-queries/message-columns.ts'
import { criteriaOf, messageFilters } from '../../../shared/event-queries/message-filters.ts'
import { tracedRows } from '../../../shared/event-queries/traced-rows.ts'
import {
  csvListResponse,
  historyCursor,
  instant,
  isUlid,
  limitUpTo,
  listOf,
  listResponse,
} from '../../../shared/http-api/lists.ts'
import { invalidParameter } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import type { History, HistoryFilter, HistoryPosition, TimeSpan } from '../../../shared/messages/history.ts'
import type { RejectedFilter, RejectedList } from '../../../shared/messages/rejected-list.ts'
import { RecipientStates, TraceEntry } from '../../../shared/messages/trace-entry.ts'
import {
  type MessagePage,
  RejectedEvent,
  RejectedEventList,
  rejectedCursor,
  rejectedPage,
  rejectedState,
} from './rejected.ts'
import { notFoundProblem } from './write-responses.ts'

export const MessageList = listOf(TraceEntry)

const defaultSpanMs = dayMs
/** Each day of the span costs one query per index partition, even when it has no mail. */
const maxSpanMs = 31 * dayMs

const MessageQuery = z.strictObject({
  from: instant.optional().describe('received at or after this time; default: 24 hours before to'),
  to: instant.optional().describe('received before this time; default: now'),
  ...messageFilters,
  minSize: messageFilters.minSize.describe('octets of the message, at least; not with state=Rejected'),
  state: z
    .enum([...RecipientStates, rejectedState])
    .optional()
    .describe('Rejected lists what was refused in the session, as events; the other lists do not contain it'),
  cursor: z.union([historyCursor, rejectedCursor]).optional().describe('nextCursor of the previous page'),
  limit: limitUpTo(200, 50),
})
type MessageQuery = z.output<typeof MessageQuery>

export function messageRoutes(
  history: History,
  rejected: Pick<RejectedList, 'page' | 'get'>,
  now: () => number,
): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/messages',
        role: 'read',
        summary: 'List messages, newest first',
        query: MessageQuery,
        csv: true,
        answers: { 200: z.union([MessageList, RejectedEventList]) },
      },
      async ({ query, acceptsCsv, target }) => {
        const { state, cursor = null, limit } = query
        const span = spanOf(query, now())
        if ((cursor?.before.includes('#') ?? state === rejectedState) !== (state === rejectedState))
          throw invalidParameter('cursor', 'is not a cursor of this list')
        const { items, rows, next } =
          state === rejectedState
            ? await rejectedPage(rejected, rejectedFilter(query, span), cursor, limit)
            : await tracedPage(history, { ...filterOf(query, span), state: state ?? null }, cursor, limit)
        if (!acceptsCsv) return listResponse(items, next)
        const fixed = { from: span.since.toISOString(), to: span.until.toISOString() }
        const page = { name: 'messages', columns: messageColumnNames, rows: rows(), next, fixed }
        return csvListResponse(page, target)
      },
    ),
    route(
      {
        method: 'GET',
        path: '/messages/{id}',
        role: 'read',
        summary: 'Read the trace of a message, or what is known of a refusal in the session',
        answers: { 200: z.union([TraceEntry, RejectedEvent]) },
        problems: [404],
      },
      async ({ parameter }) => {
        if (!isUlid(parameter)) throw notFoundProblem('message')
        const body = (await history.entry(parameter)) ?? (await rejected.get(parameter))
        if (body === null) throw notFoundProblem('message')
        return { status: 200, body }
      },
    ),
  ]
}

async function tracedPage(
  history: History,
  filter: HistoryFilter,
  from: HistoryPosition | null,
  limit: number,
): Promise<MessagePage> {
  const { entries, next } = await history.page(filter, from, limit)
  return { items: entries, rows: () => entries.flatMap(tracedRows), next }
}

/** @throws Problem 400 for a span that is empty or too long */
function spanOf({ from, to }: Pick<MessageQuery, 'from' | 'to'>, now: number): TimeSpan {
  const until = to ?? new Date(now)
  const since = from ?? new Date(until.getTime() - defaultSpanMs)
  if (since >= until) throw invalidParameter('from', 'must be earlier than the end of the period')
  if (until.getTime() - since.getTime() > maxSpanMs)
    throw invalidParameter('from', 'must be at most 31 days before the end of the period')
  return { since, until }
}

const filterOf = (query: MessageQuery, span: TimeSpan): Omit<HistoryFilter, 'state'> => ({
  ...span,
  ...criteriaOf(query),
})

/** @throws Problem 400 for a filter that no refusal can match, whose empty list would look like an answer */
function rejectedFilter(query: MessageQuery, span: TimeSpan): RejectedFilter {
  const { minSize, ...filter } = filterOf(query, span)
  if (minSize === null) return filter
  throw invalidParameter(
    'minSize',
    'cannot be used with state=Rejected: most refusals come before the size is known',
  )
}
