/** `/queues`: deferred mail by what it waits for, and requests of an administrator for it. */
import * as z from 'zod'
import { DomainName } from '../../../shared/connectors/fields.ts'
import type { MailRequestKind } from '../../../shared/contract/events.ts'
import type { Role } from '../../../shared/contract/roles.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { cursorSchema } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import { WaitingGroups } from '../../../shared/messages/waiting-groups.ts'
import { type WaitingList, waitingForOf } from '../../../shared/messages/waiting-list.ts'
import { waitingReasons } from '../../../shared/policy/reasons.ts'
import {
  matchesFilter,
  noneValue,
  type RequestedMail,
  requestForFilter,
  requestForIds,
  type SelectionDependencies,
} from '../mail-selection.ts'
import type { MailRequest } from '../waiting-mail.ts'
import { mailRequest, RequestReason, WaitingMail, waitingMail, waitingPosition } from './waiting-mail.ts'

const direction = z.enum(['Originating', 'Incoming'])

const QueueFilter = z.strictObject({
  partner: DomainName.optional().describe('domain of the group; none: groups without a domain'),
  reason: z.enum(waitingReasons).optional(),
  connector: z
    .union([z.literal(noneValue), z.ulid()], 'is not the id of a connector')
    .optional()
    .describe('id of the connector that decided; it may be deleted. none: no connector decided'),
  direction: direction.optional(),
})

export const QueueList = z.strictObject({
  items: z
    .array(
      z.strictObject({
        partner: z
          .string()
          .nullable()
          .describe(
            "the sender's domain if an inbound connector holds the mail, otherwise the recipient's; null if it has none",
          ),
        direction,
        reason: z.string().describe('of the last decision'),
        connector: z.string().nullable().describe('id of the connector that decided; null if none did'),
        recipients: z.int().positive(),
        messages: z.int().positive(),
        octets: z.int().nonnegative().describe('of the messages'),
        oldest: z.iso.datetime().describe('time of receipt of the oldest message'),
        expires: z.iso.datetime().describe('when the first recipient bounces'),
        nextAttempt: z.iso.datetime().describe('when the next decision is due'),
        samples: z.array(z.string()).describe('ids of the messages that expire first, at most 3'),
      }),
    )
    .describe('the group that expires first is the first'),
  omitted: z.int().nonnegative().describe('number of groups that are not listed'),
  complete: z.boolean().describe('false when the time was over: then more mail waits'),
})

/** A response may have 6 MB. */
const maxGroups = 5000
/** Below the function's timeout. */
const maxReadMs = 8_000

export interface QueueDependencies extends SelectionDependencies {
  waiting: Pick<WaitingList, 'find' | 'read'>
}

const listRoute = ({ waiting, now }: QueueDependencies): Route =>
  route(
    {
      method: 'GET',
      path: '/queues',
      role: 'read',
      summary: 'List deferred mail, grouped by partner, direction, reason and connector',
      query: QueueFilter,
      answers: { 200: QueueList },
    },
    async ({ query }) => {
      const startedAt = now()
      const groups = new WaitingGroups()
      const complete = await waiting.read(
        (rows) => {
          for (const row of rows) {
            const waitingFor = waitingForOf(row)
            if (matchesFilter(query, waitingFor)) groups.add(row, waitingFor)
          }
        },
        () => now() - startedAt >= maxReadMs,
      )
      const sorted = groups.sorted()
      const items = sorted.slice(0, maxGroups)
      return { status: 200, body: { items, omitted: sorted.length - items.length, complete } }
    },
  )

const maxIds = 1000

const Target = z.strictObject({
  ids: z
    .array(z.ulid('is not the id of a message'))
    .min(1)
    .max(maxIds)
    .optional()
    .describe('ids of messages'),
  filter: QueueFilter.optional().describe('mail that matches each given field; at least one'),
})
/** An empty filter would select all mail, which is too easily requested by mistake. */
function checkTarget({ ids, filter }: z.output<typeof Target>, context: z.core.$RefinementCtx): void {
  const fault = (message: string) => context.addIssue({ code: 'custom', path: ['filter'], message })
  if ((ids === undefined) === (filter === undefined)) fault('give either ids or filter')
  else if (filter !== undefined && Object.values(filter).every((value) => value === undefined))
    fault('needs at least one field')
}

const QueueRequestInput = Target.extend({ reason: RequestReason.optional() }).superRefine(checkTarget)
const ExplainedQueueRequestInput = Target.extend({ reason: RequestReason }).superRefine(checkTarget)

export const RequestedQueues = WaitingMail.extend({
  skipped: z
    .array(z.strictObject({ id: z.string(), why: z.string() }))
    .describe('ids to which the request does not apply; empty with a filter'),
})

const actQuery = z.strictObject({
  cursor: cursorSchema(
    z.union([waitingPosition, z.strictObject({ ids: z.int().positive().max(maxIds) })]),
  ).optional(),
})

const actRoute = (
  kind: MailRequestKind,
  role: Role,
  summary: string,
  body: typeof QueueRequestInput | typeof ExplainedQueueRequestInput,
  dependencies: QueueDependencies,
): Route =>
  route(
    {
      method: 'POST',
      path: `/queues/${kind.toLowerCase()}`,
      role,
      summary,
      query: actQuery,
      body,
      bodyName: body === QueueRequestInput ? 'QueueRequestInput' : 'ExplainedQueueRequestInput',
      answers: { 202: RequestedQueues },
      problems: [409],
    },
    async ({ body: { ids, filter, reason }, query: { cursor = null }, caller }) => {
      const request = mailRequest(kind, caller, dependencies, reason)
      if (ids !== undefined) return idsResponse([...new Set(ids)], cursor, request, dependencies)
      if (cursor !== null && 'ids' in cursor) throw wrongCursor()
      const result = await requestForFilter(filter ?? {}, cursor, request, dependencies)
      return { status: 202, body: { ...waitingMail(result), skipped: [] } }
    },
  )

/** @throws Problem 409 when the request applies to no message */
async function idsResponse(
  ids: readonly string[],
  cursor: { ids: number } | { before: string } | null,
  request: MailRequest,
  dependencies: QueueDependencies,
) {
  if (cursor !== null && 'before' in cursor) throw wrongCursor()
  const result: RequestedMail<unknown> = await requestForIds(ids, cursor, request, dependencies)
  if (cursor === null && result.next === null && result.recipients === 0)
    throw new Problem(409, `The request applies to no message: ${result.skipped[0]?.why}`, {
      errors: result.skipped.map(({ id, why }) => ({ path: id, message: why })),
    })
  return { status: 202, body: { ...waitingMail(result), skipped: result.skipped } }
}

export const queueRoutes = (dependencies: QueueDependencies): Route[] => [
  listRoute(dependencies),
  actRoute('Retry', 'operate', 'Decide now about deferred mail', QueueRequestInput, dependencies),
  actRoute(
    'Release',
    'operate',
    'Deliver mail that inbound connectors hold, despite its violation. What outbound connectors require still applies',
    ExplainedQueueRequestInput,
    dependencies,
  ),
  actRoute('Return', 'operate', 'Bounce deferred mail now, with a DSN', QueueRequestInput, dependencies),
  actRoute(
    'Drop',
    'administer',
    'Bounce deferred mail now, without a DSN or any other mail',
    ExplainedQueueRequestInput,
    dependencies,
  ),
]

const wrongCursor = (): Problem =>
  new Problem(400, 'The query is not valid.', {
    errors: [{ path: 'cursor', message: 'is not a cursor of this request' }],
  })
