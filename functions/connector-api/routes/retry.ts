/** `POST …/retry`: requests the next attempt of deferred recipients now. */
import { z } from 'zod'
import type { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { encodeCursor } from '../request.ts'
import { type Dependencies, type MessageRetry, retryConnector, retryMessage } from '../retry.ts'
import { type Route, route } from '../route.ts'
import { historyCursor, isUlid } from './lists.ts'
import { notFoundProblem } from './write-responses.ts'

export const MessageRetryRequested = z.strictObject({
  requested: z.int().positive().describe('number of recipients'),
  recipients: z.array(z.string()),
})

export const ConnectorRetryRequested = z.strictObject({
  requested: z.int().nonnegative().describe('number of recipients'),
  messages: z.int().nonnegative().describe('number of messages'),
  nextCursor: z
    .string()
    .nullable()
    .describe('cursor of the next request; null when all deferred recipients were requested'),
})

const ConnectorRetryQuery = z.strictObject({ cursor: historyCursor.optional() })

export function retryRoutes({ inbound, outbound }: ConnectorRepository, dependencies: Dependencies): Route[] {
  return [
    route(
      {
        method: 'POST',
        path: '/messages/{id}/retry',
        summary: 'Retry the deferred recipients of a message now',
        answers: { 202: MessageRetryRequested },
        problems: [404, 409],
      },
      async ({ parameter }) => {
        const result = isUlid(parameter) ? await retryMessage(parameter, dependencies) : null
        if (!result) throw notFoundProblem('message')
        if (result.kind === 'NothingDeferred') throw nothingDeferredProblem(result)
        const { recipients } = result
        return { status: 202, body: { requested: recipients.length, recipients } }
      },
    ),
    connectorRetryRoute('inbound', (id) => inbound.get(id), dependencies),
    connectorRetryRoute('outbound', (id) => outbound.get(id), dependencies),
  ]
}

function connectorRetryRoute(
  kind: 'inbound' | 'outbound',
  get: (id: string) => Promise<unknown>,
  dependencies: Dependencies,
): Route {
  const resourceName = `${kind} connector`
  return route(
    {
      method: 'POST',
      path: `/${kind}-connectors/{id}/retry`,
      summary: `Retry now the deferred recipients that an ${resourceName} applies to`,
      query: ConnectorRetryQuery,
      answers: { 202: ConnectorRetryRequested },
      problems: [404],
    },
    async ({ parameter, query }) => {
      if (!isUlid(parameter) || (await get(parameter)) === null) throw notFoundProblem(resourceName)
      const result = await retryConnector(parameter, query.cursor ?? null, dependencies)
      const { recipients, messages, next } = result
      const nextCursor = next === null ? null : encodeCursor(next)
      return { status: 202, body: { requested: recipients, messages, nextCursor } }
    },
  )
}

function nothingDeferredProblem({ states }: Extract<MessageRetry, { kind: 'NothingDeferred' }>): Problem {
  const detail =
    states.length === 0
      ? 'The message is not evaluated yet.'
      : 'No recipient is deferred, so there is nothing to retry.'
  return new Problem(409, detail, {
    errors: states.map(({ address, state }) => ({ path: address, message: `is ${state}` })),
  })
}
