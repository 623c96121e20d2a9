import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { dispatch } from '../../../functions/evaluate-policy/dispatch.ts'
import type { EvaluateDependencies } from '../../../functions/evaluate-policy/evaluate-job.ts'
import { BounceJob, type DeliveryJob, type EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { Attempt, Message, Recipient } from '../../../shared/contract/message.ts'
import { ContentAddressedStore } from '../../../shared/messages/content-addressed-store.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import { evaluate } from '../../../shared/policy/evaluate.ts'
import { KeptRequirement } from '../../../shared/policy/kept-requirement.ts'
import { decide } from '../../support/decide.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { attempt, message, minutesLater, outbound, recipient, snapshot } from '../../support/fixtures.ts'
import { normalPriority, recordingQueue } from '../../support/queue.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const reportAddress = 'tls-reports@ours.example'

function unit() {
  const queues = {
    evaluation: recordingQueue<EvaluationJob>(),
    authentication: recordingQueue<EvaluationJob>(),
    delivery: recordingQueue<DeliveryJob>(),
    bounce: recordingQueue<BounceJob>(),
  }
  const dependencies: EvaluateDependencies = {
    trace: new Trace(database.documents, database.messagesTable),
    queues,
    settings: { defaultRoute: 'Mx', tlsReportAddress: reportAddress },
    requirements: new ContentAddressedStore(
      database.documents,
      database.messagesTable,
      'requirement',
      KeptRequirement,
    ),
    priorities: normalPriority,
    hostname: 'mail.ours.example',
    retentionDays: 90,
  }
  const run = (recipients: Recipient[], mailFrom = 'a@ours.example', id = nextId()) =>
    decide(
      { message: message({ id, source: null, mailFrom }), recipients, notBefore: null },
      snapshot({}),
      minutesLater(0.5),
      dependencies,
    )
  return { ...queues, run, dependencies }
}

let serial = 0
const nextId = () => `01KF0CVZT5${String(serial++).padStart(16, '0')}`

const accepted = (address: string, fields: Partial<Recipient> = {}, attemptFields: Partial<Attempt> = {}) =>
  recipient({
    address,
    notify: ['SUCCESS'],
    lastAttempt: attempt({
      outcome: 'Delivered',
      reply: { code: 250, enhanced: '2.0.0', text: 'queued as 1' },
      dsnPassedOn: false,
      ...attemptFields,
    }),
    ...fields,
  })
const results = ({ sent }: { sent: { job: BounceJob }[] }) =>
  sent.map(({ job: { kind, recipients } }) => [kind, recipients.map(({ recipient: { address } }) => address)])

describe('a success DSN', () => {
  test('is sent with kind relayed to a sender that requested it when the next hop does not support DSN', async () => {
    const { run, bounce, delivery, evaluation } = unit()
    await run([
      accepted('asked@x.example'),
      accepted('elsewhere@x.example', {}, { dsnPassedOn: true }),
      accepted('unasked@x.example', { notify: null }),
      accepted('never@x.example', { notify: ['NEVER'] }),
      accepted('failure@x.example', { notify: ['FAILURE', 'DELAY'] }),
    ])
    assert.deepEqual(results(bounce), [['relayed', ['asked@x.example']]])
    const [reported] = bounce.sent[0]?.job.recipients ?? []
    assert.match(reported?.explanation ?? '', /^mx\.northwind\.example accepted it/)
    assert.equal(reported?.reply.text, 'queued as 1')
    BounceJob.parse(bounce.sent[0]?.job)
    assert.deepEqual([delivery.sent, evaluation.sent], [[], []])
  })

  test('for a stored TLS report has kind delivered', async () => {
    const { run, bounce } = unit()
    await run([accepted(reportAddress, {}, { host: 'TLS reports' })])
    assert.deepEqual(results(bounce), [['delivered', [reportAddress]]])
  })

  test('is not sent for ignored mail to the report address', async () => {
    const { run, bounce } = unit()
    await run([accepted(reportAddress, {}, { host: null })])
    assert.deepEqual(results(bounce), [])
  })

  test('is not sent for a message from <>', async () => {
    const { run, bounce } = unit()
    await run([accepted('b@x.example')], '')
    assert.deepEqual(results(bounce), [])
  })

  test('is sent once when the job with the outcome is repeated', async () => {
    const { run, bounce } = unit()
    const id = nextId()
    await run([recipient({ address: 'b@x.example', notify: ['SUCCESS'] })], 'a@ours.example', id)
    for (let times = 0; times < 2; times++) await run([accepted('b@x.example')], 'a@ours.example', id)
    assert.deepEqual(results(bounce), [['relayed', ['b@x.example']]])
  })

  test('settles the recipient as Delivered, even when a second attempt fails later', async () => {
    const { run, bounce, evaluation, dependencies } = unit()
    const id = nextId()
    const address = 'b@x.example'
    const undelivered = recipient({ address, notify: ['SUCCESS'] })
    const state = async () => (await dependencies.trace.progress(id, [address])).get(address)?.state
    await run([undelivered], 'a@ours.example', id)
    assert.equal(await state(), 'Pending')
    // The worker died before it wrote outcome and state, so the attempt is repeated.
    await run([accepted(address)], 'a@ours.example', id)
    await run([{ ...undelivered, lastAttempt: attempt() }], 'a@ours.example', id)
    assert.equal(await state(), 'Delivered')
    assert.deepEqual([results(bounce), evaluation.sent], [[['relayed', [address]]], []])
  })

  test('is sent by the repeated job when the queue did not accept it', async () => {
    const { run, bounce } = unit()
    const id = nextId()
    bounce.failOnce()
    await assert.rejects(run([accepted('b@x.example')], 'a@ours.example', id), /the queue is away/)
    await run([accepted('b@x.example')], 'a@ours.example', id)
    assert.deepEqual(results(bounce), [['relayed', ['b@x.example']]])
  })

  test('for one recipient does not prevent a decision about another recipient', async () => {
    const { run, bounce, evaluation } = unit()
    const failed = recipient({ address: 'later@x.example', lastAttempt: attempt() })
    const verdicts = await run([accepted('b@x.example'), failed])
    assert.deepEqual(
      verdicts.map(({ action, recipient: { address } }) => [action, address]),
      [['Defer', 'later@x.example']],
    )
    assert.deepEqual(results(bounce), [['relayed', ['b@x.example']]])
    assert.deepEqual(
      evaluation.sent.map(({ job }) => job.recipients.map(({ address }) => address)),
      [['later@x.example']],
    )
  })

  test('for 250 recipients is split into three jobs of at most 100', async () => {
    const { run, bounce } = unit()
    await run(Array.from({ length: 250 }, (_, index) => accepted(`r${index}@x.example`)))
    assert.deepEqual(
      bounce.sent.map(({ job }) => job.recipients.length),
      [100, 100, 50],
    )
  })
})

describe('under RET=FULL', () => {
  const refused = attempt({
    outcome: 'PermanentFailure',
    reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
  })
  const plain = message({ source: null, mailFrom: 'a@ours.example' })
  const full: Message = { ...plain, envelope: { ...plain.envelope, dsn: { ret: 'FULL', envid: null } } }
  const toNorthwind = snapshot({ outbound: [outbound({ tlsSettings: 'EncryptionOnly' })] })
  const rows: [when: string, addresses: string[], returns: boolean][] = [
    ['when no recipient domain has a connector with TLS requirements', ['a@x.example', 'b@y.example'], true],
    [
      'when the domain of one recipient has a connector with TLS requirements',
      ['a@x.example', 'b@northwind.example'],
      false,
    ],
  ]
  for (const [when, addresses, returns] of rows)
    test(`a failure DSN ${returns ? 'returns' : 'does not return'} the whole message ${when}`, () => {
      const recipients = addresses.map((address) => recipient({ address, lastAttempt: refused }))
      const verdicts = evaluate({
        snapshot: toNorthwind,
        settings: { defaultRoute: 'Mx' },
        message: full,
        recipients,
        now: minutesLater(1),
      })
      const { bounce } = dispatch(full, verdicts, minutesLater(1), 1)
      assert.deepEqual(
        bounce.map((job) => [job.kind, job.recipients.length, job.returnsContent]),
        [['failed', 2, returns]],
      )
    })

  test('a failure DSN returns the whole message when the first send of its job failed', async () => {
    const { bounce, dependencies } = unit()
    const job = {
      message: { ...full, id: nextId() },
      recipients: [recipient({ address: 'a@x.example', lastAttempt: refused })],
      notBefore: null,
    }
    const run = () => decide(job, snapshot({}), minutesLater(1), dependencies)
    bounce.failOnce()
    await assert.rejects(run(), /the queue is away/)
    await run()
    assert.deepEqual(
      bounce.sent.map(({ job: { kind, returnsContent } }) => [kind, returnsContent]),
      [['failed', true]],
    )
  })

  test('a delay DSN does not return the whole message', () => {
    const deferredRecipient = recipient({ address: 'a@x.example', lastAttempt: attempt() })
    const verdicts = evaluate({
      snapshot: snapshot({}),
      settings: { defaultRoute: 'Mx' },
      message: full,
      recipients: [deferredRecipient],
      now: minutesLater(0.5),
    })
    const overdue = verdicts.map((verdict) =>
      verdict.action === 'Defer' ? { ...verdict, notifyDelay: true } : verdict,
    )
    const { bounce } = dispatch(full, overdue, minutesLater(0.5), 1)
    assert.deepEqual(
      bounce.map((job) => [job.kind, job.returnsContent]),
      [['delayed', false]],
    )
  })
})
