/** Errors of an HTTP API as RFC 9457 problem details. Internal details are in the log and not in the response. */
import { STATUS_CODES } from 'node:http'
import type { Logger } from '@aws-lambda-powertools/logger'
import type { MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { Fault } from '../contract/schema-faults.ts'

/** An error response. All of its text is visible to the API's caller. */
export class Problem extends Error {
  readonly status: number
  readonly errors: readonly Fault[]
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    detail: string,
    { errors = [], headers = {} }: { errors?: readonly Fault[]; headers?: Record<string, string> } = {},
  ) {
    super(detail)
    this.status = status
    this.errors = errors
    this.headers = headers
  }
}

type Result = APIGatewayProxyStructuredResultV2

/** Converts a thrown Problem to its response, and any other error to 500 or 503 with a log entry. */
export function problemJson(logger: Logger): MiddlewareObj<APIGatewayProxyEventV2, Result> {
  return {
    onError(request) {
      const { error, event } = request
      if (!(error instanceof Problem)) logger.error('The request failed', error as Error)
      const problem = error instanceof Problem ? error : serverProblem(error)
      request.response = problemResponse(problem, event.requestContext?.requestId)
    },
  }
}

function serverProblem(error: unknown): Problem {
  if (!isTransient(error))
    return new Problem(500, 'The request failed because of an internal error. The log names the cause.')
  return new Problem(503, 'An AWS service does not respond, or limits requests. Try again.', {
    headers: { 'retry-after': '1' },
  })
}

/** Whether an AWS client's error is temporary: throttling, a server error, the network. */
function isTransient(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { $fault, $retryable, code, name } = error as Record<string, unknown>
  return (
    $fault === 'server' ||
    $retryable !== undefined ||
    (typeof code === 'string' && /^E(CONN|PIPE|TIMEDOUT|AI_AGAIN|HOSTUNREACH)/.test(code)) ||
    (typeof name === 'string' && /Throttl|ThroughputExceeded|RequestLimitExceeded|TimeoutError/.test(name))
  )
}

function problemResponse(
  { status, message, errors, headers }: Problem,
  instance: string | undefined,
): Result {
  return {
    statusCode: status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify({
      type: 'about:blank',
      title: STATUS_CODES[status],
      status,
      detail: message,
      ...(instance && { instance: `urn:request:${instance}` }),
      errors,
    }),
  }
}
