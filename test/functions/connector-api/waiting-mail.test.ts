/** An administrator releases or returns waiting mail, or changes the connector under which it waits. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { encodeTime } from 'ulid'
import { waitingMailOfChange } from '../../../functions/connector-api/waiting-choice.ts'
import type { OutboundConnector } from '../../../shared/connectors/schema.ts'
import { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { ContentAddressedStore } from '../../../shared/messages/content-addressed-store.ts'
import { recipientKey } from '../../../shared/messages/message-keys.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { KeptRequirement, keptRequirementOf } from '../../../shared/policy/kept-requirement.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { attempt, circumstances, message, outbound, recipient } from '../../support/fixtures.ts'

let database: TestDynamoDb
let api: ReturnType<typeof createTestApi>
let trace: Trace
const now = Date.parse('2026-02-03T12:00:00.000Z')
const at = '2026-02-03T12:00:00.000Z'
const authorizer = { iam: { userArn: 'arn:aws:iam::123456789012:user/ann' } }
const by = authorizer.iam.userArn

before(async () => {
  database = await startDynamoDb()
  api = createTestApi(database.documents, () => now)
  trace = new Trace(database.documents, database.messagesTable)
})
after(() => database.stop())
beforeEach(() => api.evaluation.take())

const expiresAt = 4_000_000_000
let serial = 0

const input = {
  name: 'Northwind',
  connectorType: 'Partner',
  recipientDomains: ['northwind.example'],
  tlsSettings: 'DomainValidation',
  tlsDomain: 'mx.northwind.example',
}

/** Creates a connector with forced TLS. */
async function connector(fields: object = {}): Promise<OutboundConnector> {
  const json = { ...input, name: `Northwind ${serial++}`, ...fields }
  const { warnings, ...created } = (await api.call('POST /outbound-connectors', { json })).body
  return created
}

const receivedAt = now - 3_600_000
const newId = () => `${encodeTime(receivedAt, 10)}${String(serial++).padStart(16, '0')}`

/** Records a message that waits under the connector. @returns its id */
async function waiting(
  outbound: OutboundConnector | null,
  addresses = ['b@northwind.example'],
  fields: Partial<Verdict> = {},
  id = newId(),
): Promise<string> {
  const mail = message({ id, receivedAt: new Date(receivedAt).toISOString() })
  await trace.recordMessage(mail, circumstances.at, 90)
  const requirement = keptRequirementOf(outbound)
  const store = new ContentAddressedStore(
    database.documents,
    database.messagesTable,
    'requirement',
    KeptRequirement,
  )
  const digest = requirement && (await store.store(requirement, new Date(now), 90))
  for (const address of addresses) {
    const verdict = {
      action: 'Defer',
      recipient: recipient({ address, lastAttempt: attempt() }),
      reason: 'OutboundTlsNotMet',
      explanation: '',
      connectors: { inbound: null, outbound: outbound?.id ?? null },
      decidedBy: null,
      reportOnly: null,
      lowered: [],
      newRequirement: null,
      reply: { code: 451, enhanced: '4.7.321', text: 'STARTTLS is not offered' },
      until: new Date(now + 600_000),
      expiresAt: new Date(now + 86_400_000),
      notifyDelay: false,
      ...fields,
    } as Verdict
    const { lastAttempt } = verdict.recipient
    if (lastAttempt) await trace.recordAttempt(id, verdict.recipient.address, lastAttempt, expiresAt)
    await trace.recordVerdict(mail, verdict, circumstances, expiresAt, digest)
  }
  return id
}

async function stored(id: string, address = 'b@northwind.example') {
  const { Item } = await database.documents.send(
    new GetCommand({ TableName: database.messagesTable, Key: recipientKey(id, address) }),
  )
  return Item ?? {}
}

const jobs = () => api.evaluation.take().map(({ job }) => EvaluationJob.parse(job))

const heldBy = (inbound: string): Partial<Verdict> => ({
  reason: 'InboundTlsRequired',
  connectors: { inbound, outbound: null },
  recipient: recipient({ address: 'b@northwind.example' }),
})
const holding = '01KGH3Z00000000000000000HH'

