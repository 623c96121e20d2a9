import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DeleteCommand, GetCommand } from '@aws-sdk/lib-dynamodb'
import { type EvaluateDependencies, evaluateJob } from '../../../functions/evaluate-policy/evaluate-job.ts'
import { eventId, type MailEvent } from '../../../shared/contract/events.ts'
import type { BounceJob, DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { Recipient } from '../../../shared/contract/message.ts'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { ContentAddressedStore } from '../../../shared/messages/content-addressed-store.ts'
import { recipientKey, sharedKey } from '../../../shared/messages/message-keys.ts'
import { unpackDetail } from '../../../shared/messages/packed-detail.ts'
import type { RecipientDetail, RecipientItem } from '../../../shared/messages/recipient-item.ts'
import { jobPosition, Trace } from '../../../shared/messages/trace.ts'
import { KeptRequirement } from '../../../shared/policy/kept-requirement.ts'
import { decide } from '../../support/decide.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import {
  attempt,
  authenticated,
  authenticatedMessage,
  inbound,
  message,
  minutesLater,
  outbound,
  receivedAt,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'
import { normalPriority, recordingQueue } from '../../support/queue.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const connectors = snapshot({ outbound: [outbound({ tlsSettings: 'EncryptionOnly' })] })
const fromOrganisation = (id: string) =>
  authenticatedMessage({ id, source: null, mailFrom: 'a@ours.example' })
const northwind = (fields: Partial<Recipient> = {}) =>
  recipient({ address: 'b@northwind.example', ...fields })
const job = (id: string, recipients: Recipient[], notBefore: Date | null = null): EvaluationJob => ({
  message: fromOrganisation(id),
  recipients,
  notBefore: notBefore?.toISOString() ?? null,
})

function unit() {
  const queues = {
    evaluation: recordingQueue<EvaluationJob>(),
    authentication: recordingQueue<EvaluationJob>(),
    delivery: recordingQueue<DeliveryJob>(),
    bounce: recordingQueue<BounceJob>(),
  }
  const trace = new Trace(database.documents, database.messagesTable)
  const claims = new AttemptClaims(database.documents, database.messagesTable)
  const settings = { defaultRoute: 'Mx' } as const
  const dependencies: EvaluateDependencies = {
    trace,
    queues,
    requirements: new ContentAddressedStore(
      database.documents,
      database.messagesTable,
      'requirement',
      KeptRequirement,
    ),
    priorities: normalPriority,
    settings,
    hostname: 'mail.ours.example',
    retentionDays: 90,
  }
  const run = (evaluationJob: EvaluationJob, now: Date, currentConnectors = connectors) =>
    decide(evaluationJob, currentConnectors, now, dependencies)
  /** As `run`, without the jobs. */
  const evaluate = (evaluationJob: EvaluationJob, now: Date, currentConnectors = connectors) =>
    evaluateJob(evaluationJob, currentConnectors, now, dependencies)
  return { ...queues, trace, claims, run, evaluate }
}

/** Returns the recipient's item with its detail unpacked. */
async function stored(id: string, address: string) {
  const { Item } = await database.documents.send(
    new GetCommand({ TableName: database.messagesTable, Key: recipientKey(id, address) }),
  )
  return Item && { ...(Item as RecipientItem), ...(unpackDetail(Item.detail) as RecipientDetail) }
}

const mailbox = { host: 'mailbox.ours.example', port: 25 }

let serial = 0
const nextId = () => `01KF0CVZT0${String(serial++).padStart(16, '0')}`

const canary = 'canary+01KF0CVZT0ABCDEFGHJKMNPQRS@mail.ours.example'
/** A connector that would refuse a canary, which comes from no address of the partner. */
const restricted = snapshot({
  inbound: [
    inbound({
      senderDomains: ['*'],
      senderIpAddresses: ['198.51.100.0/24'],
      restrictDomainsToIpAddresses: true,
    }),
  ],
})

describe('a canary', () => {
  test('gets a delivery job that requires the feature, and is in no list, whatever connectors say', async () => {
    const { run, delivery, bounce } = unit()
    const id = nextId()
    const mail = authenticatedMessage({ id, mailFrom: '', canary })
    await run(
      { message: mail, recipients: [recipient({ address: canary })], notBefore: null },
      receivedAt,
      restricted,
    )
    assert.deepEqual(
      delivery.sent.map(({ job: { route, requires, priority } }) => [route, requires, priority]),
      [[{ kind: 'Canary' }, ['canary'], undefined]],
    )
    assert.deepEqual(bounce.sent, [])
    const item = await stored(id, canary)
    assert.deepEqual([item?.state, item?.bucket, item?.order], ['Pending', undefined, undefined])
    assert.equal(item?.expiresAt, receivedAt.getTime() / 1000 + 24 * 3600)
  })

  for (const [title, fields, address] of [
    ['that the ingress has not recognised', {}, canary],
    ['to another address than the recognised one', { canary }, canary.replace('RS@', 'RT@')],
  ] as const)
    test(`${title} is relayed to no server, and is listed`, async () => {
      const { run, delivery } = unit()
      const id = nextId()
      const mail = authenticatedMessage({ id, mailFrom: '', ...fields })
      await run({ message: mail, recipients: [recipient({ address })], notBefore: null }, receivedAt)
      assert.deepEqual(delivery.sent, [])
      const item = await stored(id, address)
      assert.deepEqual([item?.state, item?.verdict.reason], ['Bounced', 'RelayDenied'])
      assert.ok(item?.bucket)
    })
})

describe('a message that needs authentication', () => {
  const toMailboxes = snapshot({
    outbound: [outbound({ recipientDomains: ['ours.example'], route: 'SmartHosts', smartHosts: [mailbox] })],
  })
  const received = (notBefore: Date | null, fields: Partial<EvaluationJob> = {}): EvaluationJob => ({
    message: message({ id: nextId(), source: { ip: '2001:db8:1:2::25', port: 1, helo: 'x.example' } }),
    recipients: [recipient()],
    notBefore: notBefore?.toISOString() ?? null,
    ...fields,
  })

  for (const [what, notBefore, fields] of [
    ['new mail', null, {}],
    ['a waiting message of an earlier version', minutesLater(15), {}],
    ["an administrator's retry", minutesLater(15), { retry: true }],
  ] as const)
    test(`is sent unchanged to the authentication queue, in the group of its client, and nothing is recorded: ${what}`, async () => {
      const { run, authentication, delivery, evaluation, bounce } = unit()
      const sent = received(notBefore, fields)
      for (const _ of ['first', 'duplicate']) {
        assert.deepEqual(await run(sent, minutesLater(15), toMailboxes), [])
        assert.deepEqual(authentication.take(), [{ job: sent, group: '2001:db8:1:2::/64' }])
      }
      assert.deepEqual([delivery.sent, evaluation.sent, bounce.sent], [[], [], []])
      assert.equal(await stored(sent.message.id, 'b@ours.example'), undefined)
      const returned = {
        ...sent,
        message: { ...sent.message, authentication: authenticated('pass', 'x.example') },
      }
      await run(returned, minutesLater(15), toMailboxes)
      assert.deepEqual(
        delivery.sent.map(({ job }) => job.message),
        [returned.message],
      )
      assert.deepEqual(authentication.sent, [])
    })

  test('is not authenticated while it is early', async () => {
    const { run, authentication, evaluation } = unit()
    const early = received(minutesLater(15))
    await run(early, minutesLater(14), toMailboxes)
    assert.deepEqual(evaluation.sent, [{ job: early, delaySeconds: 60 }])
    assert.deepEqual(authentication.sent, [])
  })

  test('is not authenticated when a later job was decided for its recipient', async () => {
    const { run, authentication, delivery, trace } = unit()
    const overtaken = received(minutesLater(15))
    const results = authenticated('pass', 'x.example')
    await run(
      { ...overtaken, message: { ...overtaken.message, authentication: results } },
      minutesLater(15),
      toMailboxes,
    )
    delivery.take()
    await trace.recordDecided(overtaken.message.id, 'b@ours.example', jobPosition(1, null))
    assert.deepEqual(await run(overtaken, minutesLater(16), toMailboxes), [])
    assert.deepEqual([authentication.sent, delivery.sent], [[], []])
  })

  test('of a connector that treats it as internal gets a result that says so, and is decided at once', async () => {
    const { run, authentication, delivery } = unit()
    const own = inbound({
      name: 'Own',
      connectorType: 'OnPremises',
      senderDomains: ['*'],
      senderIpAddresses: ['2001:db8:1:2::/64'],
      requireTls: false,
      treatMessagesAsInternal: true,
    })
    const rules = snapshot({
      inbound: [own],
      outbound: [
        outbound({ recipientDomains: ['ours.example'], route: 'SmartHosts', smartHosts: [mailbox] }),
      ],
    })
    await run(received(null), receivedAt, rules)
    assert.deepEqual(authentication.sent, [])
    const results = delivery.sent[0]?.job.message.authentication
    assert.equal(results?.internal, 'Own')
    assert.match(results?.fields ?? '', /^Authentication-Results: mail\.ours\.example; none /)
  })
})

describe('a first evaluation', () => {
  test('sends one delivery job for all recipients with the same destination and requirement, in the group of the destination', async () => {
    const { run, delivery, evaluation, bounce } = unit()
    const id = nextId()
    const elsewhere = recipient({ address: 'c@elsewhere.example' })
    await run(job(id, [northwind(), northwind({ address: 'd@northwind.example' }), elsewhere]), receivedAt)
    assert.deepEqual(
      delivery.sent.map(({ job, group }) => [
        group,
        job.tls.level,
        job.recipients.map(({ address }) => address),
      ]),
      [
        ['northwind.example', 'EncryptionOnly', ['b@northwind.example', 'd@northwind.example']],
        ['elsewhere.example', 'Opportunistic', ['c@elsewhere.example']],
      ],
    )
    assert.deepEqual([evaluation.sent, bounce.sent], [[], []])
    assert.equal((await stored(id, 'b@northwind.example'))?.state, 'Pending')
  })

  test('splits 250 recipients into three delivery jobs of at most 100', async () => {
    const { run, delivery } = unit()
    const many = Array.from({ length: 250 }, (_, index) =>
      northwind({ address: `r${index}@northwind.example` }),
    )
    await run(job(nextId(), many), receivedAt)
    assert.deepEqual(
      delivery.sent.map(({ job }) => job.recipients.length),
      [100, 100, 50],
    )
  })

  test('sends a delivery job with the same attempt number when its job is repeated', async () => {
    const { run, delivery } = unit()
    const first = job(nextId(), [northwind()])
    await run(first, receivedAt)
    await run(first, receivedAt)
    assert.deepEqual(
      delivery.sent.map(({ job }) => job.attempt),
      [1, 1],
    )
  })

  test('sends no delivery job for a delivered recipient when its job is repeated', async () => {
    const { run, delivery, trace } = unit()
    const first = job(nextId(), [northwind()])
    await run(first, receivedAt)
    await trace.recordDelivered(
      first.message.id,
      'b@northwind.example',
      attempt({ outcome: 'Delivered' }),
      4_000_000_000,
    )
    delivery.take()
    assert.deepEqual(await run(first, minutesLater(5)), [])
    assert.deepEqual(delivery.sent, [])
    assert.equal((await stored(first.message.id, 'b@northwind.example'))?.state, 'Delivered')
  })

  test('fails when a queue is down, and sends the delivery job when SQS repeats its job', async () => {
    const { run, delivery } = unit()
    const first = job(nextId(), [northwind()])
    delivery.failOnce()
    await assert.rejects(run(first, receivedAt), /the queue is away/)
    await run(first, receivedAt)
    assert.equal(delivery.sent.length, 1)
  })
})

describe('the evaluation of an outcome', () => {
  const failed = (fields: Partial<Recipient> = {}) => northwind({ lastAttempt: attempt(), ...fields })

  test('sends a timer with the delay of the schedule after a temporary failure', async () => {
    const { run, evaluation } = unit()
    await run(job(nextId(), [failed()]), minutesLater(0.1))
    const [{ job: timer, delaySeconds } = assert.fail('nothing was returned to the queue')] = evaluation.sent
    assert.ok(delaySeconds !== undefined && delaySeconds > 0 && delaySeconds <= 60, `${delaySeconds} s`)
    assert.ok(timer.notBefore)
    assert.deepEqual(timer.recipients, [failed()])
  })

  test('sends one timer when its job is repeated', async () => {
    const { run, evaluation } = unit()
    const outcome = job(nextId(), [failed()])
    await run(outcome, minutesLater(0.1))
    await run(outcome, minutesLater(0.2))
    assert.equal(evaluation.sent.length, 1)
  })

  test('sends the timer when its job is repeated after the first send failed', async () => {
    const { run, evaluation } = unit()
    const outcome = job(nextId(), [failed()])
    evaluation.failOnce()
    await assert.rejects(run(outcome, minutesLater(0.1)))
    await run(outcome, minutesLater(0.2))
    assert.equal(evaluation.sent.length, 1)
  })

  test('sends one bounce job after a permanent failure, also when the first send failed and when its job is repeated', async () => {
    const { run, bounce } = unit()
    const refused = attempt({
      outcome: 'PermanentFailure',
      reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
    })
    const outcome = job(nextId(), [northwind({ lastAttempt: refused })])
    bounce.failOnce()
    await assert.rejects(run(outcome, minutesLater(0.1)))
    await run(outcome, minutesLater(0.1))
    await run(outcome, minutesLater(0.1))
    assert.deepEqual(
      bounce.sent.map(({ job }) => [job.kind, job.recipients.map(({ reply }) => reply.enhanced)]),
      [['failed', ['5.1.1']]],
    )
    assert.equal((await stored(outcome.message.id, 'b@northwind.example'))?.state, 'Bounced')
  })
})

describe('a timer (an evaluation job with notBefore)', () => {
  const waitingRecipient = northwind({ lastAttempt: attempt() })

  test('that comes early returns to the queue for the remaining time, at most for 900 s, the maximum delay of SQS', async () => {
    const { run, evaluation } = unit()
    await run(job(nextId(), [waitingRecipient], minutesLater(2)), minutesLater(1.5))
    await run(job(nextId(), [waitingRecipient], minutesLater(60)), minutesLater(0))
    assert.deepEqual(
      evaluation.sent.map(({ delaySeconds }) => delaySeconds),
      [30, 900],
    )
  })

  test('sends a delivery job with the next attempt number when its time has come', async () => {
    const { run, delivery } = unit()
    await run(job(nextId(), [waitingRecipient], minutesLater(1)), minutesLater(1.1))
    assert.deepEqual(
      delivery.sent.map(({ job }) => job.attempt),
      [2],
    )
  })

  test('does nothing when the outcome of a later attempt has been decided', async () => {
    const { run, delivery, evaluation } = unit()
    const id = nextId()
    await run(job(id, [northwind({ lastAttempt: attempt({ number: 2 }) })]), minutesLater(3))
    evaluation.take()
    await run(job(id, [waitingRecipient], minutesLater(1)), minutesLater(4))
    assert.deepEqual([delivery.sent, evaluation.sent], [[], []])
  })

  test('of held mail sends one new timer when it is repeated', async () => {
    const { run, evaluation } = unit()
    const holdTimer = job(nextId(), [recipient({ address: 'b@ours.example' })], minutesLater(15))
    await run(holdTimer, minutesLater(15))
    await run(holdTimer, minutesLater(15.1))
    assert.equal(evaluation.sent.length, 1)
  })

  test('of held mail has the same notBefore when the job that sent it is repeated', async () => {
    const { run, evaluation } = unit()
    const first = job(nextId(), [recipient({ address: 'b@ours.example' })])
    await run(first, receivedAt)
    await run(first, minutesLater(1))
    assert.deepEqual(
      evaluation.sent.map(({ job, delaySeconds }) => [job.notBefore, delaySeconds]),
      [
        [minutesLater(15).toISOString(), 900],
        [minutesLater(15).toISOString(), 840],
      ],
    )
  })

  test('sends no delivery job after a bounce, although changed connectors would deliver', async () => {
    const { run, delivery } = unit()
    const id = nextId()
    const evaluationJob = {
      ...job(id, [northwind()]),
      message: authenticatedMessage({ id, mailFrom: 'a@elsewhere.example' }),
    }
    await run(evaluationJob, receivedAt)
    assert.equal((await stored(id, 'b@northwind.example'))?.state, 'Bounced')
    await run(
      evaluationJob,
      minutesLater(15),
      snapshot({ outbound: [outbound()], acceptedDomains: ['northwind.example'] }),
    )
    assert.deepEqual(delivery.sent, [])
  })
})

describe('for the same recipient', () => {
  const unrelated = (id: string) => ({
    ...job(id, [northwind()]),
    message: authenticatedMessage({ id, mailFrom: 'a@elsewhere.example' }),
  })
  const accepting = snapshot({ outbound: [outbound()], acceptedDomains: ['northwind.example'] })
  const holder = 'worker 1'
  const claimAttempt = (id: string, { claims }: ReturnType<typeof unit>, now = receivedAt) =>
    claims.claim(keyOf(id), { now, leaseMs: 360_000, expiresAt: 2_000_000_000, holder })
  const keyOf = (id: string) => ({ messageId: id, address: 'b@northwind.example', attempt: 1 })

  test('a delivery job sent before the bounce makes no attempt', async () => {
    const evaluator = unit()
    const id = nextId()
    await evaluator.run(unrelated(id), receivedAt, accepting)
    await evaluator.run(unrelated(id), minutesLater(1))
    assert.equal(evaluator.bounce.sent.length, 1)
    assert.deepEqual(await claimAttempt(id, evaluator), { kind: 'Overtaken' })
  })

  test('no bounce is decided while a delivery is running, and also not after its worker died', async () => {
    const evaluator = unit()
    const id = nextId()
    await evaluator.run(unrelated(id), receivedAt, accepting)
    await claimAttempt(id, evaluator)
    for (const minutes of [1, 60])
      assert.deepEqual(await evaluator.run(unrelated(id), minutesLater(minutes)), [])
    assert.deepEqual(evaluator.bounce.sent, [])
    assert.equal((await stored(id, 'b@northwind.example'))?.state, 'Pending')
  })

  test('a bounce is decided after the attempt was released', async () => {
    const evaluator = unit()
    const id = nextId()
    await evaluator.run(unrelated(id), receivedAt, accepting)
    await claimAttempt(id, evaluator)
    await evaluator.claims.release(keyOf(id), holder)
    await evaluator.run(unrelated(id), minutesLater(1))
    assert.equal(evaluator.bounce.sent.length, 1)
    assert.deepEqual(await claimAttempt(id, evaluator), { kind: 'Overtaken' })
  })

  test('a bounce whose worker died before sending it is sent, although changed connectors would deliver', async () => {
    const evaluator = unit()
    const id = nextId()
    evaluator.bounce.failOnce()
    await assert.rejects(evaluator.run(unrelated(id), receivedAt))
    await evaluator.run(unrelated(id), minutesLater(1), accepting)
    assert.deepEqual(evaluator.delivery.sent, [])
    assert.deepEqual(
      evaluator.bounce.sent.map(({ job }) => job.recipients.map(({ reply }) => reply.enhanced)),
      [['5.7.64']],
    )
  })

  test('a bounce whose worker died before sending it is sent, and a late delivery makes no attempt', async () => {
    const evaluator = unit()
    const id = nextId()
    evaluator.bounce.failOnce()
    await assert.rejects(evaluator.run(unrelated(id), receivedAt))
    assert.deepEqual(await claimAttempt(id, evaluator, minutesLater(20)), { kind: 'Overtaken' })
    await evaluator.run(unrelated(id), minutesLater(21))
    assert.equal(evaluator.bounce.sent.length, 1)
  })
})

describe('the events of a job', () => {
  const refused = attempt({
    outcome: 'PermanentFailure',
    reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
  })
  const ids = (events: readonly MailEvent[]) => events.map(({ kind, id }) => [kind, id])

  test('of a first evaluation are Accepted and a decision for each recipient, and the same when it is repeated', async () => {
    const { evaluate } = unit()
    const id = nextId()
    const first = job(id, [northwind(), northwind({ address: 'c@northwind.example' })])
    const expected = [
      ['Accepted', eventId('Accepted', id)],
      ['Decided', eventId('Decided', id, 'b@northwind.example', '00000#')],
      ['Decided', eventId('Decided', id, 'c@northwind.example', '00000#')],
    ]
    for (const _ of ['first', 'repeated'])
      assert.deepEqual(ids((await evaluate(first, receivedAt)).events), expected)
  })

  test('name the inbound connector on arrival, its mode and its level: the same as its decision', async () => {
    const { evaluate } = unit()
    const contoso = inbound({ requireTls: true, mode: 'ReportOnly' })
    const mail = authenticatedMessage({ id: nextId(), mailFrom: 'a@contoso.example' })
    const [accepted, bounced] = (
      await evaluate(
        { message: mail, recipients: [northwind()], notBefore: null },
        receivedAt,
        snapshot({ inbound: [contoso] }),
      )
    ).events
    assert.deepEqual(
      [accepted?.inboundConnector, accepted?.mode, accepted?.requiredLevel],
      ['id-contoso', 'ReportOnly', 'EncryptionOnly'],
    )
    assert.deepEqual([bounced?.kind, bounced?.inboundConnector], ['Bounced', 'id-contoso'])
  })

  test('of a first job that is decided again hours later, or of a timer, are at the time at which it was due', async () => {
    const { evaluate } = unit()
    const id = nextId()
    const first = job(id, [northwind()])
    const timer = job(nextId(), [northwind({ attempts: 1, lastAttempt: attempt() })], minutesLater(15))
    for (const minutes of [20, 400]) {
      const [, decided] = (await evaluate(first, minutesLater(minutes))).events
      assert.deepEqual([decided?.kind, decided?.at], ['Decided', receivedAt.toISOString()])
      const [ofTimer] = (await evaluate(timer, minutesLater(minutes))).events
      assert.deepEqual([ofTimer?.kind, ofTimer?.at], ['Decided', minutesLater(15).toISOString()])
    }
  })

  test("of the first job are also those of an administrator's job, if the first job may not have sent them", async () => {
    const { evaluate, trace } = unit()
    const id = nextId()
    await evaluate(job(id, [northwind()]), receivedAt)
    const retry = (minutes: number) => ({ ...job(id, [northwind()], minutesLater(minutes)), retry: true })
    const decided = (position: string) => ['Decided', eventId('Decided', id, 'b@northwind.example', position)]
    const { events, sendJobs } = await evaluate(retry(2), minutesLater(2))
    const position = (minutes: number) => jobPosition(0, minutesLater(minutes).toISOString())
    assert.deepEqual(ids(events), [decided(position(2)), decided('00000#')])
    await sendJobs()
    assert.deepEqual(ids((await evaluate(retry(3), minutesLater(3))).events), [decided(position(3))])
    await trace.recordRequest(id, 'b@northwind.example', 'returned', {
      at: minutesLater(4).toISOString(),
      by: 'ann',
    })
    assert.deepEqual(ids((await evaluate(retry(5), minutesLater(5))).events), [
      ['Bounced', eventId('Bounced', id, 'b@northwind.example')],
    ])
  })

  test('of a message to a canary and to another recipient are those of the other recipient', async () => {
    const id = nextId()
    const both = job(id, [northwind({ address: canary }), northwind()])
    const { events } = await unit().evaluate({ ...both, message: { ...both.message, canary } }, receivedAt)
    assert.deepEqual(ids(events), [
      ['Accepted', eventId('Accepted', id)],
      ['Decided', eventId('Decided', id, 'b@northwind.example', '00000#')],
    ])
    assert.equal(events[0]?.recipients, 1)
  })

  test('of one of several first jobs of a message have the number of all its recipients', async () => {
    const { events } = await unit().evaluate(
      { ...job(nextId(), [northwind()]), recipientsInAll: 250 },
      receivedAt,
    )
    assert.equal(events[0]?.recipients, 250)
  })

  test('of a first job that is repeated after the delivery are still Accepted', async () => {
    const { evaluate, trace } = unit()
    const id = nextId()
    await (await evaluate(job(id, [northwind()]), receivedAt)).sendJobs()
    await trace.recordDelivered(id, 'b@northwind.example', attempt({ outcome: 'Delivered' }), 4_000_000_000)
    assert.deepEqual(ids((await evaluate(job(id, [northwind()]), minutesLater(1))).events), [
      ['Accepted', eventId('Accepted', id)],
    ])
  })

  test('of a report are the attempt and the decision; the attempt also when a later job was decided', async () => {
    const { evaluate } = unit()
    const id = nextId()
    const report = {
      ...job(id, [northwind({ lastAttempt: attempt() })]),
      attempted: { connector: 'id-northwind', mode: 'Enforce' as const },
    }
    const attempted = ['Attempted', eventId('Attempted', id, 'b@northwind.example', 1)]
    const first = await evaluate(report, minutesLater(0.1))
    assert.deepEqual(ids(first.events), [
      attempted,
      ['Decided', eventId('Decided', id, 'b@northwind.example', '00001#')],
    ])
    assert.equal(first.events[0]?.outboundConnector, 'id-northwind')
    await first.sendJobs()
    assert.deepEqual(ids((await evaluate(report, minutesLater(0.2))).events), [attempted])
  })

  test('of a report of a delivery is Delivered, each time', async () => {
    const { evaluate } = unit()
    const id = nextId()
    const report = job(id, [northwind({ lastAttempt: attempt({ outcome: 'Delivered' }) })])
    for (const minutes of [0.1, 0.2]) {
      const { events, sendJobs } = await evaluate(report, minutesLater(minutes))
      assert.deepEqual(ids(events), [['Delivered', eventId('Delivered', id, 'b@northwind.example', 1)]])
      await sendJobs()
    }
  })

  test('of a bounce whose worker died before it sent them are the same when the job is repeated, at the same time', async () => {
    const { evaluate, bounce } = unit()
    const report = job(nextId(), [northwind({ lastAttempt: refused })])
    const bounced = async (minutes: number) =>
      (await evaluate(report, minutesLater(minutes))).events.filter(({ kind }) => kind === 'Bounced')
    const [first] = await bounced(0.1)
    assert.equal(first?.id, eventId('Bounced', report.message.id, 'b@northwind.example'))
    assert.deepEqual(await bounced(5), [first])
    assert.deepEqual(bounce.sent, [], 'no job is sent before the events')
  })

  test('of an early job, a canary, and mail that is to be authenticated are none', async () => {
    const { evaluate } = unit()
    const mail = authenticatedMessage({ id: nextId(), mailFrom: '', canary })
    const jobs = [
      job(nextId(), [northwind()], minutesLater(10)),
      { message: mail, recipients: [recipient({ address: canary })], notBefore: null },
      { message: message({ id: nextId() }), recipients: [recipient()], notBefore: null },
    ]
    const toMailboxes = snapshot({
      outbound: [
        outbound({ recipientDomains: ['ours.example'], route: 'SmartHosts', smartHosts: [mailbox] }),
      ],
    })
    for (const each of jobs) assert.deepEqual((await evaluate(each, receivedAt, toMailboxes)).events, [])
  })
})

describe('the sender gets no failure DSN', () => {
  const refused = {
    outcome: 'PermanentFailure',
    reply: { code: 550, enhanced: '5.1.1', text: 'No' },
  } as const
  const rows: [name: string, mailFrom: string, notify: Recipient['notify']][] = [
    ['for a message from <>, such as a DSN', '', null],
    ['with NOTIFY=NEVER', 'a@ours.example', ['NEVER']],
    ['with NOTIFY=DELAY only', 'a@ours.example', ['DELAY']],
  ]
  for (const [name, mailFrom, notify] of rows) {
    test(name, async () => {
      const { run, bounce } = unit()
      const id = nextId()
      const evaluationJob = job(id, [northwind({ notify, lastAttempt: attempt(refused) })])
      await run(
        { ...evaluationJob, message: authenticatedMessage({ id, source: null, mailFrom }) },
        minutesLater(1),
      )
      assert.deepEqual(bounce.sent, [])
      assert.equal((await stored(id, 'b@northwind.example'))?.state, 'Bounced')
    })
  }
})

describe('dropped mail', () => {
  const address = 'b@northwind.example'
  const request = { at: minutesLater(1).toISOString(), by: 'ann', reason: 'spam' }
  const failed = northwind({ lastAttempt: attempt() })
  const retry = (id: string, each: Recipient) => ({ ...job(id, [each], minutesLater(1)), retry: true })

  for (const [title, each] of [
    ['bounces without a DSN', failed],
    [
      'bounces without a DSN also if the next hop refused it meanwhile',
      northwind({ lastAttempt: attempt({ outcome: 'PermanentFailure' }) }),
    ],
  ] as const)
    test(title, async () => {
      const { run, evaluate, bounce, trace } = unit()
      const id = nextId()
      await run(job(id, [northwind()]), receivedAt)
      await trace.recordRequest(id, address, 'dropped', request)
      const { events, sendJobs } = await evaluate(retry(id, each), minutesLater(1))
      await sendJobs()
      const item = await stored(id, address)
      assert.deepEqual(
        [item?.state, item?.verdict.reason, bounce.sent],
        ['Bounced', 'DroppedByAdministrator', []],
      )
      assert.deepEqual(
        events.filter(({ kind }) => kind === 'Bounced').map(({ reason }) => reason),
        ['DroppedByAdministrator'],
      )
    })

  test('sends no DSN when a bounce that does not know of the drop comes first', async () => {
    const { run, bounce, trace } = unit()
    const id = nextId()
    const first = { ...job(id, [northwind()]), message: authenticatedMessage({ id }) }
    await run(first, receivedAt, snapshot({ outbound: [outbound()], acceptedDomains: ['northwind.example'] }))
    await trace.recordRequest(id, address, 'dropped', request)
    // The first job does not read the trace. Its repetition meets the bounce.
    for (const _ of ['first', 'repeated']) await run(first, minutesLater(2))
    assert.deepEqual([(await stored(id, address))?.verdict.reason, bounce.sent], ['RelayDenied', []])
  })

  test('stays delivered if an attempt under way has delivered it', async () => {
    const { run, bounce, trace, claims } = unit()
    const id = nextId()
    await run(job(id, [northwind()]), receivedAt)
    const key = { messageId: id, address, attempt: 1 }
    const claim = { now: receivedAt, leaseMs: 360_000, expiresAt: 2_000_000_000, holder: 'worker' }
    await claims.claim(key, claim)
    await trace.recordRequest(id, address, 'dropped', request)
    assert.deepEqual(await run(retry(id, northwind()), minutesLater(1)), [])
    await claims.complete(key, 'worker', attempt({ outcome: 'Delivered' }), true)
    assert.deepEqual(await run(retry(id, failed), minutesLater(2)), [])
    assert.deepEqual([(await stored(id, address))?.state, bounce.sent], ['Delivered', []])
  })
})

describe('a kept requirement', () => {
  const none = snapshot({})
  const encryption = connectors
  const stricter = snapshot({ outbound: [outbound({ tlsSettings: 'CertificateValidation' })] })
  const failed = northwind({ lastAttempt: attempt() })
  const levels = (queue: ReturnType<typeof unit>['delivery']) => queue.take().map(({ job }) => job.tls.level)

  test('is one item for all recipients and messages under the same requirement', async () => {
    const { run } = unit()
    const ids = [nextId(), nextId()] as const
    for (const id of ids)
      await run(job(id, [northwind(), northwind({ address: 'c@northwind.example' })]), receivedAt)
    const references = await Promise.all(
      ids.flatMap((id) =>
        ['b', 'c'].map(async (name) => (await stored(id, `${name}@northwind.example`))?.requirement),
      ),
    )
    const [reference] = references
    assert.ok(reference)
    assert.deepEqual(references, Array(4).fill({ digest: reference.digest, since: receivedAt.getTime() }))
  })

  test('is written once a day by an instance, before the recipients that refer to it', async () => {
    const { run } = unit()
    const writes: string[] = []
    const send = database.documents.send.bind(database.documents)
    database.documents.send = ((command: { input: { Item?: { pk: string }; Key?: { sk: string } } }) => {
      const { Item, Key } = command.input
      if (Item?.pk.startsWith('requirement#')) writes.push('requirement')
      if (Key?.sk.startsWith('recipient#')) writes.push('recipient')
      return send(command as never)
    }) as never
    try {
      await run(job(nextId(), [northwind()]), receivedAt)
      await run(job(nextId(), [northwind()]), minutesLater(1))
      await run(job(nextId(), [northwind()]), minutesLater(24 * 60))
    } finally {
      database.documents.send = send
    }
    assert.deepEqual(writes, ['requirement', 'recipient', 'recipient', 'requirement', 'recipient'])
  })

  test('does not exist for a recipient without forced TLS', async () => {
    const { run } = unit()
    const id = nextId()
    await run(job(id, [northwind()]), receivedAt, none)
    assert.equal((await stored(id, 'b@northwind.example'))?.requirement, undefined)
  })

  test('applies to the attempt after the outcome of the first one, when the connector is gone', async () => {
    const { run, delivery, evaluation } = unit()
    const id = nextId()
    await run(job(id, [northwind()]), receivedAt)
    await run(job(id, [failed]), minutesLater(0.1), none)
    const [{ job: timer } = assert.fail('no timer')] = evaluation.take()
    await run(timer, minutesLater(2), none)
    assert.deepEqual(levels(delivery), ['EncryptionOnly', 'EncryptionOnly'])
    assert.deepEqual((await stored(id, 'b@northwind.example'))?.verdict.lowered, ['connector'])
  })

  test('applies when another instance reads it', async () => {
    const id = nextId()
    await unit().run(job(id, [northwind()]), receivedAt)
    const { run, delivery } = unit()
    await run(job(id, [failed], minutesLater(2)), minutesLater(2), none)
    assert.deepEqual(levels(delivery), ['EncryptionOnly'])
  })

  test('applies when the first job comes again under looser connectors', async () => {
    const { run, delivery } = unit()
    const first = job(nextId(), [northwind()])
    await run(first, receivedAt, stricter)
    await run(first, minutesLater(0.1), encryption)
    await run(first, minutesLater(0.2), none)
    assert.deepEqual(levels(delivery), [
      'CertificateValidation',
      'CertificateValidation',
      'CertificateValidation',
    ])
  })

  test('is that of the first decision with forced TLS, also after stricter connectors', async () => {
    const { run, delivery } = unit()
    const id = nextId()
    await run(job(id, [northwind()]), receivedAt, none)
    await run(job(id, [failed], minutesLater(2)), minutesLater(2), encryption)
    const second = northwind({ lastAttempt: attempt({ number: 2 }) })
    await run(job(id, [second], minutesLater(10)), minutesLater(10), stricter)
    const third = northwind({ lastAttempt: attempt({ number: 3 }) })
    await run(job(id, [third], minutesLater(30)), minutesLater(30), none)
    assert.deepEqual(levels(delivery), [
      'Opportunistic',
      'EncryptionOnly',
      'CertificateValidation',
      'EncryptionOnly',
    ])
  })

  test('that cannot be read lets the job fail, and nothing is sent', async () => {
    const { run, delivery } = unit()
    const id = nextId()
    await run(job(id, [northwind()]), receivedAt)
    delivery.take()
    const { digest = '' } = (await stored(id, 'b@northwind.example'))?.requirement ?? {}
    await database.documents.send(
      new DeleteCommand({ TableName: database.messagesTable, Key: sharedKey('requirement', digest) }),
    )
    const later = unit()
    await assert.rejects(later.run(job(id, [failed], minutesLater(2)), minutesLater(2), none), /is missing/)
    assert.deepEqual(later.delivery.sent, [])
  })

  test('applies also after a release, and the item has the release', async () => {
    const { run, delivery, trace } = unit()
    const id = nextId()
    await run(job(id, [northwind()]), receivedAt, stricter)
    const request = {
      at: receivedAt.toISOString(),
      by: 'arn:aws:iam::123456789012:user/ann',
      reason: 'a call',
    }
    // The SDK repeats a write whose response was lost.
    for (const _ of ['first', 'repeated'])
      assert.equal(await trace.recordRequest(id, 'b@northwind.example', 'waived', request), true)
    await run(job(id, [failed], minutesLater(2)), minutesLater(2), encryption)
    const second = northwind({ lastAttempt: attempt({ number: 2 }) })
    await run(job(id, [second], minutesLater(10)), minutesLater(10), none)
    assert.deepEqual(levels(delivery), Array(3).fill('CertificateValidation'))
    assert.deepEqual((await stored(id, 'b@northwind.example'))?.waived, request)
  })

  test('a settled recipient takes no request', async () => {
    const { run, trace } = unit()
    const id = nextId()
    await run(job(id, [northwind()]), receivedAt)
    await trace.recordDelivered(id, 'b@northwind.example', attempt({ outcome: 'Delivered' }), 4_000_000_000)
    const request = { at: receivedAt.toISOString(), by: 'ann', reason: 'a call' }
    for (const attribute of ['waived', 'returned', 'dropped'] as const)
      assert.equal(await trace.recordRequest(id, 'b@northwind.example', attribute, request), false)
  })

  test('keeps the content out of the DSN, also when the connector is gone, and when the first job comes again', async () => {
    const full = (id: string) => ({
      ...fromOrganisation(id),
      envelope: { ...fromOrganisation(id).envelope, dsn: { ret: 'FULL', envid: null } as const },
    })
    const { run, bounce, trace } = unit()
    const [returned, again] = [nextId(), nextId()]
    const first = (id: string): EvaluationJob => ({ ...job(id, [northwind()]), message: full(id) })
    await run(first(returned), receivedAt)
    const request = { at: receivedAt.toISOString(), by: 'ann' }
    await trace.recordRequest(returned, 'b@northwind.example', 'returned', request)
    await run(
      { ...first(returned), notBefore: minutesLater(1).toISOString(), retry: true },
      minutesLater(1),
      none,
    )
    const office = inbound({
      connectorType: 'OnPremises',
      senderDomains: ['*'],
      senderIpAddresses: ['192.0.2.1'],
      requireTls: false,
    })
    const fromOffice = first(again)
    fromOffice.message.source = { ip: '192.0.2.1', port: 40_000, helo: 'client.example' }
    const relaying = snapshot({
      inbound: [office],
      outbound: [outbound({ tlsSettings: 'EncryptionOnly' })],
    })
    await run(fromOffice, receivedAt, relaying)
    await run(fromOffice, minutesLater(1), none)
    assert.deepEqual(
      bounce.sent.map(({ job: sent }) => [sent.recipients[0]?.reply.enhanced, sent.returnsContent]),
      [
        ['5.7.0', false],
        ['5.7.64', false],
      ],
    )
  })
})
