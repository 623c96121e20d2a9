/** Deferred mail in groups, and requests of an administrator for it. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { BatchWriteCommand, GetCommand } from '@aws-sdk/lib-dynamodb'
import { encodeTime } from 'ulid'
import { requestForIds } from '../../../functions/connector-api/mail-selection.ts'
import { EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { Message } from '../../../shared/contract/message.ts'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { History } from '../../../shared/messages/history.ts'
import { recipientKey } from '../../../shared/messages/message-keys.ts'
import type { RequestAttribute } from '../../../shared/messages/recipient-item.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import { waitingAttributes } from '../../../shared/messages/waiting.ts'
import { WaitingGroups } from '../../../shared/messages/waiting-groups.ts'
import type { WaitingRow } from '../../../shared/messages/waiting-list.ts'
import type { Defer, Verdict } from '../../../shared/policy/evaluate.ts'
import { createTestApi, iamAuthorizer } from '../../support/api-client.ts'
import { emptyTable, startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { attempt, circumstances, message, recipient } from '../../support/fixtures.ts'
import { recordingEvents, recordingQueue } from '../../support/queue.ts'

let database: TestDynamoDb
let api: ReturnType<typeof createTestApi>
let trace: Trace
const now = Date.parse('2026-02-03T12:00:00.000Z')
const at = new Date(now).toISOString()
const by = iamAuthorizer.iam.userArn
const minute = 60_000
const hour = 60 * minute
const expiresAt = 4_000_000_000

before(async () => {
  database = await startDynamoDb()
  api = createTestApi(database.documents, () => now)
  trace = new Trace(database.documents, database.messagesTable)
})
after(() => database.stop())
beforeEach(async () => {
  await emptyTable(database, database.messagesTable)
  api.evaluation.take()
  api.events.take()
})

const contoso = '01KGH3Z00000000000000000C0'
const northwind = '01KGH3Z00000000000000000N0'
const unknown = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

const held: Partial<Verdict> = {
  reason: 'InboundTlsRequired',
  connectors: { inbound: contoso, outbound: null },
}
const failed: Partial<Verdict> = {
  reason: 'RetryLater',
  connectors: { inbound: contoso, outbound: northwind },
}

let serial = 0

/** Records a message with one verdict for each address. */
async function waits(
  hoursAgo: number,
  verdicts: Record<string, Partial<Verdict>>,
  fields: Partial<Message> = {},
): Promise<string> {
  const receivedAt = now - hoursAgo * hour
  const id = `${encodeTime(receivedAt, 10)}${String(serial++).padStart(16, '0')}`
  const mail = message({
    id,
    receivedAt: new Date(receivedAt).toISOString(),
    mailFrom: 'a@contoso.example',
    ...fields,
  })
  await trace.recordMessage(mail, circumstances.at, 90)
  for (const [address, verdict] of Object.entries(verdicts)) {
    const each = {
      action: 'Defer',
      recipient: recipient({ address }),
      reason: 'RetryLater',
      explanation: '',
      connectors: { inbound: null, outbound: null },
      decidedBy: null,
      reportOnly: null,
      lowered: [],
      newRequirement: null,
      reply: { code: 451, enhanced: '4.3.0', text: 'Later' },
      until: new Date(now + 10 * minute),
      expiresAt: new Date(receivedAt + 24 * hour),
      notifyDelay: false,
      ...verdict,
    } as Verdict
    await trace.recordVerdict(mail, each, circumstances, expiresAt)
  }
  return id
}

async function stored(id: string, address: string) {
  const { Item } = await database.documents.send(
    new GetCommand({ TableName: database.messagesTable, Key: recipientKey(id, address) }),
  )
  return Item ?? {}
}

const jobAddresses = () =>
  api.evaluation.take().flatMap(({ job }) => EvaluationJob.parse(job).recipients.map((each) => each.address))

const list = async (query = '') => (await api.call(`GET /queues${query}`)).body

