import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import fc from 'fast-check'
import { encodeTime } from 'ulid'
import {
  ReadInboundConnector,
  ReadOutboundConnector,
  SavedInboundConnector,
  SavedOutboundConnector,
} from '../../../functions/connector-api/routes/connectors.ts'
import { SnapshotReader } from '../../../shared/connectors-table/snapshot-reader.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import { TraceEntry } from '../../../shared/messages/trace-entry.ts'
import { relayDeniedReply } from '../../../shared/policy/admit-recipient.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { type ApiCall, type ApiResult, createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { circumstances, connectorsIn, message, recipient } from '../../support/fixtures.ts'
import { signedIn } from '../../support/sign-in.ts'

let database: TestDynamoDb
let call: (target: string, request?: ApiCall) => Promise<ApiResult>
let logged: Record<string, unknown>[]
const now = Date.parse('2026-02-03T12:00:00Z')

before(async () => {
  database = await startDynamoDb()
  const api = createTestApi(database.documents, () => now)
  call = api.call
  logged = api.logged
})
after(() => database.stop())

let connectorCount = 0
const unusedName = () => `Connector ${++connectorCount}`

const inbound = (fields: object = {}) => ({
  name: unusedName(),
  connectorType: 'Partner',
  senderDomains: ['contoso.example'],
  ...fields,
})
const outbound = (fields: object = {}) => ({
  name: unusedName(),
  connectorType: 'Partner',
  recipientDomains: ['northwind.example'],
  ...fields,
})

const kinds = [
  { path: '/inbound-connectors', input: inbound, schema: ReadInboundConnector, saved: SavedInboundConnector },
  {
    path: '/outbound-connectors',
    input: outbound,
    schema: ReadOutboundConnector,
    saved: SavedOutboundConnector,
  },
]

for (const { path, input, schema, saved } of kinds)
  describe(path, () => {
    test('creates a connector with every default, and returns the location of the connector', async () => {
      const body = input()
      const { status, headers, body: connector } = await call(`POST ${path}`, { json: body })
      assert.equal(status, 201)
      assert.equal(headers.location, `${path}/${connector.id}`)
      assert.equal(headers.etag, '"1"')
      assert.deepEqual(saved.parse(connector), connector, 'as the API describes it')
      assert.deepEqual({ ...connector, ...body }, connector, 'what was written is kept')
      const response = await call(`GET ${headers.location}`)
      assert.deepEqual([response.status, response.headers.etag], [200, '"1"'])
      assert.deepEqual(schema.parse(response.body), response.body, 'as the API describes it')
      assert.deepEqual(response.body, connector)
    })

    test('replaces only the version named in If-Match', async () => {
      const { headers } = await call(`POST ${path}`, { json: input() })
      const put = (etag: string, fields: object) =>
        call(`PUT ${headers.location}`, { headers: { 'if-match': etag }, json: input(fields) })
      const replaced = await put('"1"', { comment: 'second' })
      assert.deepEqual(
        [replaced.status, replaced.headers.etag, replaced.body.comment],
        [200, '"2"', 'second'],
      )
      const late = await put('"1"', { comment: 'late' })
      assert.equal(late.status, 412)
      const either = await put('"1", "2"', { comment: 'third' })
      assert.deepEqual([either.status, either.body.version], [200, 3])
      const any = await put('*', { comment: 'fourth' })
      assert.deepEqual([any.status, any.body.version], [200, 4])
    })

    test('accepts only one of two concurrent writes', async () => {
      const { headers } = await call(`POST ${path}`, { json: input() })
      const puts = ['one', 'two'].map((comment) =>
        call(`PUT ${headers.location}`, { headers: { 'if-match': '"1"' }, json: input({ comment }) }),
      )
      assert.deepEqual((await Promise.all(puts)).map(({ status }) => status).sort(), [200, 412])
    })

    test('removes only the version named in If-Match', async () => {
      const { headers } = await call(`POST ${path}`, { json: input() })
      const remove = (etag: string) => call(`DELETE ${headers.location}`, { headers: { 'if-match': etag } })
      assert.equal((await remove('"7"')).status, 412)
      const removed = await remove('"1"')
      assert.deepEqual([removed.status, removed.body], [204, undefined])
      assert.equal((await call(`GET ${headers.location}`)).status, 404)
      assert.equal((await remove('"1"')).status, 404)
    })

    test('lists connectors in pages, each connector once', async () => {
      for (let n = 0; n < 3; n++) await call(`POST ${path}`, { json: input() })
      const all = await call(`GET ${path}`)
      assert.equal(all.body.nextCursor, null)
      const paged: unknown[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const { body } = await call(`GET ${path}?limit=2${cursor && `&cursor=${cursor}`}`)
        assert(body.items.length <= 2)
        paged.push(...body.items)
        cursor = body.nextCursor
      }
      assert.deepEqual(paged, all.body.items)
    })

    test('creates and removes connectors for policy evaluation before it sends the response', async () => {
      const snapshots = new SnapshotReader(database.documents, 'connectors')
      await snapshots.current()
      const { body, headers } = await call(`POST ${path}`, { json: input() })
      assert(connectorsIn(await snapshots.current()).has(body.id), 'created')
      await call(`DELETE ${headers.location}`, { headers: { 'if-match': '*' } })
      assert(!connectorsIn(await snapshots.current()).has(body.id), 'removed')
    })
  })

