/**
 * Logs one line for each request: caller, a person's roles, route, status and duration. Bodies, query and headers are
 * not logged.
 */
import type { Logger } from '@aws-lambda-powertools/logger'
import type { MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import type { RoleMapping } from '../contract/roles.ts'
import { callerOf } from './caller.ts'

type Internal = { startedAt: number }
type Log = MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, Context, Internal>

/**
 * Attach this middleware before the middleware that converts errors to responses, so that the log line has the
 * response's status.
 */
export function requestLog(logger: Logger, mapping: RoleMapping | null, now: () => number = Date.now): Log {
  const write = ({ event, response, internal }: Parameters<NonNullable<Log['after']>>[0]) => {
    const { http, requestId } = event.requestContext
    logger.info('request', {
      requestId,
      method: http.method,
      route: event.routeKey,
      path: event.rawPath.slice(0, 300),
      status: response?.statusCode,
      ms: now() - internal.startedAt,
      ...callerFields(event, mapping),
    })
  }
  return {
    before({ internal }) {
      internal.startedAt = now()
    },
    after: write,
    onError: write,
  }
}

function callerFields(event: APIGatewayProxyEventV2, mapping: RoleMapping | null) {
  const caller = callerOf(event, mapping)
  if (caller?.kind !== 'TokenSubject') return { caller: caller?.name ?? null }
  const { name, roles, fault } = caller
  return { caller: name, roles, ...(fault !== null && { roleFault: fault }) }
}
