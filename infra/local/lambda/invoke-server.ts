/**
 * Serves Lambda's `Invoke` on loopback, for example to run a scheduled function immediately:
 * `aws lambda invoke --endpoint-url URL --function-name NAME …`, or any POST to the same path. An asynchronous invocation is
 * answered at once, and is repeated twice if it fails, as Lambda does, but after a second instead of minutes.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { errorMessage } from '../../../shared/contract/error-message.ts'
import { InvocationError } from './function.ts'

export interface InvokeServer {
  readonly url: string
  close(): Promise<void>
}

const path = /^\/2015-03-31\/functions\/([A-Za-z0-9_-]+)\/invocations$/

/** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html */
const maxRepetitions = 2
const repetitionDelayMs = 1000

/** @param invoke takes the function's name; returns null for an unknown function */
export async function startInvokeServer(
  invoke: (name: string, event: unknown) => Promise<unknown> | null,
  port = 0,
): Promise<InvokeServer> {
  const server = createServer((request, response) => {
    void respond(request, response, invoke)
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

async function retryFailed(first: Promise<unknown>, again: () => Promise<unknown> | null): Promise<void> {
  let result: Promise<unknown> | null = first
  for (let repetitions = 0; result !== null; repetitions++) {
    const hasFailed = await result.then(
      () => false,
      () => true,
    )
    if (!hasFailed || repetitions === maxRepetitions) return
    await delay(repetitionDelayMs, undefined, { ref: false })
    result = again()
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  invoke: (name: string, event: unknown) => Promise<unknown> | null,
): Promise<void> {
  const send = (status: number, body: unknown, headers: Record<string, string> = {}) =>
    response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(body ?? null))
  const name = request.method === 'POST' ? path.exec(request.url ?? '')?.[1] : undefined
  if (name === undefined) return void send(404, { Message: 'Only Invoke is supported by the local runner.' })
  // Attack: a web page resolves its host name to 127.0.0.1 (DNS rebinding). Defence: the Host header must be loopback.
  if (!/^(127\.0\.0\.1|localhost):\d+$/.test(request.headers.host ?? ''))
    return void send(403, { Message: 'The Host header must be 127.0.0.1 or localhost.' })
  try {
    const event = request.headers['content-length'] === '0' ? {} : await json(request).catch(() => undefined)
    if (event === undefined) return void send(400, { Message: 'The event is not JSON.' })
    const result = invoke(name, event)
    if (result === null) return void send(404, { Message: `Unknown function ${name}.` })
    if (request.headers['x-amz-invocation-type'] === 'Event') {
      void retryFailed(result, () => invoke(name, event))
      return void response.writeHead(202).end()
    }
    send(200, await result)
  } catch (error) {
    const fault = error instanceof InvocationError ? 'Unhandled' : 'Runner'
    send(200, { errorMessage: errorMessage(error) }, { 'x-amz-function-error': fault })
  }
}
