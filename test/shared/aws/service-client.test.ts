import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { CredentialsCache } from '../../../shared/aws/credentials-cache.ts'
import { NoResponseError, ServiceError } from '../../../shared/aws/errors.ts'
import { ServiceClient } from '../../../shared/aws/service-client.ts'
import {
  answer,
  type Behaviour,
  close,
  halfResponse,
  notHttp,
  reset,
  ScriptedServer,
  silence,
} from '../../support/aws-server.ts'
import { freePort } from '../../support/process.ts'
import { within } from '../../support/within.ts'

const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' }
const identity = new CredentialsCache(async () => credentials)
const started = Date.parse('2026-11-25T00:00:00Z')

/**
 * The timeout in tests of silent servers. The other tests have longer timeouts, because they must pass on a busy
 * machine.
 */
const soonMs = 50

/** A service client for a scripted server. Its backoff is recorded and takes no time. */
async function before(context: TestContext, script: Behaviour[], totalMs = 10_000) {
  const server = await ScriptedServer.start(...script)
  const place = { isSecure: false, hostname: '127.0.0.1', port: server.port }
  const target = { ...place, path: '/bucket/', region: 'eu-central-1', service: 's3' }
  const timeout = {
    connectMs: 10_000,
    get totalMs() {
      return server.script[0] === silence ? soonMs : totalMs
    },
  }
  const pauses: number[] = []
  const random = {
    random: () => 0.1,
    now: () => started,
    sleep: async (ms: number) => void pauses.push(ms),
  }
  const service = new ServiceClient(target, identity, timeout, random)
  context.after(() => {
    service.close()
    server.stop()
  })
  return { server, service, pauses }
}

const noPause = { random: () => 0, now: () => started, sleep: async () => {} }

const body = [Buffer.from('one'), Buffer.from('two')]
const request = {
  method: 'PUT',
  path: 'key',
  headers: { 'content-length': '6' },
  body,
  payloadHash: 'UNSIGNED-PAYLOAD',
}

const fine = answer(200, 'fine')
const xml = (code: string) =>
  `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>So it is.</Message></Error>`
const json = (code: string) => JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: 'So it is.' })

test('the client sends a request signed and otherwise unchanged, and returns its response', async (t) => {
  const { server, service } = await before(t, [answer(200, 'ünd', { 'x-amz-version-id': '7' })])
  const { status, headers, body: said } = await service.send(request)
  assert.deepEqual([status, headers['x-amz-version-id'], said], [200, '7', 'ünd'])
  const [received] = server.requests
  assert.deepEqual(
    [received?.method, received?.path, received?.body.toString()],
    ['PUT', '/bucket/key', 'onetwo'],
  )
  assert.equal(received?.headers.host, `127.0.0.1:${server.port}`)
  assert.equal(received?.headers['x-amz-date'], '20261125T000000Z')
  assert.match(
    received?.headers.authorization ?? '',
    /^AWS4-HMAC-SHA256 Credential=id\/20261125\/eu-central-1\/s3\//,
  )
})

test('the client sends successive requests over one connection', async (t) => {
  const { server, service } = await before(t, [fine])
  for (let count = 0; count < 5; count++) await service.send(request)
  assert.deepEqual(
    server.requests.map(({ connection }) => connection),
    [0, 0, 0, 0, 0],
  )
})

const passing: [name: string, behaviour: Behaviour][] = [
  ['a reset instead of a response', reset],
  ['a close instead of a response', close],
  ['an incomplete response', halfResponse],
  ['a timeout without a response', silence],
  ['a response 500', answer(500, xml('InternalError'))],
  ['a response 503 of S3', answer(503, xml('SlowDown'))],
  ['a response 503 without a body', answer(503)],
  ['a RequestTimeout of S3', answer(400, xml('RequestTimeout'))],
  ['a response 429', answer(429, json('Anything'))],
  ['throttling by SQS', answer(400, json('RequestThrottled'))],
  ["throttling by the queue's KMS key", answer(400, json('KmsThrottled'))],
]

