/** Serves routes as a Lambda function of API Gateway: router, problem responses and request log. */
import type { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import type { RoleMapping } from '../contract/roles.ts'
import { problemJson } from './problem.ts'
import { requestLog } from './request-log.ts'
import type { Route, RouteResponse } from './route.ts'
import { createRouter } from './router.ts'

export interface HttpApiOptions {
  /** Null when the deployment has no sign-in. */
  roles: RoleMapping | null
  logger: Logger
  /** Milliseconds since the epoch. */
  now: () => number
  /** Called after each request that may have changed something. */
  afterWrite?(): Promise<void>
}

export type HttpApi = (
  event: APIGatewayProxyEventV2,
  context?: Context,
) => Promise<APIGatewayProxyStructuredResultV2>

export function createHttpApi(
  routes: readonly Route[],
  { roles, logger, now, afterWrite = async () => {} }: HttpApiOptions,
): HttpApi {
  const routeRequest = createRouter(routes, roles)
  const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>(
    async (event: APIGatewayProxyEventV2) => {
      const response = await routeRequest(event)
      if (event.requestContext.http.method !== 'GET') await afterWrite()
      return toGatewayResult(response)
    },
  )
    .use(requestLog(logger, roles, now))
    .use(problemJson(logger))
  return (event, context) => handler(event, context ?? ({} as Context))
}

function toGatewayResult({ status, headers, body }: RouteResponse): APIGatewayProxyStructuredResultV2 {
  const commonHeaders = { 'cache-control': 'no-store', ...headers }
  if (body === undefined) return { statusCode: status, headers: commonHeaders }
  if (typeof body === 'string') return { statusCode: status, headers: commonHeaders, body }
  return {
    statusCode: status,
    headers: { 'content-type': 'application/json', ...commonHeaders },
    body: JSON.stringify(body),
  }
}
