/** `/message-searches`: the SQL that is started, states, rows with types, and wrong requests. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { InvalidRequestException, TooManyRequestsException } from '@aws-sdk/client-athena'
import type { SearchStatus } from '../../../shared/events/event-search.ts'
import { type AddressHash, createAddressHash, mailboxOf } from '../../../shared/mail/address-hash.ts'
import { createTestEventApi } from '../../support/event-api.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const now = () => Date.parse('2026-11-30T21:30:00Z')
const id = '0f5b9c1e-5a0b-4c0e-9e0a-0123456789ab'

const succeeded: SearchStatus = {
  sql: '-- complete until 2026-11-30T19:55:00.000Z\nSELECT 1',
  state: 'Succeeded',
  reason: null,
  scannedOctets: 12_000_000,
  ms: 1500,
  resultKey: `searches/${id}.csv`,
}

function setUp(
  status: SearchStatus | null = succeeded,
  next = 'token-2',
  readAddressHash: () => Promise<AddressHash | null> = async () => null,
) {
  const started: string[] = []
  const pages: unknown[] = []
  const call = createTestEventApi({
    store: new SealedEvents().store,
    now,
    readAddressHash,
    searches: {
      search: {
        async start(sql) {
          started.push(sql)
          return id
        },
        status: async (searched) => (searched === id ? status : null),
        async page(...args) {
          pages.push(args)
          return {
            columns: [
              'origin_timestamp_utc',
              'sender_address',
              'total_bytes',
              'server_verified',
              'reply',
              'count',
            ],
            rows: [
              ['2026-11-30 20:00:00.123', "'=1+1@bad.example", '1234', 'true', "''quoted'", null],
              ['2026-11-30 19:00:00.000', '<>', null, null, null, '7'],
            ],
            next,
          }
        },
      },
    },
  })
  return { call, started, pages }
}

// The next hour records the events of the last minutes of an hour.
test('a search starts with its filters, and says until when it is complete', async () => {
  const { call, started } = setUp()
  const { status, headers, body } = await call('POST /message-searches', {
    json: { from: '2026-09-10T00:00:00Z', sender: 'A@Bank.example', state: 'Bounced', minSize: 1000 },
  })
  assert.deepEqual([status, body], [202, { id, completeUntil: '2026-11-30T19:55:00.000Z' }])
  assert.equal(headers.location, `/message-searches/${id}`)
  const [sql = ''] = started
  assert.ok(sql.startsWith(`-- complete until ${body.completeUntil}\n`), sql)
  for (const part of [
    "day BETWEEN '2026-09-10' AND '2026-11-30'",
    `"at" >= TIMESTAMP '2026-09-10 00:00:00.000' AND "at" < TIMESTAMP '2026-11-30 21:30:00.000'`,
    "lower(sender) = 'a@bank.example'",
    'size >= 1000',
    "r.state = 'Bounced'",
  ])
    assert.ok(sql.includes(part), `${part}\n${sql}`)
  assert.ok(!sql.includes("kind = 'Rejected'"))
})

test('without a period a search is of seven days, and finds refusals', async () => {
  const { call, started } = setUp()
  await call('POST /message-searches', { json: {} })
  assert.match(
    started[0] ?? '',
    /"at" >= TIMESTAMP '2026-11-23 21:30:00\.000'[\s\S]*UNION ALL[\s\S]*kind = 'Rejected'/,
  )
})

test('a text cannot end its literal', async () => {
  const { call, started } = setUp()
  await call('POST /message-searches', { json: { messageId: "x' OR 1=1; DROP TABLE events --\\'" } })
  assert.ok(started[0]?.includes("'x'' OR 1=1; DROP TABLE events --\\'''"))
})

test('the rows of a result have types, exact texts, a cursor, and the address of the CSV', async () => {
  const { call, pages } = setUp()
  const { status, body } = await call(`GET /message-searches/${id}?limit=2`)
  assert.equal(status, 200)
  assert.deepEqual(pages, [[id, null, 2]])
  assert.deepEqual(body.rows, [
    {
      origin_timestamp_utc: '2026-11-30T20:00:00.123Z',
      sender_address: '=1+1@bad.example',
      total_bytes: 1234,
      server_verified: true,
      reply: "'quoted'",
      count: null,
    },
    {
      origin_timestamp_utc: '2026-11-30T19:00:00.000Z',
      sender_address: '<>',
      total_bytes: null,
      server_verified: null,
      reply: null,
      count: 7,
    },
  ])
  assert.equal(body.csv, `https://events.example/searches/${id}.csv`)
  await call(`GET /message-searches/${id}?cursor=${body.nextCursor}`)
  assert.deepEqual(pages[1], [id, 'token-2', 200])
})

test('a cursor may have the longest token of Athena', async () => {
  // https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
  const token = '+'.repeat(1024)
  const { call, pages } = setUp(succeeded, token)
  const { body } = await call(`GET /message-searches/${id}`)
  const { status } = await call(`GET /message-searches/${id}?cursor=${body.nextCursor}`)
  assert.deepEqual([status, pages[1]], [200, [id, token, 200]])
})

for (const state of ['Running', 'Failed', 'Cancelled'] as const)
  test(`a search that is ${state} has no rows`, async () => {
    const reason = state === 'Running' ? null : 'Bytes scanned limit was exceeded'
    const { call, pages } = setUp({ ...succeeded, state, reason })
    const { status, body } = await call(`GET /message-searches/${id}`)
    assert.deepEqual(
      [status, body.state, body.reason, body.rows, body.csv, pages],
      [200, state, reason, [], null, []],
    )
  })

test('too many searches get 429', async () => {
  const call = createTestEventApi({
    store: new SealedEvents().store,
    now,
    searches: {
      search: {
        start: () => Promise.reject(new TooManyRequestsException({ message: 'slow down', $metadata: {} })),
        status: async () => null,
        page: () => Promise.reject(new Error('not called')),
      },
    },
  })
  const { status, body } = await call('POST /message-searches', { json: {} })
  assert.equal(status, 429)
  assert.match(body.detail, /Try again in a minute/)
})

describe('when Athena refuses to return a page', () => {
  const call = createTestEventApi({
    store: new SealedEvents().store,
    now,
    searches: {
      search: {
        start: () => Promise.reject(new Error('not called')),
        status: async () => succeeded,
        page: () =>
          Promise.reject(new InvalidRequestException({ message: 'Could not find results', $metadata: {} })),
      },
    },
  })
  test('the first one, whose object was deleted, gets 404', async () => {
    const { status, body } = await call(`GET /message-searches/${id}`)
    assert.equal(status, 404)
    assert.match(body.detail, /kept for seven days/)
  })
  test('a further one, with the cursor of another search, gets 400', async () => {
    const cursor = Buffer.from('"token-of-another"').toString('base64url')
    const { status, body } = await call(`GET /message-searches/${id}?cursor=${cursor}`)
    assert.deepEqual([status, body.errors[0]?.path], [400, 'cursor'])
  })
})

describe('a wrong request', () => {
  const cases: [name: string, target: string, json: object | undefined, status: number, path?: string][] = [
    ['an unknown search', 'GET /message-searches/0f5b9c1e-5a0b-4c0e-9e0a-0123456789ac', undefined, 404],
    ['a text that is no id', 'GET /message-searches/hello', undefined, 404],
    ['an unknown filter', 'POST /message-searches', { subject: 'x' }, 422, 'subject'],
    ['a time without offset', 'POST /message-searches', { from: '2026-11-01' }, 422, 'from'],
    [
      'a period before the retention',
      'POST /message-searches',
      { from: '2026-01-01T00:00:00Z' },
      422,
      'from',
    ],
    [
      'an empty period',
      'POST /message-searches',
      { from: '2026-11-02T00:00:00Z', to: '2026-11-01T00:00:00Z' },
      422,
      'from',
    ],
    ['a time after the year 9999', 'POST /message-searches', { to: '9999-12-31T23:59:59-12:00' }, 422, 'to'],
    ['NUL in an address', 'POST /message-searches', { sender: 'a\0@x.example' }, 422, 'sender'],
    ['NUL in a Message-ID', 'POST /message-searches', { messageId: 'a\0' }, 422, 'messageId'],
    ['an unknown state', 'POST /message-searches', { state: 'Lost' }, 422, 'state'],
    ['a limit above 999', `GET /message-searches/${id}?limit=1000`, undefined, 400, 'limit'],
    ['a wrong cursor', `GET /message-searches/${id}?cursor=!!`, undefined, 400, 'cursor'],
  ]
  for (const [name, target, json, expected, path] of cases)
    test(`with ${name} gets ${expected}`, async () => {
      const { status, body } = await setUp().call(target, json === undefined ? {} : { json })
      assert.deepEqual([status, body.errors[0]?.path], [expected, path])
    })
})

describe('with hashed addresses', () => {
  const hash = createAddressHash('k'.repeat(64))
  const start = (json: object, readAddressHash: () => Promise<AddressHash | null>) => {
    const { call, started } = setUp(succeeded, undefined, readAddressHash)
    return call('POST /message-searches', { json }).then((response) => ({ ...response, started }))
  }

  test('a search by an address finds it hashed, and plain from before', async () => {
    const { started } = await start({ recipient: 'Ann@Ours.example' }, async () => hash)
    const hashed = hash(mailboxOf('ann@ours.example'))
    assert.match(hashed, /^hashed-/)
    for (const spelling of ['ann', hashed])
      for (const part of [
        `lower(recipient) = '${spelling}@ours.example'`,
        `(recipientDomain = 'ours.example' AND starts_with(lower(recipient), '${spelling}@'))`,
      ])
        assert.ok(started[0]?.includes(part), part)
  })

  const unreadable = () => Promise.reject(new Error('AccessDenied'))
  test('a search by an address is refused while the key cannot be read', async () => {
    for (const json of [{ sender: 'ann@ours.example' }, { recipient: 'ann@ours.example' }]) {
      const { status, body, started } = await start(json, unreadable)
      const { detail } = body as { detail: string }
      assert.deepEqual([status, started], [503, []])
      assert.match(detail, /^The key of hashed addresses cannot be read from Secrets Manager, /)
    }
  })

  test('other searches do not need the key', async () => {
    for (const json of [{}, { sender: '<>' }, { recipient: 'ours.example' }, { domain: 'ours.example' }])
      assert.equal((await start(json, unreadable)).status, 202)
  })
})
