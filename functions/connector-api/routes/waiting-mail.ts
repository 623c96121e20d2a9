/** `POST …/retry`, `…/release` and `…/return`: requests of an administrator for deferred mail. */
import * as z from 'zod'
import type { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import type { MailRequestKind } from '../../../shared/contract/events.ts'
import { invisibleFault } from '../../../shared/contract/visible-text.ts'
import { historyCursor, isUlid } from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { cursorSchema, encodeCursor } from '../../../shared/http-api/request.ts'
import { type Route, type RouteResponse, route } from '../../../shared/http-api/route.ts'
import {
  type DecidingConnector,
  type RequestedMail,
  requestForConnector,
  retryAll,
  type SelectionDependencies,
} from '../mail-selection.ts'
import { type Dependencies, type MailRequest, requestForMessage } from '../waiting-mail.ts'
import { notFoundProblem } from './write-responses.ts'

export const WaitingRecipients = z.strictObject({
  requested: z.int().positive().describe('number of recipients'),
  recipients: z.array(z.string()),
})

export const WaitingMail = z.strictObject({
  requested: z.int().nonnegative().describe('number of recipients'),
  messages: z.int().nonnegative().describe('number of messages'),
  nextCursor: z
    .string()
    .nullable()
    .describe('cursor of the next request; null when all deferred recipients were requested'),
})

export const waitingPosition = z.strictObject({ before: z.string().regex(/^[0-9A-Z]{26}$/) })

/** The reason that an administrator gives. */
export const RequestReason = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .superRefine((text, context) => {
    const message = invisibleFault(text)
    if (message !== null) context.addIssue({ code: 'custom', message })
  })
  .describe('why; in the trace and in the event, and in no mail')

export const mailRequest = (
  kind: MailRequestKind,
  caller: string,
  { now }: Pick<Dependencies, 'now'>,
  reason?: string,
): MailRequest => ({
  kind,
  at: new Date(now()).toISOString(),
  by: caller,
  ...(reason !== undefined && { reason }),
})

export function waitingMailRoutes(
  { inbound, outbound }: ConnectorRepository,
  dependencies: SelectionDependencies,
): Route[] {
  return [
    messageRoute('Retry', 'Retry the deferred recipients of a message now', dependencies),
    releaseRoute(dependencies),
    messageRoute('Return', 'Bounce the deferred recipients of a message now, with a DSN', dependencies),
    retryAllRoute(dependencies),
    connectorRetryRoute('inbound', (id) => inbound.get(id), dependencies),
    connectorRetryRoute('outbound', (id) => outbound.get(id), dependencies),
    connectorReturnRoute(dependencies),
  ]
}

const messageRoute = (kind: 'Retry' | 'Return', summary: string, dependencies: Dependencies): Route =>
  route(
    {
      method: 'POST',
      path: `/messages/{id}/${kind.toLowerCase()}`,
      role: 'operate',
      summary,
      answers: { 202: WaitingRecipients },
      problems: [404, 409],
    },
    ({ parameter, caller }) =>
      messageResponse(parameter, mailRequest(kind, caller, dependencies), dependencies),
  )

const releaseRoute = (dependencies: Dependencies): Route =>
  route(
    {
      method: 'POST',
      path: '/messages/{id}/release',
      role: 'operate',
      summary: 'Deliver the recipients of a message that an inbound connector holds, despite its violation',
      body: z.strictObject({ reason: RequestReason }),
      bodyName: 'ReleaseInput',
      answers: { 202: WaitingRecipients },
      problems: [404, 409],
    },
    ({ parameter, body, caller }) =>
      messageResponse(parameter, mailRequest('Release', caller, dependencies, body.reason), dependencies),
  )

/** @throws Problem 404, or 409 when the request applies to no recipient */
async function messageResponse(
  id: string,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<RouteResponse> {
  const result = isUlid(id) ? await requestForMessage(id, request, dependencies) : null
  if (!result) throw notFoundProblem('message')
  if (result.kind === 'NotApplicable')
    throw new Problem(409, result.why, {
      errors: result.states.map(({ address, state }) => ({ path: address, message: `is ${state}` })),
    })
  const { recipients } = result
  return { status: 202, body: { requested: recipients.length, recipients } }
}

const retryAllRoute = (dependencies: Dependencies): Route =>
  route(
    {
      method: 'POST',
      path: '/messages/retry',
      role: 'operate',
      summary:
        'Retry now all deferred and pending recipients of the last 14 days, also those whose jobs were lost with a queue',
      query: z.strictObject({ cursor: historyCursor.optional() }),
      answers: { 202: WaitingMail },
    },
    async ({ query, caller }) => {
      const request = mailRequest('Retry', caller, dependencies)
      return { status: 202, body: waitingMail(await retryAll(query.cursor ?? null, request, dependencies)) }
    },
  )

const ConnectorMailQuery = z.strictObject({ cursor: cursorSchema(waitingPosition).optional() })

function connectorRetryRoute(
  direction: DecidingConnector['direction'],
  get: (id: string) => Promise<unknown>,
  dependencies: SelectionDependencies,
): Route {
  const resourceName = `${direction} connector`
  return route(
    {
      method: 'POST',
      path: `/${direction}-connectors/{id}/retry`,
      role: 'operate',
      summary: `Retry now the deferred recipients that an ${resourceName} applies to`,
      query: ConnectorMailQuery,
      answers: { 202: WaitingMail },
      problems: [404],
    },
    async ({ parameter, query, caller }) => {
      if (!isUlid(parameter) || (await get(parameter)) === null) throw notFoundProblem(resourceName)
      const request = mailRequest('Retry', caller, dependencies)
      const connector = { direction, id: parameter }
      const result = await requestForConnector(connector, query.cursor ?? null, request, dependencies)
      return { status: 202, body: waitingMail(result) }
    },
  )
}

/** The connector may be deleted: the mail that waits under it names it still. */
const connectorReturnRoute = (dependencies: SelectionDependencies): Route =>
  route(
    {
      method: 'POST',
      path: '/outbound-connectors/{id}/return',
      role: 'operate',
      summary:
        'Bounce now, with a DSN, the deferred recipients that an outbound connector applies to, also a deleted one',
      query: ConnectorMailQuery,
      answers: { 202: WaitingMail },
      problems: [404],
    },
    async ({ parameter, query, caller }) => {
      if (!isUlid(parameter)) throw notFoundProblem('outbound connector')
      const request = mailRequest('Return', caller, dependencies)
      const connector = { direction: 'outbound', id: parameter } as const
      const result = await requestForConnector(connector, query.cursor ?? null, request, dependencies)
      return { status: 202, body: waitingMail(result) }
    },
  )

export const waitingMail = ({
  recipients,
  messages,
  next,
}: RequestedMail<unknown>): z.output<typeof WaitingMail> => ({
  requested: recipients,
  messages,
  nextCursor: next === null ? null : encodeCursor(next),
})
