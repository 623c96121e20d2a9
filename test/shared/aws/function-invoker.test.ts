import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { FunctionInvoker } from '../../../shared/aws/function-invoker.ts'

const functionArn = 'arn:aws:lambda:eu-west-1:123456789012:function:Check'
const credentials = async () => ({ accessKeyId: 'AKID', secretAccessKey: 'secret' })
const timeouts = { connectMs: 1000, totalMs: 200 }

async function invokeAt(
  status: number | null,
  headers: Record<string, string>,
  body: string,
): Promise<{ result: Promise<unknown>; requests: { request: IncomingMessage; body: string }[] }> {
  const requests: { request: IncomingMessage; body: string }[] = []
  const server = createServer(async (request, response) => {
    requests.push({ request, body: await text(request) })
    if (status !== null) response.writeHead(status, headers).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const invoker = new FunctionInvoker({ functionArn, credentials, timeouts, endpoint })
  const result = invoker.invoke({ address: 'anna@ours.example' }).finally(() => {
    invoker.close()
    server.close()
    server.closeAllConnections()
  })
  result.catch(() => {})
  return { result, requests }
}

test('an invocation is one signed request for the function, and returns its result', async () => {
  const { result, requests } = await invokeAt(200, {}, '{"result":"Exists"}')
  assert.deepEqual(await result, { result: 'Exists' })
  const [{ request, body } = assert.fail()] = requests
  assert.deepEqual([request.method, request.url], ['POST', '/2015-03-31/functions/Check/invocations'])
  assert.match(request.headers.authorization ?? '', /Credential=AKID\/\d{8}\/eu-west-1\/lambda\/aws4_request/)
  assert.equal(body, '{"address":"anna@ours.example"}')
})

const failures: [title: string, status: number | null, headers: Record<string, string>, error: RegExp][] = [
  ['a function that failed', 200, { 'x-amz-function-error': 'Unhandled' }, /the function failed/],
  ['a throttled function', 429, {}, /429/],
  ['a missing permission', 403, {}, /403/],
  ['a function that does not answer', null, {}, /./],
]
for (const [title, status, headers, error] of failures)
  test(`${title} is an error after one request`, async () => {
    const { result, requests } = await invokeAt(status, headers, '{}')
    await assert.rejects(result, error)
    assert.equal(requests.length, 1)
  })

for (const [title, status, error] of [
  ['is started, and has no result', 202, null],
  ['that the function refuses is an error', 429, /429/],
  ['without a permission is an error', 403, /403/],
] as const)
  test(`an asynchronous invocation ${title}`, async () => {
    const requests: IncomingMessage[] = []
    const server = createServer((request, response) => {
      requests.push(request)
      response.writeHead(status).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const invoker = new FunctionInvoker({
      functionArn,
      credentials,
      timeouts: { connectMs: 1000, totalMs: 5000 },
      endpoint,
    })
    try {
      const started = invoker.invokeAsync({ hour: '2026-11-30T20' })
      await (error === null ? started : assert.rejects(started, error))
    } finally {
      invoker.close()
      server.close()
      server.closeAllConnections()
    }
    assert.equal(requests[0]?.headers['x-amz-invocation-type'], 'Event')
  })

test('the ARN of another resource is refused', () => {
  const options = { credentials, timeouts, functionArn: 'arn:aws:sqs:eu-west-1:123456789012:queue' }
  assert.throws(() => new FunctionInvoker(options), /not the ARN of a Lambda function/)
})

test('over a broken idle connection, the request is sent again', async () => {
  let requests = 0
  const server = createServer((request, response) => {
    requests++
    if (requests === 2) request.socket.resetAndDestroy()
    else response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const invoker = new FunctionInvoker({ functionArn, credentials, timeouts, endpoint })
  for (let n = 0; n < 2; n++) assert.deepEqual(await invoker.invoke({}), {})
  assert.equal(requests, 3)
  invoker.close()
  server.close()
})