describe('GET /queues', () => {
  test('groups recipients by what they wait for, the first to expire first', async () => {
    const oldest = await waits(5, { 'b@northwind.example': failed, 'c@northwind.example': failed })
    const newest = await waits(1, { 'b@northwind.example': failed, 'b@ours.example': held }, { size: 5000 })
    assert.deepEqual(await list(), {
      items: [
        {
          partner: 'northwind.example',
          direction: 'Incoming',
          reason: 'RetryLater',
          connector: northwind,
          recipients: 3,
          messages: 2,
          octets: 6000,
          oldest: '2026-02-03T07:00:00.000Z',
          expires: '2026-02-04T07:00:00.000Z',
          nextAttempt: '2026-02-03T12:10:00.000Z',
          samples: [oldest, newest],
        },
        {
          partner: 'contoso.example',
          direction: 'Incoming',
          reason: 'InboundTlsRequired',
          connector: contoso,
          recipients: 1,
          messages: 1,
          octets: 5000,
          oldest: '2026-02-03T11:00:00.000Z',
          expires: '2026-02-04T11:00:00.000Z',
          nextAttempt: '2026-02-03T12:10:00.000Z',
          samples: [newest],
        },
      ],
      omitted: 0,
      complete: true,
    })
  })

  describe('with a filter', () => {
    const cases: [query: string, partners: string[]][] = [
      ['', ['contoso.example', 'northwind.example', 'ours.example']],
      ['?partner=NORTHWIND.example.', ['northwind.example']],
      ['?partner=elsewhere.example', []],
      ['?reason=InboundTlsRequired', ['contoso.example']],
      [`?connector=${northwind}`, ['northwind.example']],
      ['?direction=Originating', ['northwind.example']],
      [`?direction=Incoming&connector=${northwind}`, []],
    ]
    for (const [query, partners] of cases)
      test(`${query || 'none'} lists the groups that match`, async () => {
        await waits(3, { 'b@ours.example': held })
        await waits(2, { 'b@northwind.example': failed }, { direction: 'Originating' })
        await waits(1, { 'b@ours.example': { reason: 'NoRouteForAcceptedDomain' } })
        const { items } = await list(query)
        assert.deepEqual(
          items.map(({ partner }: { partner: string }) => partner),
          partners,
        )
      })

    for (const query of ['?reason=Later', '?connector=x', '?direction=inbound', '?partner=a b', '?state=x'])
      test(`${query} gets 400`, async () => {
        assert.equal((await api.call(`GET /queues${encodeURI(query)}`)).status, 400)
      })
  })

  test('does not list settled or pending recipients, or a canary', async () => {
    const canary = 'canary+01KF0CVZT0ABCDEFGHJKMNPQRS@mail.ours.example'
    const id = await waits(1, { 'b@ours.example': failed, 'c@ours.example': { action: 'Bounce' } })
    await waits(1, { 'd@ours.example': { action: 'Deliver' } })
    await waits(1, { [canary]: failed }, { canary, source: null })
    await trace.recordDelivered(id, 'b@ours.example', attempt({ outcome: 'Delivered' }), expiresAt)
    assert.deepEqual((await list()).items, [])
  })

  test('has null as partner when the held mail is from the null reverse path', async () => {
    await waits(1, { 'b@ours.example': held }, { mailFrom: '' } as Partial<Message>)
    assert.equal((await list()).items[0].partner, null)
  })

  test('finds groups without a partner or a connector by none', async () => {
    await waits(3, { 'b@ours.example': held }, { mailFrom: '' } as Partial<Message>)
    await waits(2, { 'b@ours.example': held })
    await waits(1, { 'b@ours.example': { reason: 'NoRouteForAcceptedDomain' } })
    const found = async (query: string) =>
      (await list(query)).items.map(({ partner, connector }: WaitingGroupJson) => [partner, connector])
    assert.deepEqual(await found('?partner=none'), [[null, contoso]])
    assert.deepEqual(await found('?connector=none'), [['ours.example', null]])
    assert.deepEqual(await found('?partner=none&connector=none'), [])
  })

  test('counts 5,000 recipients in 100 groups', async () => {
    const groups = 100
    const items = Array.from({ length: 5000 }, (_, n) => {
      const id = `${encodeTime(now - n * 1000, 10)}${String(n).padStart(16, '0')}`
      const verdict = {
        reason: 'RetryLater',
        until: new Date(now),
        expiresAt: new Date(now + n),
        connectors: { inbound: null, outbound: null },
      }
      return {
        ...recipientKey(id, `b@d${n % groups}.example`),
        ...{ state: 'Deferred', order: id, sender: 'a@ours.example', connectors: [] },
        ...waitingAttributes(message({ id, direction: 'Originating' }), verdict as unknown as Defer),
      }
    })
    for (let start = 0; start < items.length; start += 25)
      await database.documents.send(
        new BatchWriteCommand({
          RequestItems: {
            messages: items.slice(start, start + 25).map((Item) => ({ PutRequest: { Item } })),
          },
        }),
      )
    const body = await list()
    assert.deepEqual(
      [
        body.items.length,
        body.complete,
        new Set(body.items.map(({ messages }: WaitingGroupJson) => messages)),
      ],
      [groups, true, new Set([50])],
    )
    assert.equal(body.items[0].partner, 'd0.example')
    assert.deepEqual(body.items[0].samples, [items[0]?.pk, items[100]?.pk, items[200]?.pk])
  })
})

