/** Logs one line for each request: caller, route, status and duration. Bodies, query and headers are not logged. */
import type { Logger } from '@aws-lambda-powertools/logger'
import type { MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'

type Internal = { startedAt: number }
type Log = MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, Context, Internal>

/**
 * Attach this middleware before the middleware that converts errors to responses, so that the log line has the
 * response's status.
 */
export function requestLog(logger: Logger, now: () => number = Date.now): Log {
  const write = ({ event, response, internal }: Parameters<NonNullable<Log['after']>>[0]) => {
    const { http, requestId } = event.requestContext
    logger.info('request', {
      requestId,
      method: http.method,
      route: event.routeKey,
      path: event.rawPath.slice(0, 300),
      status: response?.statusCode,
      ms: now() - internal.startedAt,
      caller: callerOf(event),
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

interface Authorizer {
  iam?: { userArn?: string }
  jwt?: { claims?: Record<string, unknown> }
}

/** Returns the IAM principal or the token's subject; null when there is no authorizer (local runner). */
export function callerOf(event: APIGatewayProxyEventV2): string | null {
  const { authorizer } = event.requestContext as { authorizer?: Authorizer }
  const subject = authorizer?.jwt?.claims?.sub
  return authorizer?.iam?.userArn ?? (typeof subject === 'string' ? subject : null)
}