describe('POST /messages/{id}/release', () => {
  const json = { reason: 'the bank called' }

  test('records time, caller and reason, and sends an event and a job for the held recipients', async () => {
    const id = await waiting(await connector(), ['b@northwind.example'], heldBy(holding))
    api.events.take()
    const { status, body } = await api.call(`POST /messages/${id}/release`, { authorizer, json })
    assert.deepEqual([status, body], [202, { requested: 1, recipients: ['b@northwind.example'] }])
    const { requirement, waived } = await stored(id)
    assert.deepEqual([typeof requirement, waived], ['object', { at, by, ...json, connectors: [holding] }])
    assert.deepEqual(
      jobs().map(({ retry, recipients }) => [retry, recipients.map(({ address }) => address)]),
      [[true, ['b@northwind.example']]],
    )
    assert.deepEqual(
      api.events.take().map(({ id: _, softwareVersion: _v, ...event }) => event),
      [
        {
          at,
          kind: 'Requested',
          messageId: id,
          direction: 'Incoming',
          sender: 'a@elsewhere.example',
          senderDomain: 'elsewhere.example',
          recipient: 'b@northwind.example',
          recipientDomain: 'northwind.example',
          partner: 'elsewhere.example',
          clientIp: '192.0.2.1',
          size: 1000,
          inboundConnector: holding,
          actor: by,
          request: 'Release',
          comment: 'the bank called',
        },
      ],
    )
    const entry = (await api.call(`GET /messages/${id}`)).body.recipients[0]
    assert.deepEqual(
      [entry.requirement.level, entry.released, entry.returned, entry.dropped],
      ['DomainValidation', { at, by, ...json }, null, null],
    )
  })

  test('adds the connector that holds the mail now to those of earlier releases', async () => {
    const another = '01KGH3Z00000000000000000HJ'
    const id = newId()
    for (const connectorId of [holding, another, another]) {
      await waiting(null, undefined, heldBy(connectorId), id)
      await api.call(`POST /messages/${id}/release`, { json })
    }
    assert.deepEqual((await stored(id)).waived.connectors, [holding, another])
  })

  test('is refused without an authorizer, so that each release names its caller', async () => {
    const id = await waiting(await connector(), undefined, heldBy(holding))
    const { status } = await api.call(`POST /messages/${id}/release`, { authorizer: null, json })
    assert.equal(status, 403)
    assert.equal((await stored(id)).waived, undefined)
  })

  const wrongBodies: [name: string, body: object, status: number][] = [
    ['no body', {}, 400],
    ['no reason', { json: {} }, 422],
    ['an empty reason', { json: { reason: ' ' } }, 422],
    ['a reason of 501 characters', { json: { reason: 'x'.repeat(501) } }, 422],
    ['an invisible character in the reason', { json: { reason: 'a\u202Eb' } }, 422],
    ['another field', { json: { ...json, force: true } }, 422],
  ]
  for (const [name, body, expected] of wrongBodies)
    test(`gets ${expected} with ${name}`, async () => {
      const id = await waiting(null, undefined, heldBy(holding))
      assert.equal((await api.call(`POST /messages/${id}/release`, body)).status, expected)
      assert.deepEqual([(await stored(id)).waived, jobs()], [undefined, []])
    })

  test('gets 409 when no inbound connector holds the mail: what outbound connectors require is not released', async () => {
    const id = await waiting(await connector())
    const { status, body } = await api.call(`POST /messages/${id}/release`, { json })
    assert.equal(status, 409)
    assert.match(body.detail, /^No inbound connector holds it/)
    assert.deepEqual([jobs(), (await stored(id)).waived], [[], undefined])
  })

  test('gets 409 for a settled recipient', async () => {
    const id = await waiting(null, undefined, heldBy(holding))
    await trace.recordDelivered(id, 'b@northwind.example', attempt({ outcome: 'Delivered' }), 4_000_000_000)
    const { status, body } = await api.call(`POST /messages/${id}/release`, { json })
    assert.deepEqual(
      [status, body.detail, body.errors],
      [
        409,
        'No recipient is deferred, so there is nothing to release.',
        [{ path: 'b@northwind.example', message: 'is Delivered' }],
      ],
    )
  })

  test('gets 404 for an unknown message', async () => {
    assert.equal((await api.call('POST /messages/01ARZ3NDEKTSV4RRFFQ69G5FAV/release', { json })).status, 404)
  })

  test('that fails because an event cannot be sent has recorded nothing', async () => {
    const id = await waiting(null, undefined, heldBy(holding))
    api.events.failOnce()
    assert.equal((await api.call(`POST /messages/${id}/release`, { json })).status, 500)
    assert.deepEqual([jobs(), (await stored(id)).waived], [[], undefined])
  })
})