interface WaitingGroupJson {
  partner: string | null
  connector: string | null
  messages: number
}

test('the samples of a group are the messages that expire first, whatever the order of rows', () => {
  const direction = 'Incoming' as const
  const rows = Array.from({ length: 20 }, (_, n): WaitingRow => {
    const pk = `${encodeTime(now + n, 10)}${String(n).padStart(16, '0')}`
    const givenUpAt = now + n
    const wait: WaitingRow['wait'] = {
      size: 1,
      direction,
      reason: 'RetryLater',
      until: now,
      givenUpAt,
      connector: null,
    }
    return { ...recipientKey(pk, 'b@ours.example'), order: pk, sender: '', connectors: [], wait }
  })
  for (const some of [rows, rows.toReversed()]) {
    const groups = new WaitingGroups()
    for (const row of [...some, ...some]) groups.add(row)
    const [group] = groups.sorted()
    assert.deepEqual(
      [group?.samples, group?.messages, group?.recipients],
      [rows.slice(0, 3).map(({ pk }) => pk), 20, 40],
    )
  }
})

const acts: [
  act: 'retry' | 'release' | 'return' | 'drop',
  attribute: RequestAttribute | null,
  reason: { reason?: string },
][] = [
  ['retry', null, {}],
  ['release', 'waived', { reason: 'the bank called' }],
  ['return', 'returned', {}],
  ['drop', 'dropped', { reason: 'spam' }],
]

