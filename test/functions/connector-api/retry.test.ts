import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { encodeTime } from 'ulid'
import { requestForConnector } from '../../../functions/connector-api/mail-selection.ts'
import { EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { Message } from '../../../shared/contract/message.ts'
import { History } from '../../../shared/messages/history.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import { WaitingList, type WaitingPosition } from '../../../shared/messages/waiting-list.ts'
import { relayDeniedReply } from '../../../shared/policy/admit-recipient.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { attempt, circumstances, message, recipient } from '../../support/fixtures.ts'
import { recordingEvents, recordingQueue } from '../../support/queue.ts'

let database: TestDynamoDb
let api: ReturnType<typeof createTestApi>
let trace: Trace
const now = Date.parse('2026-02-03T12:00:00.000Z')
const unknown = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

before(async () => {
  database = await startDynamoDb()
  api = createTestApi(database.documents, () => now)
  trace = new Trace(database.documents, database.messagesTable)
})
after(() => database.stop())
beforeEach(() => api.evaluation.take())

/** Seconds since the epoch, later than all times of the tests. */
const expiresAt = 4_000_000_000
let messageCount = 0

/** Writes a message with its recipients to the trace, received `hoursAgo` hours ago. */
async function recordInTrace(
  hoursAgo: number,
  recipients: Record<string, Partial<Pick<Verdict, 'action' | 'connectors'>>>,
): Promise<Message> {
  const at = now - hoursAgo * 3_600_000
  const id = `${encodeTime(at, 10)}${String(messageCount++).padStart(16, '0')}`
  const tracedMessage = message({ id, receivedAt: new Date(at).toISOString() })
  await trace.recordMessage(tracedMessage, circumstances.at, 90)
  for (const [address, fields] of Object.entries(recipients)) {
    const { lastAttempt } = triedRecipient(address)
    if (lastAttempt) await trace.recordAttempt(id, address, lastAttempt, expiresAt)
    await trace.recordVerdict(tracedMessage, verdict(address, fields), circumstances, expiresAt)
  }
  return tracedMessage
}

const triedRecipient = (address: string) =>
  recipient({ address, lastAttempt: attempt({ number: 3 }), delayNotified: true })

const verdict = (address: string, fields: object): Verdict =>
  ({
    action: 'Defer',
    recipient: triedRecipient(address),
    reason: 'RetryLater',
    explanation: 'Attempt 3 ended with 451 4.3.0 Try again later.',
    connectors: { inbound: null, outbound: null },
    decidedBy: null,
    lowered: [],
    newRequirement: null,
    reportOnly: null,
    reply: relayDeniedReply,
    until: new Date(now + 600_000),
    expiresAt: new Date(now + 86_400_000),
    notifyDelay: false,
    ...fields,
  }) as Verdict

const jobs = () => api.evaluation.take().map(({ job }) => EvaluationJob.parse(job))
const addresses = (evaluationJobs: EvaluationJob[]) =>
  evaluationJobs.flatMap(({ recipients }) => recipients.map((r) => r.address))

describe('POST /messages/{id}/retry', () => {
  test('sends a job for the deferred recipients only, with their state from the trace', async () => {
    const tracedMessage = await recordInTrace(1, {
      'a@ours.example': {},
      'b@ours.example': { action: 'Deliver' },
      'c@ours.example': { action: 'Bounce' },
      'd@ours.example': {},
    })
    const { status, body } = await api.call(`POST /messages/${tracedMessage.id}/retry`)
    assert.deepEqual(
      [status, body],
      [202, { requested: 2, recipients: ['a@ours.example', 'd@ours.example'] }],
    )
    assert.deepEqual(jobs(), [
      {
        message: tracedMessage,
        recipients: [triedRecipient('a@ours.example'), triedRecipient('d@ours.example')],
        notBefore: '2026-02-03T12:00:00.000Z',
        retry: true,
      },
    ])
  })

  test('sends another job when the request is repeated', async () => {
    const { id } = await recordInTrace(1, { 'a@ours.example': {} })
    const [one, two] = [
      await api.call(`POST /messages/${id}/retry`),
      await api.call(`POST /messages/${id}/retry`),
    ]
    assert.deepEqual([one.status, two.body], [202, one.body])
    assert.equal(jobs().length, 2)
  })

  test('splits 150 recipients into two jobs', async () => {
    const crowd = Array.from({ length: 150 }, (_, n) => `r${String(n).padStart(3, '0')}@ours.example`)
    const { id } = await recordInTrace(1, Object.fromEntries(crowd.map((address) => [address, {}])))
    const { body } = await api.call(`POST /messages/${id}/retry`)
    assert.deepEqual(body, { requested: 150, recipients: crowd })
    const sentJobs = jobs()
    assert.deepEqual([sentJobs.length, addresses(sentJobs)], [2, crowd])
  })

  test('gets 409 with the state of each recipient when no recipient is deferred', async () => {
    const { id } = await recordInTrace(1, {
      'a@ours.example': { action: 'Deliver' },
      'b@ours.example': { action: 'Bounce' },
      'c@ours.example': {},
    })
    await trace.recordDelivered(id, 'c@ours.example', attempt({ outcome: 'Delivered' }), 4_000_000_000)
    const { status, body } = await api.call(`POST /messages/${id}/retry`)
    assert.equal(status, 409)
    assert.deepEqual(body.errors, [
      { path: 'a@ours.example', message: 'is Pending' },
      { path: 'b@ours.example', message: 'is Bounced' },
      { path: 'c@ours.example', message: 'is Delivered' },
    ])
    assert.deepEqual(jobs(), [])
  })

  test('gets 409 for a message that is not evaluated yet', async () => {
    const { id } = await recordInTrace(0, {})
    const { status, body } = await api.call(`POST /messages/${id}/retry`)
    assert.deepEqual([status, body.detail], [409, 'The message is not evaluated yet.'])
  })

  for (const id of [unknown, 'x', '%20'])
    test(`gets 404 when {id} is ${id}, which is no message`, async () => {
      const { status } = await api.call(`POST /messages/${id}/retry`)
      assert.equal(status, 404)
    })

  test('gets 500 when the queue does not accept the job', async () => {
    const { id } = await recordInTrace(1, { 'a@ours.example': {} })
    api.evaluation.failOnce()
    assert.equal((await api.call(`POST /messages/${id}/retry`)).status, 500)
  })
})

const kinds = [
  {
    kind: 'inbound',
    other: 'outbound',
    input: { name: 'Contoso', connectorType: 'Partner', senderDomains: ['contoso.example'] },
  },
  {
    kind: 'outbound',
    other: 'inbound',
    input: { name: 'Contoso', connectorType: 'Partner', recipientDomains: ['contoso.example'] },
  },
]

for (const { kind, other, input } of kinds)
  describe(`POST /${kind}-connectors/{id}/retry`, () => {
    let id: string
    let path: string
    const decidedBy = (connector: string) => ({
      connectors: { inbound: null, outbound: null, [kind]: connector },
    })

    before(async () => {
      id = (await api.call(`POST /${kind}-connectors`, { json: input })).body.id
      path = `/${kind}-connectors/${id}/retry`
      await recordInTrace(0.01, { 'a@ours.example': decidedBy(id), 'b@ours.example': decidedBy(unknown) })
      await recordInTrace(1, {
        'c@ours.example': decidedBy(unknown),
        'd@ours.example': { ...decidedBy(id), action: 'Deliver' },
      })
      await recordInTrace(23, { 'e@ours.example': decidedBy(id), 'f@ours.example': decidedBy(id) })
      await recordInTrace(47, { 'g@ours.example': decidedBy(id) })
      await recordInTrace(73, { 'h@ours.example': decidedBy(id) })
    })

    test('sends jobs for the deferred recipients to which the connector applies, and events first', async () => {
      api.events.take()
      const { status, body } = await api.call(`POST ${path}`)
      assert.deepEqual([status, body], [202, { requested: 5, messages: 4, nextCursor: null }])
      const sentJobs = jobs()
      assert.deepEqual(addresses(sentJobs), [
        'a@ours.example',
        'e@ours.example',
        'f@ours.example',
        'g@ours.example',
        'h@ours.example',
      ])
      assert(sentJobs.every(({ retry }) => retry))
      assert.deepEqual(
        api.events.take().map(({ kind: event, request, recipient: to }) => [event, request, to]),
        ['a', 'e', 'f', 'g', 'h'].map((name) => ['Requested', 'Retry', `${name}@ours.example`]),
      )
    })

    test('continues at the position of ?cursor', async () => {
      const before = encodeTime(now - 12 * 3_600_000, 10).padEnd(26, '0')
      const cursor = Buffer.from(JSON.stringify({ before })).toString('base64url')
      const { body } = await api.call(`POST ${path}?cursor=${cursor}`)
      assert.deepEqual(body, { requested: 4, messages: 3, nextCursor: null })
      assert.deepEqual(
        addresses(jobs()),
        ['e', 'f', 'g', 'h'].map((name) => `${name}@ours.example`),
      )
    })

    const wrong = [
      { name: 'an unknown connector', target: () => `/${kind}-connectors/${unknown}/retry`, status: 404 },
      { name: 'an invalid id', target: () => `/${kind}-connectors/x/retry`, status: 404 },
      {
        name: `the id of this connector under /${other}-connectors`,
        target: () => `/${other}-connectors/${id}/retry`,
        status: 404,
      },
      { name: 'an invalid cursor', target: () => `${path}?cursor=!`, status: 400 },
    ]
    for (const { name, target, status } of wrong)
      test(`gets ${status} with ${name}`, async () => {
        assert.equal((await api.call(`POST ${target()}`)).status, status)
        assert.deepEqual(jobs(), [])
      })
  })

describe('requestForConnector', () => {
  const evaluation = recordingQueue<EvaluationJob>()
  const retry = { kind: 'Retry', at: new Date(now).toISOString(), by: 'ann' } as const
  const dependencies = () => ({
    history: new History(database.documents, database.messagesTable),
    waiting: new WaitingList(database.documents, database.messagesTable),
    events: recordingEvents(),
    ...{ trace, evaluation, now: () => now },
  })
  const connector = '01KGH3Z00000000000000000ZZ'
  const decider = { direction: 'inbound', id: connector } as const
  const byConnector = { connectors: { inbound: connector, outbound: null } }
  const allRecipients = Array.from({ length: 30 }, (_, n) => `r${String(n).padStart(2, '0')}@ours.example`)

  before(async () => {
    for (const [n, address] of allRecipients.entries()) await recordInTrace(1 + n, { [address]: byConnector })
  })

  test('stops when its time is over; repeated calls together request each recipient once', async () => {
    const calls: number[] = []
    let from: WaitingPosition | null = null
    do {
      let clock = now
      // The time is over after five readings of the clock.
      const shortOfTime = { ...dependencies(), now: () => (clock += 4_000) }
      const result: Awaited<ReturnType<typeof requestForConnector>> = await requestForConnector(
        decider,
        from,
        retry,
        shortOfTime,
      )
      calls.push(result.recipients)
      from = result.next
    } while (from !== null)
    assert(calls.length > 1, `${calls}`)
    assert.deepEqual(addresses(evaluation.take().map(({ job }) => job)), allRecipients)
  })

  test('stops within a search when its time is over, and returns the position of the last message', async () => {
    const position = (n: number) => ({ before: String(200 - n).padStart(26, '0') })
    let clock = now
    const read: string[] = []
    const waiting = {
      find: async () => ({
        messages: Array.from({ length: 200 }, (_, n) => ({ id: String(n), position: position(n) })),
        next: null,
      }),
    }
    const history = {
      find: () => assert.fail(),
      // Messages with many recipients take long.
      async messageWithRecipients(id: string) {
        read.push(id)
        clock += 250
        return null
      },
    }
    const { next } = await requestForConnector(decider, null, retry, {
      ...dependencies(),
      ...{ waiting, history, now: () => clock },
    })
    assert.deepEqual([read.length, read.at(-1), next], [40, '39', position(39)])
  })

  test('reads the state of each recipient from the table, because the index may be stale', async () => {
    const { id } = await recordInTrace(1, {
      'settled@ours.example': byConnector,
      'waiting@ours.example': byConnector,
    })
    await trace.recordDelivered(id, 'settled@ours.example', attempt({ outcome: 'Delivered' }), 4_000_000_000)
    const waiting = { find: async () => ({ messages: [{ id, position: { before: id } }], next: null }) }
    const result = await requestForConnector(decider, null, retry, { ...dependencies(), waiting })
    assert.deepEqual(result, { recipients: 1, messages: 1, skipped: [], next: null })
    assert.deepEqual(addresses(evaluation.take().map(({ job }) => job)), ['waiting@ours.example'])
  })
})