describe('POST /messages/{id}/return', () => {
  test('records time and caller, also without a requirement, and sends a job', async () => {
    const id = await waiting(null)
    const { status, body } = await api.call(`POST /messages/${id}/return`, { authorizer })
    assert.deepEqual([status, body], [202, { requested: 1, recipients: ['b@northwind.example'] }])
    assert.deepEqual((await stored(id)).returned, { at, by })
    assert.deepEqual(
      jobs().map(({ retry }) => retry),
      [true],
    )
  })

  test('gets 409 when no recipient is deferred', async () => {
    const id = await waiting(await connector())
    await trace.recordDelivered(id, 'b@northwind.example', attempt({ outcome: 'Delivered' }), 4_000_000_000)
    const { status, body } = await api.call(`POST /messages/${id}/return`)
    assert.equal(status, 409)
    assert.deepEqual(body.errors, [{ path: 'b@northwind.example', message: 'is Delivered' }])
    assert.equal((await stored(id)).returned, undefined)
  })
})

describe('POST /outbound-connectors/{id}/return', () => {
  test('requests it for the waiting mail of the connector only, also after its deletion', async () => {
    const [one, other] = [await connector(), await connector()]
    const [first, second] = [await waiting(one), await waiting(one)]
    const otherId = await waiting(other)
    const path = `/outbound-connectors/${one.id}`
    await api.call(`DELETE ${path}?waiting=hold`, { headers: { 'if-match': '*' } })
    const { status, body } = await api.call(`POST ${path}/return`, { authorizer })
    assert.deepEqual([status, body], [202, { requested: 2, messages: 2, nextCursor: null }])
    for (const id of [first, second]) assert.deepEqual((await stored(id)).returned, { at, by })
    assert.equal((await stored(otherId)).returned, undefined)
    assert.equal(jobs().length, 2)
  })

  test('does not take the id of an inbound connector', async () => {
    const id = await waiting(await connector(), ['b@northwind.example'], {
      connectors: { inbound: '01KGH3Z00000000000000000AA', outbound: null },
    })
    const { body } = await api.call(`POST /outbound-connectors/01KGH3Z00000000000000000AA/return`)
    assert.deepEqual(body, { requested: 0, messages: 0, nextCursor: null })
    assert.equal((await stored(id)).returned, undefined)
  })

  test('gets 404 for an id that is not one', async () => {
    assert.equal((await api.call(`POST /outbound-connectors/x/return`)).status, 404)
  })
})