for (const [act, attribute, reason] of acts)
  describe(`POST /queues/${act}`, () => {
    const path = `POST /queues/${act}`
    const request = (json: object, query = '') =>
      api.call(`${path}${query}`, { json: { ...reason, ...json } })
    const recordedRequest = { at, by, ...reason, ...(act === 'release' && { connectors: [contoso] }) }
    const recorded = async (id: string, address = 'b@ours.example') =>
      attribute === null ? undefined : (await stored(id, address))[attribute]

    test('by filter requests it for the matching recipients only', async () => {
      const [first, second] = [
        await waits(2, { 'b@ours.example': held, 'b@northwind.example': failed }),
        await waits(1, { 'b@ours.example': held }),
      ]
      const other = await waits(1, { 'b@ours.example': held }, { mailFrom: 'a@other.example' } as object)
      const { status, body } = await request({
        filter: { partner: 'contoso.example', reason: 'InboundTlsRequired', connector: contoso },
      })
      assert.deepEqual([status, body], [202, { requested: 2, messages: 2, nextCursor: null, skipped: [] }])
      assert.deepEqual(jobAddresses(), ['b@ours.example', 'b@ours.example'])
      if (attribute !== null)
        for (const id of [first, second]) assert.deepEqual(await recorded(id), recordedRequest)
      assert.deepEqual(
        [await recorded(first, 'b@northwind.example'), await recorded(other)],
        [undefined, undefined],
      )
      assert.deepEqual(
        api.events
          .take()
          .map(({ kind, messageId, request: requested, actor, comment }) => [
            ...[kind, messageId, requested?.toLowerCase(), actor, comment],
          ]),
        [second, first].map((id) => ['Requested', id, act, by, reason.reason]),
      )
    })

    test('by the filter none requests it for mail without a partner only', async () => {
      const id = await waits(2, { 'b@ours.example': held }, { mailFrom: '' } as Partial<Message>)
      const other = await waits(1, { 'b@ours.example': held })
      const { body } = await request({ filter: { partner: 'none', direction: 'Incoming' } })
      assert.deepEqual([body.requested, jobAddresses()], [1, ['b@ours.example']])
      if (attribute !== null) assert.deepEqual(await recorded(id), recordedRequest)
      assert.equal(await recorded(other), undefined)
      api.events.take()
    })

    test('by filter without a match requests nothing', async () => {
      const { status, body } = await request({ filter: { partner: 'nowhere.example' } })
      assert.deepEqual([status, body], [202, { requested: 0, messages: 0, nextCursor: null, skipped: [] }])
      assert.deepEqual([jobAddresses(), api.events.take()], [[], []])
    })

    test('by ids requests it for these messages, and names those to which it does not apply', async () => {
      const [one, two, settled] = [
        await waits(2, { 'b@ours.example': held }),
        await waits(1, { 'b@ours.example': held }),
        await waits(1, { 'b@ours.example': { action: 'Bounce' } }),
      ]
      const { status, body } = await request({ ids: [one, settled, unknown, one] })
      assert.deepEqual(
        [status, body],
        [
          202,
          {
            ...{ requested: 1, messages: 1, nextCursor: null },
            skipped: [
              { id: settled, why: `No recipient is deferred, so there is nothing to ${act}.` },
              { id: unknown, why: 'There is no such message.' },
            ],
          },
        ],
      )
      assert.deepEqual([jobAddresses(), await recorded(two)], [['b@ours.example'], undefined])
    })

    test('by ids gets 409 when it applies to none of them', async () => {
      const { status, body } = await request({ ids: [unknown] })
      assert.deepEqual(
        [status, body.detail, body.errors],
        [
          409,
          'The request applies to no message: There is no such message.',
          [{ path: unknown, message: 'There is no such message.' }],
        ],
      )
    })

    test('can be repeated: it sends another job, and the last request is recorded', async () => {
      const id = await waits(1, { 'b@ours.example': held })
      for (const _ of ['first', 'second']) assert.equal((await request({ ids: [id] })).body.requested, 1)
      assert.equal(jobAddresses().length, 2)
      if (attribute !== null) assert.deepEqual(await recorded(id), recordedRequest)
    })

    test('has no effect on a recipient that is delivered meanwhile', async () => {
      const id = await waits(1, { 'b@ours.example': held, 'c@ours.example': held })
      const claims = new AttemptClaims(database.documents, database.messagesTable)
      const key = { messageId: id, address: 'b@ours.example', attempt: 1 }
      const claim = { now: new Date(now), leaseMs: 1000, expiresAt, holder: 'worker' }
      await claims.claim(key, claim)
      // deliver-message ends its attempt after the API has read the states.
      const settle = () => claims.complete(key, 'worker', attempt({ outcome: 'Delivered' }), true)
      const events = { ...recordingEvents(), send: settle }
      const evaluation = recordingQueue<EvaluationJob>()
      const kind = { retry: 'Retry', release: 'Release', return: 'Return', drop: 'Drop' } as const
      const result = await requestForIds(
        [id],
        null,
        { kind: kind[act], at, by, ...reason },
        {
          history: new History(database.documents, database.messagesTable),
          ...{ trace, evaluation, events, now: () => now },
        },
      )
      assert.equal(result.recipients, attribute === null ? 2 : 1)
      const item = await stored(id, 'b@ours.example')
      assert.deepEqual([item.state, await recorded(id)], ['Delivered', undefined])
    })

    test('fails and records nothing when the events queue is away', async () => {
      const id = await waits(1, { 'b@ours.example': held })
      api.events.failOnce()
      assert.equal((await request({ ids: [id] })).status, 500)
      assert.deepEqual([await recorded(id), jobAddresses()], [undefined, []])
    })

    const wrong: [name: string, json: object, path: string][] = [
      ['neither ids nor filter', {}, 'filter'],
      ['ids and filter', { ids: [unknown], filter: { partner: 'a.example' } }, 'filter'],
      ['an empty filter', { filter: {} }, 'filter'],
      ['no id', { ids: [] }, 'ids'],
      ['an id that is none', { ids: ['x'] }, 'ids[0]'],
      ['an unknown field of the filter', { filter: { state: 'Deferred' } }, 'filter'],
      ['a partner that is no domain', { filter: { partner: 'a b' } }, 'filter.partner'],
      ['an unknown reason of decisions', { filter: { reason: 'Later' } }, 'filter.reason'],
      ['a reason of 501 characters', { ids: [unknown], reason: 'x'.repeat(501) }, 'reason'],
    ]
    for (const [name, json, fault] of wrong)
      test(`gets 422 with ${name}`, async () => {
        const { status, body } = await request(json)
        assert.equal(status, 422, JSON.stringify(body))
        assert.ok(
          body.errors.some(({ path: each }: { path: string }) => each.startsWith(fault)),
          JSON.stringify(body.errors),
        )
      })

    if ('reason' in reason)
      test('gets 422 without a reason', async () => {
        const { status, body } = await api.call(path, { json: { ids: [unknown] } })
        assert.deepEqual([status, body.errors[0].path], [422, 'reason'])
      })

    test('continues with a cursor, which must be of the same kind of request', async () => {
      const cursor = (position: object) =>
        `?cursor=${Buffer.from(JSON.stringify(position)).toString('base64url')}`
      const [old, recent] = [
        await waits(2, { 'b@ours.example': held }),
        await waits(1, { 'b@ours.example': held }),
      ]
      const byFilter = { filter: { reason: 'InboundTlsRequired' } }
      assert.equal((await request(byFilter, cursor({ before: recent }))).body.requested, 1)
      assert.equal((await request({ ids: [recent, old] }, cursor({ ids: 1 }))).body.requested, 1)
      assert.equal((await request(byFilter, cursor({ ids: 1 }))).status, 400)
      assert.equal((await request({ ids: [recent] }, cursor({ before: recent }))).status, 400)
    })
  })