for (const [name, behaviour] of passing) {
  test(`the client sends the whole request again after ${name}`, async (t) => {
    const { server, service } = await before(t, [behaviour, behaviour, fine])
    assert.equal((await service.send(request)).body, 'fine')
    assert.deepEqual(
      server.requests.map(({ body }) => body.toString()),
      ['onetwo', 'onetwo', 'onetwo'],
    )
  })

  test(`the client throws when three tries of a request end with ${name}`, async (t) => {
    const { server, service } = await before(t, [behaviour])
    await assert.rejects(
      service.send(request),
      (error) => error instanceof ServiceError || error instanceof NoResponseError,
    )
    assert.equal(server.requests.length, 3)
  })
}

const final: [name: string, behaviour: Behaviour, fault: { name: string; message: string }][] = [
  ['a denial by S3', answer(403, xml('AccessDenied')), { name: 'AccessDenied', message: 'So it is.' }],
  ['a missing bucket', answer(404, xml('NoSuchBucket')), { name: 'NoSuchBucket', message: 'So it is.' }],
  [
    'a missing queue',
    answer(400, json('QueueDoesNotExist')),
    { name: 'QueueDoesNotExist', message: 'So it is.' },
  ],
  ['a redirect', answer(301, ''), { name: 'Http301', message: 'HTTP status 301' }],
  ['an error without a code', answer(404, 'Not Found'), { name: 'Http404', message: 'HTTP status 404' }],
  ['an error in invalid JSON', answer(400, '{"__type":'), { name: 'Http400', message: 'HTTP status 400' }],
]

for (const [name, behaviour, fault] of final)
  test(`the client does not retry after ${name}, and throws an error with the name ${fault.name}`, async (t) => {
    const { server, service } = await before(t, [behaviour])
    await assert.rejects(service.send(request), fault)
    assert.equal(server.requests.length, 1)
  })

test('the client throws without a retry when a response has more than 65536 octets', async (t) => {
  const { server, service } = await before(t, [answer(200, 'x'.repeat(10_000_000))])
  await assert.rejects(service.send(request), /response of more than 65536 octets/)
  assert.equal(server.requests.length, 1)
})

test('the client throws a NoResponseError when the response is not HTTP', async (t) => {
  const { service } = await before(t, [notHttp])
  await assert.rejects(service.send(request), NoResponseError)
})

for (const [name, behaviour] of [
  ['silence', silence],
  ['resets', reset],
] as const)
  test(`the client throws a TimeoutError, as the SDK does, after ${name} in all tries`, async (t) => {
    const { service } = await before(t, [behaviour])
    await assert.rejects(service.send(request), { name: 'TimeoutError' })
  })

test('the client throws a TimeoutError when a response arrives too slowly', async (t) => {
  const drip: Behaviour = (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
    const timer = setInterval(() => socket.write('x'), 10)
    socket.on('close', () => clearInterval(timer))
  }
  const { service } = await before(t, [drip], 60)
  await assert.rejects(service.send(request), { name: 'TimeoutError', message: 'no answer within 60 ms' })
})

test('the client closes the connection on which a request timed out', async (t) => {
  const { server, service } = await before(t, [silence])
  await assert.rejects(service.send(request), { name: 'TimeoutError' })
  await within(10_000, server.idle(), 'the end of every connection')
})

test('the client throws an error with the code ECONNREFUSED when every connection is refused', async () => {
  const port = await freePort()
  const target = { isSecure: false, hostname: '127.0.0.1', port, path: '/', region: 'r', service: 's3' }
  const service = new ServiceClient(target, identity, { connectMs: 10_000, totalMs: 10_000 }, noPause)
  await assert.rejects(service.send(request), { code: 'ECONNREFUSED' })
  service.close()
})

/** Sends requests concurrently, so that as many connections are idle afterwards. */
async function openConnections(service: ServiceClient, server: ScriptedServer, count: number): Promise<void> {
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  let waiting = 0
  server.script = [
    (socket, received) => {
      if (++waiting === count) release()
      void gate.then(() => fine(socket, received))
    },
  ]
  await Promise.all(Array.from({ length: count }, () => service.send(request)))
  assert.equal(server.openConnections, count)
}

