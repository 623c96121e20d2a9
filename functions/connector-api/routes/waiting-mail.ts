/** `POST …/retry`, `…/release` and `…/return`: requests of an administrator for deferred mail. */
import * as z from 'zod'
import type { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { historyCursor, isUlid } from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { encodeCursor } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import type { AdministratorRequest } from '../../../shared/messages/recipient-item.ts'
import type { Trace } from '../../../shared/messages/trace.ts'
import {
  type DecidingConnector,
  type RequestedMail,
  requestForConnector,
  retryAll,
} from '../mail-selection.ts'
import {
  type Dependencies,
  type MailRequest,
  type MessageResult,
  release,
  requestForMessage,
  retryNow,
  returnToSender,
} from '../waiting-mail.ts'
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

const WaitingMailQuery = z.strictObject({ cursor: historyCursor.optional() })

export interface WaitingMailDependencies extends Dependencies {
  trace: Pick<Trace, 'recordRelease' | 'recordReturn'>
}

type RequestName = 'retry' | 'release' | 'return'

export function mailRequest(
  name: RequestName,
  caller: string,
  { trace, now }: WaitingMailDependencies,
): MailRequest {
  const request: AdministratorRequest = { at: new Date(now()).toISOString(), by: caller }
  switch (name) {
    case 'retry':
      return retryNow
    case 'release':
      return release(trace, request)
    case 'return':
      return returnToSender(trace, request)
  }
}

const messageSummaries: Record<RequestName, string> = {
  retry: 'Retry the deferred recipients of a message now',
  release:
    'Send the deferred recipients of a message with the current connectors, even if these require less',
  return: 'Bounce the deferred recipients of a message now, with a DSN',
}

export function waitingMailRoutes(
  { inbound, outbound }: ConnectorRepository,
  dependencies: WaitingMailDependencies,
): Route[] {
  return [
    messageRoute('retry', dependencies),
    messageRoute('release', dependencies),
    messageRoute('return', dependencies),
    retryAllRoute(dependencies),
    connectorRetryRoute('inbound', (id) => inbound.get(id), dependencies),
    connectorRetryRoute('outbound', (id) => outbound.get(id), dependencies),
    connectorRoute(
      'release',
      'Release the deferred recipients that an outbound connector applies to, also a deleted one, to the current connectors',
      dependencies,
    ),
    connectorRoute(
      'return',
      'Bounce now, with a DSN, the deferred recipients that an outbound connector applies to, also a deleted one',
      dependencies,
    ),
  ]
}

const messageRoute = (name: RequestName, dependencies: WaitingMailDependencies): Route =>
  route(
    {
      method: 'POST',
      path: `/messages/{id}/${name}`,
      role: 'operate',
      summary: messageSummaries[name],
      answers: { 202: WaitingRecipients },
      problems: [404, 409],
    },
    async ({ parameter, caller }) => {
      const request = mailRequest(name, caller, dependencies)
      const result = isUlid(parameter) ? await requestForMessage(parameter, request, dependencies) : null
      if (!result) throw notFoundProblem('message')
      if (result.kind === 'NothingWaits') throw nothingWaitsProblem(name, result)
      const { recipients } = result
      return { status: 202, body: { requested: recipients.length, recipients } }
    },
  )

const retryAllRoute = (dependencies: Dependencies): Route =>
  route(
    {
      method: 'POST',
      path: '/messages/retry',
      role: 'operate',
      summary:
        'Retry now all deferred and pending recipients of the last 14 days, also those whose jobs were lost with a queue',
      query: WaitingMailQuery,
      answers: { 202: WaitingMail },
    },
    async ({ query }) => ({
      status: 202,
      body: waitingMail(await retryAll(query.cursor ?? null, dependencies)),
    }),
  )

function connectorRetryRoute(
  direction: DecidingConnector['direction'],
  get: (id: string) => Promise<unknown>,
  dependencies: Dependencies,
): Route {
  const resourceName = `${direction} connector`
  return route(
    {
      method: 'POST',
      path: `/${direction}-connectors/{id}/retry`,
      role: 'operate',
      summary: `Retry now the deferred recipients that an ${resourceName} applies to`,
      query: WaitingMailQuery,
      answers: { 202: WaitingMail },
      problems: [404],
    },
    async ({ parameter, query }) => {
      if (!isUlid(parameter) || (await get(parameter)) === null) throw notFoundProblem(resourceName)
      const connector = { direction, id: parameter }
      const result = await requestForConnector(connector, query.cursor ?? null, retryNow, dependencies)
      return { status: 202, body: waitingMail(result) }
    },
  )
}

/** The connector may be deleted: the mail that waits under it names it still. */
const connectorRoute = (
  name: 'release' | 'return',
  summary: string,
  dependencies: WaitingMailDependencies,
): Route =>
  route(
    {
      method: 'POST',
      path: `/outbound-connectors/{id}/${name}`,
      role: 'operate',
      summary,
      query: WaitingMailQuery,
      answers: { 202: WaitingMail },
      problems: [404],
    },
    async ({ parameter, query, caller }) => {
      if (!isUlid(parameter)) throw notFoundProblem('outbound connector')
      const request = mailRequest(name, caller, dependencies)
      const connector = { direction: 'outbound', id: parameter } as const
      const result = await requestForConnector(connector, query.cursor ?? null, request, dependencies)
      return { status: 202, body: waitingMail(result) }
    },
  )

export const waitingMail = ({ recipients, messages, next }: RequestedMail): z.output<typeof WaitingMail> => ({
  requested: recipients,
  messages,
  nextCursor: next === null ? null : encodeCursor(next),
})

function nothingWaitsProblem(
  name: RequestName,
  { states }: Extract<MessageResult, { kind: 'NothingWaits' }>,
): Problem {
  const isReleasable = name === 'release' && states.some(({ state }) => state === 'Deferred')
  const detail =
    states.length === 0
      ? 'The message is not evaluated yet.'
      : isReleasable
        ? 'No deferred recipient keeps a requirement, so there is nothing to release. Retry applies the current connectors.'
        : `No recipient is deferred, so there is nothing to ${name}.`
  return new Problem(409, detail, {
    errors: states.map(({ address, state }) => ({ path: address, message: `is ${state}` })),
  })
}