describe('POST /queues/release', () => {
  const json = { reason: 'the bank called' }
  const canary = 'canary+01KF0CVZT0ABCDEFGHJKMNPQRS@mail.ours.example'
  const cases: [name: string, verdicts: Record<string, Partial<Verdict>>, fields: Partial<Message>][] = [
    ['mail that waits for its next hop', { 'b@northwind.example': failed }, {}],
    ['mail without a route', { 'b@ours.example': { reason: 'NoRouteForAcceptedDomain' } }, {}],
    ['a canary', { [canary]: failed }, { canary, source: null }],
  ]
  for (const [name, verdicts, fields] of cases)
    test(`gets 409 for ${name}: no inbound connector holds it`, async () => {
      const id = await waits(1, verdicts, fields)
      const { status, body } = await api.call('POST /queues/release', { json: { ...json, ids: [id] } })
      assert.equal(status, 409)
      assert.match(body.detail, /^The request applies to no message: No inbound connector holds it/)
      assert.deepEqual(jobAddresses(), [])
    })

  test('by filter leaves alone what no inbound connector holds', async () => {
    await waits(1, { 'b@northwind.example': failed })
    const filter = { partner: 'northwind.example' }
    const { status, body } = await api.call('POST /queues/release', { json: { ...json, filter } })
    assert.deepEqual([status, body.requested], [202, 0])
  })
})

test('a retry of a canary has no event', async () => {
  const canary = 'canary+01KF0CVZT0ABCDEFGHJKMNPQRS@mail.ours.example'
  const id = await waits(1, { [canary]: failed }, { canary, source: null })
  assert.equal((await api.call('POST /queues/retry', { json: { ids: [id] } })).body.requested, 1)
  assert.deepEqual([jobAddresses(), api.events.take()], [[canary], []])
})

test('a request for many ids stops when its time is over, and continues with its cursor', async () => {
  const ids = []
  for (let n = 0; n < 45; n++) ids.push(await waits(n + 1, { 'b@ours.example': held }))
  const evaluation = recordingQueue<EvaluationJob>()
  const calls: number[] = []
  let from: { ids: number } | null = null
  do {
    let clock = now
    const result: Awaited<ReturnType<typeof requestForIds>> = await requestForIds(
      ids,
      from,
      { kind: 'Retry', at, by },
      {
        history: new History(database.documents, database.messagesTable),
        ...{ trace, evaluation, events: recordingEvents(), now: () => (clock += 5_000) },
      },
    )
    calls.push(result.messages)
    from = result.next
  } while (from !== null)
  assert.deepEqual(calls, [20, 20, 5])
  assert.deepEqual(
    evaluation.take().map(({ job }) => job.message.id),
    ids,
  )
})