test('when one of several idle connections is broken, the client closes all of them, so only one try fails', async (t) => {
  const { server, service } = await before(t, [fine])
  await openConnections(service, server, 5)
  const before_ = server.requests.length
  server.script = [silence, fine]
  assert.equal((await service.send(request)).body, 'fine')
  assert.equal((await service.send(request)).body, 'fine')
  const connections = server.requests.slice(before_).map(({ connection }) => connection)
  assert.equal(connections.length, 3)
  assert.deepEqual(
    connections.map((connection) => connection < 5),
    [true, false, false],
  )
})

test('the client sends a request again when the service resets an idle connection during the request', async (t) => {
  const { server, service } = await before(t, [fine])
  await openConnections(service, server, 1)
  server.script = [(socket, received) => (received.connection === 0 ? reset : fine)(socket, received)]
  assert.equal((await service.send(request)).body, 'fine')
})

const pausesBefore: [name: string, script: Behaviour[], pauses: number[]][] = [
  ['doubles its backoff after each error of the service', [answer(500), answer(503), fine], [10, 20]],
  ['starts with a longer backoff after throttling', [answer(429), answer(429), fine], [50, 100]],
  [
    'opens a new connection immediately after a broken one, and backs off when the new connection also breaks',
    [reset, reset, fine],
    [20],
  ],
  ['backs off after a 503 that follows a broken connection', [reset, answer(503), fine], [20]],
]

for (const [name, script, expected] of pausesBefore)
  test(`the client ${name}`, async (t) => {
    const { service, pauses } = await before(t, script)
    await service.send(request)
    assert.deepEqual(pauses, expected)
  })

test('the client sends a thousand concurrent requests over 128 connections and returns to each request its own response', async (t) => {
  const { server, service } = await before(t, [answer(200, ({ path }) => path)])
  let max = 0
  const watch = setInterval(() => {
    max = Math.max(max, server.openConnections)
  }, 1)
  const paths = Array.from({ length: 1000 }, (_, serial) => `key-${serial}`)
  const answers = await Promise.all(paths.map((path) => service.send({ ...request, path })))
  clearInterval(watch)
  assert.deepEqual(
    answers.map(({ body }) => body),
    paths.map((path) => `/bucket/${path}`),
  )
  assert.ok(max <= 128, `${max} connections`)
  assert.equal(new Set(server.requests.map(({ connection }) => connection)).size, 128)
})

test('the client accepts a response that precedes the end of its request, and does not use the connection again', async (t) => {
  const { server, service } = await before(t, [fine])
  server.beforeBody = answer(403, xml('AccessDenied'))
  const large = Buffer.alloc(16_000_000)
  const upload = { ...request, headers: { 'content-length': String(large.length) }, body: [large] }
  await assert.rejects(service.send(upload), { name: 'AccessDenied' })
  await service.send(request)
  assert.equal(server.requests[0]?.connection, 1)
})

test("the client corrects its clock once by the date of responses that refuse the signature's time", async (t) => {
  const wrongTime = started + 5 * 3_600_000
  const date = new Date(wrongTime).toUTCString()
  const refuse = answer(403, xml('RequestTimeTooSkewed'), { date })
  const { server, service } = await before(t, [
    (socket, received) =>
      (received.headers['x-amz-date'] === '20261125T050000Z' ? fine : refuse)(socket, received),
  ])
  // Concurrent refusals must not add up their corrections.
  await Promise.all([1, 2, 3].map(() => service.send(request)))
  assert.equal(server.requests.length, 6)
  await service.send(request)
  assert.equal(server.requests.length, 7)
})

test('the client does not correct its clock by the date of a 5xx response', async (t) => {
  const date = new Date(started + 3_600_000).toUTCString()
  const { server, service } = await before(t, [answer(503, '', { date }), fine])
  await service.send(request)
  assert.deepEqual(
    server.requests.map(({ headers }) => headers['x-amz-date']),
    ['20261125T000000Z', '20261125T000000Z'],
  )
})
