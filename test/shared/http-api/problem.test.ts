import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Logger } from '@aws-lambda-powertools/logger'
import { Problem, problemJson } from '../../../shared/http-api/problem.ts'

/** Returns the response to a thrown value. */
function responseTo(error: unknown) {
  const logged: unknown[] = []
  const logger = { error: (...line: unknown[]) => logged.push(line) } as unknown as Logger
  const request = { error, event: { requestContext: { requestId: 'r' } }, response: undefined } as never
  problemJson(logger).onError?.(request)
  const { statusCode, headers } = (request as { response: { statusCode: number; headers: object } }).response
  return { status: statusCode, retryAfter: Reflect.get(headers, 'retry-after'), logged: logged.length }
}

describe('a value that an API handler throws', () => {
  const temporary: [name: string, error: object][] = [
    ['an error of the SDK with the fault "server"', { $fault: 'server' }],
    ['an error that the SDK marks as retryable', { $retryable: { throttling: false } }],
    ['a reset connection', { code: 'ECONNRESET' }],
    ['an unreachable host', { code: 'EHOSTUNREACH' }],
    ['a throttled request', { name: 'ThrottlingException' }],
    ['a timeout', { name: 'TimeoutError' }],
  ]
  for (const [name, error] of temporary)
    it(`leads to a response 503 with Retry-After and is logged: ${name}`, () =>
      assert.deepEqual(responseTo(error), { status: 503, retryAfter: '1', logged: 1 }))

  const permanent: [name: string, error: unknown][] = [
    ['an error of the SDK with the fault "client"', { $fault: 'client', name: 'ValidationException' }],
    ['a missing file', { code: 'ENOENT' }],
    ['an error in the code', new TypeError('x is undefined')],
    ['undefined', undefined],
  ]
  for (const [name, error] of permanent)
    it(`leads to a response 500 without Retry-After and is logged: ${name}`, () =>
      assert.deepEqual(responseTo(error), { status: 500, retryAfter: undefined, logged: 1 }))

  it('leads to a response with its own status and is not logged: a Problem', () =>
    assert.deepEqual(responseTo(new Problem(404, 'No such connector.')), {
      status: 404,
      retryAfter: undefined,
      logged: 0,
    }))
})
