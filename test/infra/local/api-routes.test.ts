import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { test } from 'node:test'
import { matchRoute, type Route } from '../../../infra/local/api-routes.ts'
import { type ApiEvent, startApiServer } from '../../../infra/local/api-server.ts'
import { listenSilently } from '../../support/listen.ts'
import { within } from '../../support/within.ts'

const routes: Route[] = [
  'GET /messages',
  'GET /messages/{id}',
  'GET /messages/latest',
  'PUT /domains/{domain}',
  'GET /console',
  'GET /console/{path+}',
].map((key) => ({ key, functionArn: 'arn:api', authorization: 'AWS_IAM' }))

const rows = [
  { method: 'GET', path: '/messages', key: 'GET /messages', parameters: {} },
  { method: 'GET', path: '/messages/01J', key: 'GET /messages/{id}', parameters: { id: '01J' } },
  { method: 'GET', path: '/messages/latest', key: 'GET /messages/latest', parameters: {} },
  { method: 'GET', path: '/console', key: 'GET /console', parameters: {} },
  {
    method: 'GET',
    path: '/console/messages/01J%20K',
    key: 'GET /console/{path+}',
    parameters: { path: 'messages/01J K' },
  },
  { method: 'PUT', path: '/domains/b%C3%BCro', key: 'PUT /domains/{domain}', parameters: { domain: 'büro' } },
]
for (const { method, path, key, parameters } of rows)
  test(`${method} ${path} matches the route "${key}"`, () => {
    const matched = matchRoute(routes, method, path)
    assert.equal(matched?.route.key, key)
    assert.deepEqual(matched?.parameters, parameters)
  })

for (const [method, path] of [
  ['POST', '/messages'],
  ['GET', '/messages/01J/more'],
  ['GET', '/'],
] as const)
  test(`${method} ${path} matches no route`, () => assert.equal(matchRoute(routes, method, path), null))

test("the function of a route gets a payload of format 2.0, and the client gets the function's response", async (t) => {
  const events: ApiEvent[] = []
  const invoke = async (_arn: string, event: ApiEvent) => {
    events.push(event)
    return { statusCode: 412, headers: { ETag: '"2"' }, body: '{"status":412}' }
  }
  const server = await startApiServer(routes, invoke, { port: 0, option: '--api-port' }, assert.fail)
  t.after(() => server.close())
  const response = await fetch(`http://127.0.0.1:${server.port}/domains/ours.example?a=1&a=2`, {
    method: 'PUT',
    headers: { 'If-Match': '"1"' },
    body: '{"comment":"é"}',
  })
  assert.equal(response.status, 412)
  assert.equal(response.headers.get('etag'), '"2"')
  assert.deepEqual(await response.json(), { status: 412 })
  const [event] = events
  assert.equal(event?.routeKey, 'PUT /domains/{domain}')
  assert.equal(event?.rawQueryString, 'a=1&a=2')
  assert.deepEqual(event?.queryStringParameters, { a: '1,2' })
  assert.deepEqual(event?.pathParameters, { domain: 'ours.example' })
  assert.equal(event?.headers['if-match'], '"1"')
  assert.equal(event?.body, '{"comment":"é"}')
  assert.equal(event?.isBase64Encoded, false)
  assert.equal(event?.requestContext.http.method, 'PUT')
  assert.ok(event?.requestContext.authorizer, 'the event has the context of an authorizer')
})

test('when a function fails, the client gets 500 without the reason, and the runner reports the reason', async (t) => {
  const results: string[] = []
  const fail = () => Promise.reject(new Error('the table is gone'))
  const server = await startApiServer(routes, fail, { port: 0, option: '--api-port' }, (message) =>
    results.push(message),
  )
  t.after(() => server.close())
  const response = await fetch(`http://127.0.0.1:${server.port}/messages`)
  assert.equal(response.status, 500)
  assert.deepEqual(await response.json(), { message: 'Internal Server Error' })
  assert.deepEqual(results, ['the table is gone'])
})

test('a path that begins with two slashes gets 404', async (t) => {
  const server = await startApiServer(routes, assert.fail, { port: 0, option: '--api-port' }, assert.fail)
  t.after(() => server.close())
  assert.equal((await fetch(`http://127.0.0.1:${server.port}//`)).status, 404)
})

test('a request with an unknown host name gets 403, although it reaches this machine', async (t) => {
  const server = await startApiServer(routes, assert.fail, { port: 0, option: '--api-port' }, assert.fail)
  t.after(() => server.close())
  const { connect } = await import('node:net')
  const socket = connect(server.port, '127.0.0.1')
  socket.end('GET /messages HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n')
  const [chunk] = await within(10_000, once(socket, 'data'), 'the response')
  assert.match(String(chunk), /^HTTP\/1.1 403 /)
})

test('a public API is served under any host name and path', async (t) => {
  const hosts: unknown[] = []
  const invoke = async (_arn: string, { headers, rawPath }: ApiEvent) => {
    hosts.push([headers.host, rawPath])
    return { statusCode: 204 }
  }
  const everything: Route[] = [{ key: '$default', functionArn: 'arn:pages', authorization: 'NONE' }]
  const at = { port: 0, option: '--pages-port', isPublic: true }
  const server = await startApiServer(everything, invoke, at, assert.fail)
  t.after(() => server.close())
  const { connect } = await import('node:net')
  const socket = connect(server.port, '127.0.0.1')
  socket.end('GET /any/path HTTP/1.1\r\nHost: mta-sts.ours.example\r\nConnection: close\r\n\r\n')
  const [chunk] = await within(10_000, once(socket, 'data'), 'the response')
  assert.match(String(chunk), /^HTTP\/1.1 204 /)
  assert.deepEqual(hosts, [['mta-sts.ours.example', '/any/path']])
})

test('a specific route takes precedence over the default route', () => {
  const routesWithDefault = [{ key: '$default', functionArn: 'arn:pages', authorization: 'NONE' }, ...routes]
  assert.equal(matchRoute(routesWithDefault, 'GET', '/messages/01J')?.route.key, 'GET /messages/{id}')
  assert.equal(matchRoute(routesWithDefault, 'DELETE', '/')?.route.key, '$default')
})

test('a port in use is reported with the option that sets it', async (t) => {
  const { port, stop } = await listenSilently()
  t.after(stop)
  await assert.rejects(startApiServer([], assert.fail, { port, option: '--api-port' }, assert.fail), {
    message: `port ${port} is already in use (--api-port)`,
  })
})

for (const [header, value, status] of [
  ['host', 'attacker.example', 403],
  ['host', 'localhost', 200],
  ['origin', 'http://attacker.example', 403],
  ['origin', 'null', 403],
  ['origin', 'https://127.0.0.1.attacker.example', 403],
  ['origin', 'http://127.0.0.1:8080', 200],
] as const)
  test(`a request with ${header}: ${value} gets ${status}`, async (t) => {
    const invoke = async () => ({ statusCode: 200 })
    const server = await startApiServer(routes, invoke, { port: 0, option: '--api-port' }, assert.fail)
    t.after(() => server.close())
    const sent = request({ port: server.port, path: '/messages', headers: { [header]: value } }).end()
    const [response] = await once(sent, 'response')
    assert.equal(response.resume().statusCode, status)
  })