describe('/accepted-domains', () => {
  test('stores a domain under its normalised name', async () => {
    const created = await call('PUT /accepted-domains/Ours.EXAMPLE', { json: { comment: 'us' } })
    assert.deepEqual([created.status, created.headers.location], [201, '/accepted-domains/ours.example'])
    const response = await call('GET /accepted-domains/ours.example')
    assert.deepEqual([response.status, response.body], [200, created.body])
    assert.deepEqual((await call('GET /accepted-domains')).body, { items: [created.body], nextCursor: null })
  })

  test('replaces an existing domain only with a matching If-Match', async () => {
    await call('PUT /accepted-domains/two.example', { json: {} })
    const put = (headers: Record<string, string>) =>
      call('PUT /accepted-domains/two.example', { json: { comment: 'new' }, headers })
    assert.equal((await put({})).status, 428)
    assert.equal((await put({ 'if-match': '"9"' })).status, 412)
    const replaced = await put({ 'if-match': '"1"' })
    assert.deepEqual([replaced.status, replaced.body.comment, replaced.headers.etag], [200, 'new', '"2"'])
  })

  test('creates no domain when the request has If-Match', async () => {
    const put = await call('PUT /accepted-domains/never.example', { json: {}, headers: { 'if-match': '*' } })
    assert.equal(put.status, 412)
    assert.equal((await call('GET /accepted-domains/never.example')).status, 404)
  })

  test('stores a domain name in another script as A-label', async () => {
    const { status, body } = await call(`PUT /accepted-domains/${encodeURIComponent('bücher.example')}`, {
      json: {},
    })
    assert.deepEqual([status, body.domain], [201, 'xn--bcher-kva.example'])
  })

  test('removes an accepted domain', async () => {
    await call('PUT /accepted-domains/gone.example', { json: {} })
    const gone = await call('DELETE /accepted-domains/gone.example', { headers: { 'if-match': '"1"' } })
    assert.equal(gone.status, 204)
    assert.equal((await call('GET /accepted-domains/gone.example')).status, 404)
  })
})

