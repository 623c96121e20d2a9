/**
 * Logs one line for each request: caller, a person's roles, route, status and duration. Bodies, query, headers and mail
 * addresses are not logged.
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
      path: loggedPath(event.rawPath),
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

/** Without a mail address: the address of an erasure must be in no log. */
export const loggedPath = (path: string): string =>
  path.replace(/^(\/addresses\/).*/s, '$1{address}').slice(0, 300)

function callerFields(event: APIGatewayProxyEventV2, mapping: RoleMapping | null) {
  const caller = callerOf(event, mapping)
  if (caller?.kind !== 'TokenSubject') return { caller: caller?.name ?? null }
  const { name, roles, fault } = caller
  return { caller: name, roles, ...(fault !== null && { roleFault: fault }) }
}
