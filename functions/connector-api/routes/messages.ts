/** `/messages`: the message trace. */
import { isIPv4, SocketAddress } from 'node:net'
import * as z from 'zod'
import { dayMs } from '../../../shared/contract/durations.ts'
import {
  historyCursor,
  instant,
  isUlid,
  limitUpTo,
  listOf,
  listResponse,
} from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import {
  type AddressFilter,
  type History,
  type HistoryFilter,
  parseAddressFilter,
} from '../../../shared/messages/history.ts'
import type { RejectedList } from '../../../shared/messages/rejected-list.ts'
import { RecipientStates, TraceEntry } from '../../../shared/messages/trace-entry.ts'
import { RejectedEventList, rejectedCursor, rejectedPage, rejectedState } from './rejected.ts'
import { notFoundProblem } from './write-responses.ts'

export const MessageList = listOf(TraceEntry)

const defaultSpanMs = dayMs
/** Each day of the span costs one query per index partition, even when it has no mail. */
const maxSpanMs = 31 * dayMs

const addressFilter = z
  .string()
  .max(320)
  .transform((text, context): AddressFilter => {
    const filter = parseAddressFilter(text)
    if (filter !== null) return filter
    context.addIssue({ code: 'custom', message: 'is not an address, a domain or <>' })
    return z.NEVER
  })

/** Rows have the text of Node's sockets, so the address is written in the same way. */
const clientAddress = z.union([z.ipv4(), z.ipv6()]).transform((address) => {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6'
  return new SocketAddress({ address, family }).address
})

const MessageQuery = z.strictObject({
  since: instant.optional().describe('received at or after this time; default: 24 hours before until'),
  until: instant.optional().describe('received before this time; default: now'),
  sender: addressFilter.optional().describe('an address, a domain, or <> for the null reverse path'),
  recipient: addressFilter.optional().describe('an address or a domain'),
  state: z
    .enum([...RecipientStates, rejectedState])
    .optional()
    .describe('Rejected lists what was refused in the session, as events; the other lists do not contain it'),
  connector: z
    .ulid('is not the id of a connector')
    .optional()
    .describe('id of a connector that applied to the message'),
  messageId: z
    .string()
    .min(1)
    .max(998)
    .optional()
    .describe('field Message-ID, with or without its angle brackets'),
  clientIp: clientAddress.optional().describe('IP address of the client that sent the message'),
  cursor: z.union([historyCursor, rejectedCursor]).optional(),
  limit: limitUpTo(200, 50),
})

export function messageRoutes(
  history: History,
  rejected: Pick<RejectedList, 'page'>,
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
        answers: { 200: z.union([MessageList, RejectedEventList]) },
      },
      async ({ query }) => {
        const { state = null, cursor = null, limit } = query
        const filter = filterOf(query, now())
        if ((cursor?.before.includes('#') ?? state === rejectedState) !== (state === rejectedState))
          throw invalid('cursor', 'is not a cursor of this list')
        if (state === rejectedState) return rejectedPage(rejected, filter, cursor, limit)
        const { entries, next } = await history.page({ ...filter, state }, cursor, limit)
        return listResponse(entries, next)
      },
    ),
    route(
      {
        method: 'GET',
        path: '/messages/{id}',
        role: 'read',
        summary: 'Read the trace of a message',
        answers: { 200: TraceEntry },
        problems: [404],
      },
      async ({ parameter }) => {
        const entry = isUlid(parameter) ? await history.entry(parameter) : null
        if (!entry) throw notFoundProblem('message')
        return { status: 200, body: entry }
      },
    ),
  ]
}

/** @throws Problem 400 for a span that is empty or too long */
function filterOf(query: z.output<typeof MessageQuery>, now: number): Omit<HistoryFilter, 'state'> {
  const until = query.until ?? new Date(now)
  const since = query.since ?? new Date(until.getTime() - defaultSpanMs)
  if (since >= until) throw invalid('since', 'must be earlier than until')
  if (until.getTime() - since.getTime() > maxSpanMs)
    throw invalid('since', 'must be at most 31 days before until')
  const { sender = null, recipient = null, connector = null } = query
  const { messageId = null, clientIp = null } = query
  return { since, until, sender, recipient, connector, messageId, clientIp }
}

const invalid = (path: string, message: string): Problem =>
  new Problem(400, 'The query is not valid.', { errors: [{ path, message }] })