describe('an invalid request', () => {
  const unknown = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
  const ifMatch = { 'if-match': '"1"' }
  const cursor = Buffer.from('{"day":"yesterday"}').toString('base64url')
  const rows: { name: string; target: string; request?: ApiCall; status: number; at?: string[] }[] = [
    { name: 'an unknown path', target: 'GET /nothing', status: 404 },
    { name: 'a path that is too deep', target: `GET /messages/${unknown}/x`, status: 404 },
    { name: 'a trailing slash', target: 'GET /messages/', status: 404 },
    { name: 'broken percent-encoding', target: 'GET /accepted-domains/%E0%A4%A', status: 400 },
    { name: 'a method that the path does not have', target: 'PATCH /inbound-connectors', status: 405 },
    { name: 'an unknown connector', target: `GET /inbound-connectors/${unknown}`, status: 404 },
    { name: 'an invalid connector id', target: `GET /inbound-connectors/${'x'.repeat(5000)}`, status: 404 },
    {
      name: 'a replacement of an unknown connector',
      target: `PUT /inbound-connectors/${unknown}`,
      request: { headers: ifMatch, json: inbound() },
      status: 404,
    },
    {
      name: 'a removal of an unknown connector',
      target: `DELETE /outbound-connectors/${unknown}`,
      request: { headers: ifMatch },
      status: 404,
    },
    { name: 'an unknown message', target: `GET /messages/${unknown}`, status: 404 },
    { name: 'an invalid message id', target: 'GET /messages/x', status: 404 },
    {
      name: 'a replacement without If-Match',
      target: `PUT /inbound-connectors/${unknown}`,
      request: { json: inbound() },
      status: 428,
    },
    { name: 'a removal without If-Match', target: `DELETE /inbound-connectors/${unknown}`, status: 428 },
    {
      name: 'a removal of a domain without If-Match',
      target: 'DELETE /accepted-domains/ours.example',
      status: 428,
    },
    {
      name: 'an If-Match without an entity tag',
      target: `DELETE /inbound-connectors/${unknown}`,
      request: { headers: { 'if-match': '1' } },
      status: 400,
    },
    { name: 'no body in a POST', target: 'POST /inbound-connectors', status: 400 },
    { name: 'broken JSON', target: 'POST /inbound-connectors', request: { body: '{"name":' }, status: 400 },
    {
      name: 'a body that is not UTF-8',
      target: 'POST /inbound-connectors',
      request: { body: Buffer.from([0x22, 0xff, 0x22]).toString('base64'), base64: true },
      status: 400,
    },
    {
      name: 'the content type of a form',
      target: 'POST /inbound-connectors',
      request: { body: 'name=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      status: 415,
    },
    {
      name: 'a body over 1 MiB',
      target: 'POST /inbound-connectors',
      request: { body: `"${'x'.repeat(1_048_576)}"` },
      status: 413,
    },
    {
      name: 'a body that is not an object',
      target: 'POST /inbound-connectors',
      request: { json: [] },
      status: 422,
      at: [''],
    },
    {
      name: 'missing fields of a connector',
      target: 'POST /inbound-connectors',
      request: { json: {} },
      status: 422,
      at: ['name', 'connectorType', 'senderDomains'],
    },
    {
      name: 'unknown fields of a connector',
      target: 'POST /inbound-connectors',
      request: { json: inbound({ tls: true, colour: 'red' }) },
      status: 422,
      at: ['tls', 'colour'],
    },
    {
      name: 'fields that the server sets',
      target: 'POST /inbound-connectors',
      request: { json: inbound({ id: unknown, version: 3 }) },
      status: 422,
      at: ['id', 'version'],
    },
    {
      name: 'several faults in a connector',
      target: 'POST /outbound-connectors',
      request: {
        json: outbound({
          name: '',
          bogus: 1,
          recipientDomains: ['a b'],
          route: 'SmartHosts',
          smartHosts: [
            { host: 'a.example', port: 0 },
            { host: 'b.example', prt: 25 },
          ],
          tlsSettings: 'DomainValidation',
        }),
      },
      status: 422,
      at: ['name', 'recipientDomains[0]', 'smartHosts[0].port', 'smartHosts[1].prt', 'bogus', 'tlsDomain'],
    },
    {
      name: 'route Ses and CertificateValidation',
      target: 'POST /outbound-connectors',
      request: { json: outbound({ route: 'Ses', tlsSettings: 'CertificateValidation' }) },
      status: 422,
      at: ['tlsSettings'],
    },
    {
      name: 'a connector larger than a table item',
      target: 'POST /inbound-connectors',
      request: { json: inbound(tooLarge()) },
      status: 422,
      at: [''],
    },
    {
      name: 'an accepted domain with a wildcard',
      target: 'PUT /accepted-domains/*.ours.example',
      request: { json: {} },
      status: 422,
      at: ['domain'],
    },
    {
      name: 'an unknown field of an accepted domain',
      target: 'PUT /accepted-domains/ours.example',
      request: { json: { comments: '' } },
      status: 422,
      at: ['comments'],
    },
    { name: 'an unknown query parameter', target: 'GET /messages?form=a', status: 400, at: ['form'] },
    {
      name: 'a query parameter for a path that has none',
      target: `GET /messages/${unknown}?x=1`,
      status: 400,
      at: ['x'],
    },
    {
      name: 'a repeated query parameter',
      target: 'GET /messages?state=Bounced&state=Pending',
      status: 400,
      at: ['state'],
    },
    {
      name: 'several invalid query parameters',
      target: `GET /messages?from=today&sender=a%20b&state=Lost&connector=Contoso&messageId=&clientIp=mx&limit=0&cursor=${cursor}`,
      status: 400,
      at: ['from', 'sender', 'connector', 'messageId', 'clientIp', 'state', 'cursor', 'limit'],
    },
    {
      name: 'from later than to',
      target: 'GET /messages?from=2026-02-03T00:00:00Z&to=2026-02-02T00:00:00Z',
      status: 400,
      at: ['from'],
    },
    {
      name: 'more than 31 days between from and to',
      target: 'GET /messages?from=2026-01-01T00:00:00Z&to=2026-02-02T00:00:00Z',
      status: 400,
      at: ['from'],
    },
    { name: 'a limit above 200', target: 'GET /messages?limit=201', status: 400, at: ['limit'] },
    {
      name: 'the cursor of another list',
      target: `GET /inbound-connectors?cursor=${cursor}`,
      status: 400,
      at: ['cursor'],
    },
    { name: 'an invalid cursor', target: 'GET /accepted-domains?cursor=!!!', status: 400, at: ['cursor'] },
  ]
  for (const { name, target, request, status, at = [] } of rows)
    test(`with ${name} gets ${status}`, async () => {
      const answer = await call(target, request)
      assert.equal(answer.status, status, JSON.stringify(answer.body))
      assert.equal(answer.headers['content-type'], 'application/problem+json')
      assert.equal(answer.body.status, status)
      assert.deepEqual(
        answer.body.errors.map(({ path }: { path: string }) => path),
        at,
      )
    })

  test('that gives a connector the name of another connector, in any letter case, gets 409', async () => {
    const { body } = await call('POST /inbound-connectors', { json: inbound({ name: 'Fabrikam' }) })
    const again = await call('POST /inbound-connectors', { json: inbound({ name: 'FABRIKAM' }) })
    assert.deepEqual([again.status, again.body.errors[0].path], [409, 'name'])
    const second = await call('POST /inbound-connectors', { json: inbound() })
    const renamed = await call(`PUT ${second.headers.location}`, {
      json: inbound({ name: 'fabrikam' }),
      headers: ifMatch,
    })
    assert.equal(renamed.status, 409)
    const sameName = await call(`PUT /inbound-connectors/${body.id}`, {
      json: inbound({ name: 'fabrikam' }),
      headers: ifMatch,
    })
    assert.equal(sameName.status, 200)
  })

  test('with a weak entity tag in If-Match gets 412', async () => {
    const { headers } = await call('POST /inbound-connectors', { json: inbound() })
    const answer = await call(`DELETE ${headers.location}`, { headers: { 'if-match': 'W/"1"' } })
    assert.equal(answer.status, 412)
  })

  test('with a method that the path does not have gets the allowed methods in the header Allow', async () => {
    const { headers } = await call('POST /accepted-domains/ours.example')
    assert.equal(headers.allow, 'GET, PUT, PATCH, DELETE')
  })
})

function tooLarge() {
  const domain = (n: number) => `${`${'a'.repeat(60)}.`.repeat(3)}d${n}.example`
  const domains = Array.from({ length: 1000 }, (_, n) => domain(n))
  return { senderDomains: domains, tlsSenderCertificateNames: domains }
}

describe('an internal failure of the API', () => {
  const apiWithFailingStore = (error: Error) =>
    createTestApi({ send: () => Promise.reject(error) } as unknown as DynamoDBDocumentClient)
  const rows = [
    {
      name: 'a store that throttles',
      error: Object.assign(new Error('table secret-7'), { name: 'ThrottlingException' }),
      status: 503,
    },
    {
      name: 'an unreachable store',
      error: Object.assign(new Error('10.0.0.7'), { code: 'ECONNREFUSED' }),
      status: 503,
    },
    { name: 'a programming error', error: new TypeError('undefined is not secret-7'), status: 500 },
  ]
  for (const { name, error, status } of rows)
    test(`(${name}) causes ${status}: the response shows no internals, the log does`, async () => {
      const { call, logged } = apiWithFailingStore(error)
      const answer = await call('GET /inbound-connectors')
      assert.equal(answer.status, status)
      assert.doesNotMatch(JSON.stringify(answer), /secret-7|10\.0\.0\.7/)
      assert.equal(answer.body.instance, 'urn:request:request-1')
      assert(logged.some((line) => line.error === error))
    })
})

describe('the log of the API', () => {
  const rows: { name: string; authorizer: object; caller: string }[] = [
    {
      name: 'an IAM principal as the caller',
      authorizer: { iam: { userArn: 'arn:aws:iam::1:user/ann' } },
      caller: 'arn:aws:iam::1:user/ann',
    },
    {
      name: 'an assumed role as the caller',
      authorizer: { iam: { userArn: 'arn:aws:sts::1:assumed-role/robot/1' } },
      caller: 'arn:aws:sts::1:assumed-role/robot/1',
    },
  ]
  for (const { name, authorizer, caller } of rows)
    test(`has one line per request, which names ${name}`, async () => {
      logged.length = 0
      const { headers } = await call('POST /inbound-connectors', {
        json: inbound({ comment: 'confidential' }),
        authorizer,
      })
      assert(headers.location)
      assert.deepEqual(logged, [
        {
          level: 'info',
          message: 'request',
          requestId: 'request-1',
          method: 'POST',
          route: 'POST /route',
          path: '/inbound-connectors',
          status: 201,
          ms: 0,
          caller,
        },
      ])
    })

  const people: { title: string; groups: unknown; fields: object }[] = [
    {
      title: 'the subject of a token and its roles',
      groups: ['mail'],
      fields: { status: 200, caller: 'ann', roles: ['administer'] },
    },
    {
      title: 'why a token gives no role',
      groups: 7,
      fields: {
        status: 403,
        caller: 'ann',
        roles: [],
        roleFault: 'the claim is neither a text nor a list of texts',
      },
    },
  ]
  for (const { title, groups, fields } of people)
    test(`names ${title}`, async () => {
      const roles = { claim: 'groups', mapping: { mail: ['administer' as const] } }
      const api = createTestApi(database.documents, () => now, [], {}, roles)
      await api.call('GET /configuration', signedIn({ groups }))
      const { level, message, requestId, method, route, path, ms, ...others } = api.logged[0] ?? {}
      assert.deepEqual(others, fields)
    })

  test('contains the status of a request without an authorizer, which is refused', async () => {
    logged.length = 0
    const answer = await call('GET /configuration', { authorizer: null })
    assert.deepEqual(
      [answer.status, answer.body.detail],
      [403, 'The request has no AWS signature or token that was verified.'],
    )
    assert.deepEqual(
      logged.map(({ status, caller }) => [status, caller]),
      [[403, null]],
    )
  })

  test('contains the status of a refused request', async () => {
    logged.length = 0
    await call('GET /nothing')
    assert.deepEqual(
      logged.map(({ status }) => status),
      [404],
    )
  })
})

describe('GET /messages', () => {
  const id = (time: string) => `${encodeTime(Date.parse(time), 10)}0000000000000000`
  const contoso = '01KGH3Z00000000000000000AA'
  /** Seconds since the epoch, later than all times of the tests. */
  const expiresAt = 4_000_000_000
  const times = ['2026-02-03T11:00:00.000Z', '2026-02-02T12:00:00.000Z', '2026-02-02T11:59:59.999Z']

  before(async () => {
    const trace = new Trace(database.documents, database.messagesTable)
    for (const [n, time] of times.entries()) {
      const received = message({
        id: id(time),
        receivedAt: time,
        source: { ip: '2001:db8::1', port: 1, helo: 'x' },
        headerMessageId: `<${n}@elsewhere.example>`,
      })
      await trace.recordMessage(received, circumstances.at, 90)
      const verdict: Verdict = {
        action: 'Bounce',
        recipient: recipient(),
        reason: 'RelayDenied',
        explanation: 'ours.example is not an accepted domain.',
        connectors: { inbound: contoso, outbound: null },
        decidedBy: null,
        lowered: [],
        newRequirement: null,
        reportOnly: null,
        reply: relayDeniedReply,
      }
      await trace.recordVerdict(received, verdict, circumstances, expiresAt)
    }
  })

  test('lists the messages of the last 24 hours by default, newest first', async () => {
    const { status, body } = await call('GET /messages')
    assert.equal(status, 200)
    assert.deepEqual(
      body.items.map((item: TraceEntry) => item.id),
      [id(times[0] as string), id(times[1] as string)],
    )
    for (const item of body.items) assert.deepEqual(TraceEntry.parse(item), item, 'as the API describes it')
    assert.equal(body.nextCursor, null)
  })

  test('returns pages: nextCursor continues after the last message', async () => {
    const span = 'from=2026-02-02T00:00:00Z&to=2026-02-04T00:00:00%2B00:00'
    const first = await call(`GET /messages?${span}&limit=2`)
    const second = await call(`GET /messages?${span}&limit=2&cursor=${first.body.nextCursor}`)
    assert.deepEqual(
      [...first.body.items, ...second.body.items].map((item: TraceEntry) => item.id),
      times.map(id),
    )
    assert.equal(second.body.nextCursor, null)
  })

  const filters: { query: string; count: number }[] = [
    { query: 'sender=elsewhere.example', count: 2 },
    { query: 'sender=b@elsewhere.example', count: 0 },
    { query: 'recipient=b@OURS.example', count: 2 },
    { query: `state=Bounced&connector=${contoso}`, count: 2 },
    { query: `connector=${id('2026-01-01T00:00:00.000Z')}`, count: 0 },
    { query: 'state=Delivered', count: 0 },
    { query: 'sender=%3C%3E', count: 0 },
    { query: 'messageId=%3C1@elsewhere.example%3E', count: 1 },
    { query: 'messageId=0@elsewhere.example', count: 1 },
    { query: 'clientIp=2001:DB8:0:0::1', count: 2 },
    { query: 'clientIp=192.0.2.1', count: 0 },
  ]
  for (const { query, count } of filters)
    test(`finds ${count} of 2 messages with ?${query}`, async () => {
      const { body } = await call(`GET /messages?${query}`)
      assert.equal(body.items.length, count)
    })

  const unreadable = [
    { from: '2026-02-02', message: /^is not a time in ISO 8601 with its offset, such as/ },
    { from: '2026-02-02T00:00:00', message: /^is not a time in ISO 8601 with its offset, such as/ },
    { from: '2026-02-02T00:00:00+01:00', message: /in a query, \+ is written %2B$/ },
  ]
  for (const { from, message } of unreadable)
    test(`gets 400 with an explanation for from=${from}`, async () => {
      const { status, body } = await call(`GET /messages?from=${from}`)
      assert.equal(status, 400)
      assert.match(body.errors[0].message, message)
    })

  const start = Buffer.from(JSON.stringify({ day: '2026-02-03', before: '0'.repeat(26) })).toString(
    'base64url',
  )
  const oddities: [name: string, query: string][] = [
    ['to in 1900', 'to=1900-01-01T00:00:00Z'],
    ['from and to in 9999', 'from=9999-12-30T00:00:00Z&to=9999-12-31T00:00:00Z'],
    ['a cursor before the first message', `cursor=${start}`],
  ]
  for (const [name, query] of oddities)
    test(`finds nothing, without an error, with ${name}`, async () => {
      const { status, body } = await call(`GET /messages?${query}`)
      assert.deepEqual([status, body.items.length], [200, 0])
    })

  test('/{id} returns one message with its recipients', async () => {
    const { status, body } = await call(`GET /messages/${id(times[0] as string)}`)
    assert.deepEqual(
      [status, body.recipients[0].state, body.recipients[0].verdict.reason],
      [200, 'Bounced', 'RelayDenied'],
    )
  })
})

describe('random input of the API', () => {
  const fields = Object.keys(ReadInboundConnector.shape).concat(
    Object.keys(ReadOutboundConnector.shape),
    '__proto__',
    'constructor',
  )
  const value = fc.oneof(
    fc.jsonValue(),
    fc.string({ unit: 'binary' }),
    fc.array(fc.string({ unit: 'grapheme' })),
  )
  const body = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(fc.constantFrom(...fields), value),
    fc.dictionary(fc.constantFrom(...fields), value).map((odd) => ({ ...inbound(), ...odd })),
    fc.dictionary(fc.constantFrom(...fields), value).map((odd) => ({ ...outbound(), ...odd })),
  )
  const never5xx = ({ status, body }: ApiResult) => assert(status < 500, `${status} ${JSON.stringify(body)}`)

  test('as a JSON body never causes a 5xx response', async () => {
    const target = fc.constantFrom(
      'POST /inbound-connectors',
      'POST /outbound-connectors',
      'PUT /accepted-domains/fuzz.example',
    )
    await fc.assert(
      fc.asyncProperty(target, body, async (to, json) =>
        never5xx(await call(to, { body: JSON.stringify(json) })),
      ),
      { numRuns: 300 },
    )
  })

  test('as a body of any octets never causes a 5xx response', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (octets) =>
        never5xx(
          await call('POST /inbound-connectors', {
            body: Buffer.from(octets).toString('base64'),
            base64: true,
          }),
        ),
      ),
    )
  })

  test('as path, query, cursor or If-Match never causes a 5xx response', async () => {
    const path = fc.constantFrom(
      '/messages',
      '/inbound-connectors',
      '/accepted-domains',
      '/messages/',
      '/accepted-domains/',
    )
    const method = fc.constantFrom('GET', 'PUT', 'POST', 'DELETE')
    const name = fc.constantFrom('since', 'until', 'sender', 'recipient', 'state', 'connector', 'limit', 'x')
    const cursor = fc
      .jsonValue()
      .map((position) => Buffer.from(JSON.stringify(position)).toString('base64url'))
    await fc.assert(
      fc.asyncProperty(
        method,
        path,
        fc.string(),
        name,
        fc.string(),
        cursor,
        fc.string(),
        async (verb, route, tail, key, text, from, tag) => {
          const encodedTail = route.endsWith('/') ? encodeURIComponent(tail).replaceAll('%2F', '/') : ''
          const target = `${verb} ${route}${encodedTail}?${key}=${encodeURIComponent(text)}&cursor=${from}`
          never5xx(await call(target, { headers: { 'if-match': tag }, json: {} }))
        },
      ),
      { numRuns: 300 },
    )
  })
})