describe('a change of an outbound connector while mail waits', () => {
  const headers = { 'if-match': '"1"' }
  const put = ({ id, name }: OutboundConnector, query: string, fields: object) =>
    api.call(`PUT /outbound-connectors/${id}${query}`, {
      headers,
      json: { ...input, name, ...fields },
      authorizer,
    })
  const weaker = { tlsSettings: 'EncryptionOnly', tlsDomain: null }
  const isChanged = async ({ id }: OutboundConnector) =>
    (await api.call(`GET /outbound-connectors/${id}`)).body.version !== 1

  test('gets 409 with the number of messages when it lowers the requirement, and changes nothing', async () => {
    const lowered = await connector()
    for (let count = 0; count < 3; count++) await waiting(lowered)
    const { status, headers: sent, body } = await put(lowered, '', weaker)
    assert.deepEqual([status, sent['content-type']], [409, 'application/problem+json'])
    assert.match(
      body.detail,
      /^3 messages wait under the requirement that this change lowers \(tlsSettings\)\./,
    )
    assert.deepEqual(body.errors, [{ path: 'waiting', message: 'is missing' }])
    assert.equal(await isChanged(lowered), false)
    const deletion = await api.call(`DELETE /outbound-connectors/${lowered.id}`, { headers })
    assert.deepEqual([deletion.status, deletion.body.detail.slice(0, 15)], [409, '3 messages wait'])
    assert.equal((await api.call(`GET /outbound-connectors/${lowered.id}`)).status, 200)
  })

  for (const [title, fields] of [
    ['raises the requirement', { minimumTlsVersion: 'TLSv1.3' }],
    ['concerns something else', { comment: 'new' }],
  ] as const)
    test(`needs no choice when it ${title}, and a choice then has no effect`, async () => {
      const changed = await connector()
      const id = await waiting(changed)
      const { status, body } = await put(changed, '?waiting=return', fields)
      assert.deepEqual([status, body.waiting], [200, undefined])
      const { returned, requirement } = await stored(id)
      assert.deepEqual([returned, typeof requirement], [undefined, 'object'])
    })

  test('needs no choice when no mail waits', async () => {
    const idle = await connector()
    const id = await waiting(idle)
    await trace.recordDelivered(id, 'b@northwind.example', attempt({ outcome: 'Delivered' }), 4_000_000_000)
    assert.equal((await put(idle, '', weaker)).status, 200)
    const other = await connector()
    assert.equal((await api.call(`DELETE /outbound-connectors/${other.id}`, { headers })).status, 204)
  })

  test('gets 412 instead of 409 with another version', async () => {
    const lowered = await connector()
    await waiting(lowered)
    const target = `PUT /outbound-connectors/${lowered.id}`
    const json = { ...input, ...weaker }
    assert.equal((await api.call(target, { headers: { 'if-match': '"7"' }, json })).status, 412)
  })

  test('with hold leaves the mail as it is', async () => {
    const lowered = await connector()
    const id = await waiting(lowered)
    const { status, body } = await put(lowered, '?waiting=hold', weaker)
    assert.deepEqual([status, body.waiting, await isChanged(lowered)], [200, undefined, true])
    const { requirement, returned } = await stored(id)
    assert.deepEqual([typeof requirement, returned], ['object', undefined])
    assert.deepEqual(jobs(), [])
    const entry = (await api.call(`GET /messages/${id}`)).body.recipients[0]
    const { connector: keptFrom, level, tlsDomain } = entry.requirement
    assert.deepEqual(
      [keptFrom.id, level, tlsDomain],
      [lowered.id, 'DomainValidation', 'mx.northwind.example'],
    )
  })

  test(`with return requests this for the mail after the change`, async () => {
    const lowered = await connector()
    const id = await waiting(lowered)
    const { status, body } = await put(lowered, '?waiting=return', weaker)
    assert.deepEqual([status, body.waiting], [200, { requested: 1, messages: 1, nextCursor: null }])
    assert.deepEqual((await stored(id)).returned, { at, by })
    assert.equal(jobs().length, 1)
  })

  test(`that deletes it with return requests this for the mail`, async () => {
    const lowered = await connector()
    const id = await waiting(lowered)
    const target = `DELETE /outbound-connectors/${lowered.id}?waiting=return`
    const { status, body } = await api.call(target, { headers, authorizer })
    assert.deepEqual([status, body], [200, { requested: 1, messages: 1, nextCursor: null }])
    assert.deepEqual((await stored(id)).returned, { at, by })
    assert.equal((await api.call(`GET /outbound-connectors/${lowered.id}`)).status, 404)
  })

  test('gets 400 for another choice, and for a choice at an inbound connector', async () => {
    const changed = await connector()
    for (const choice of ['keep', 'release'])
      assert.equal((await put(changed, `?waiting=${choice}`, {})).status, 400)
    const json = { name: 'In', connectorType: 'Partner', senderDomains: ['contoso.example'] }
    const { body } = await api.call('POST /inbound-connectors', { json })
    const target = `DELETE /inbound-connectors/${body.id}?waiting=hold`
    assert.equal((await api.call(target, { headers })).status, 400)
  })
})

describe('the count of waiting mail when the time is over before the end of the search', () => {
  const forced = outbound({ tlsSettings: 'EncryptionOnly' })
  const position = { before: '01KGH3Z0000000000000000000' }

  for (const [title, found, detail] of [
    ['is a minimum', 2, /^At least 2 messages wait /],
    ['does not count as no mail', 0, /^Mail may wait under /],
  ] as const)
    test(title, async () => {
      let clock = now
      const change = waitingMailOfChange(
        { get: async () => forced },
        {
          waiting: {
            find: async () => ({
              messages: Array(found).fill({ id: position.before, position }),
              next: position,
            }),
          },
          history: { find: () => assert.fail(), messageWithRecipients: async () => null },
          ...{ trace, evaluation: api.evaluation, events: api.events },
          // The time is over after one search.
          now: () => (clock += 10_000),
        },
      )
      await assert.rejects(
        change.check({ id: forced.id, after: null, expected: 'any', choice: undefined }),
        (problem: Error) => detail.test(problem.message),
      )
    })
})
