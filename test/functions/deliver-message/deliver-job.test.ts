import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import {
  type Delivery,
  type Dependencies,
  deliverJob,
  leaseMs,
} from '../../../functions/deliver-message/deliver-job.ts'
import { deliveredEvents } from '../../../functions/deliver-message/delivered-events.ts'
import { maxSesWaits, maxWaits } from '../../../functions/deliver-message/return-to-queue.ts'
import { eventId } from '../../../shared/contract/events.ts'
import type { DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { Attempt } from '../../../shared/contract/message.ts'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { recipientKey } from '../../../shared/messages/message-keys.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { Outcome } from '../../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { message, minutesLater, outcome, receivedAt, recipient } from '../../support/fixtures.ts'
import { type RecordingQueue, recordingQueue } from '../../support/queue.ts'

let db: TestDynamoDb
before(async () => {
  db = await startDynamoDb()
})
after(() => db.stop())

let serial = 0
const nextId = () => `01KF0CVZT0ABCDEFGHJKMN${String(serial++).padStart(4, '0')}`

const jobFor = (addresses: string[], fields: Partial<DeliveryJob> = {}): DeliveryJob => ({
  message: message({ id: nextId() }),
  recipients: addresses.map((address) => recipient({ address })),
  destination: 'partner.example',
  route: { kind: 'Mx', domain: 'partner.example' },
  tls: opportunistic,
  attempt: 1,
  connectorsVersion: 1,
  ...fields,
})

const ofLength = (length: number): DeliveryJob => {
  const job = jobFor(['a@partner.example'])
  return { ...job, message: { ...job.message, content: { ...job.message.content, length } } }
}

const delivered = outcome({
  host: 'mx.partner.example',
  ip: '198.51.100.1',
  reply: { code: 250, enhanced: '2.0.0', text: 'taken' },
})
const failed: Outcome = {
  ...delivered,
  outcome: 'TemporaryFailure',
  reply: { code: 451, enhanced: '4.3.0', text: 'later' },
}

interface Worker extends Dependencies {
  evaluation: RecordingQueue<EvaluationJob>
  /** Recipients sent to the next hop, one list per transaction. */
  transmitted: string[][]
}

/** Creates a worker with a scripted next hop. Overridden dependencies may let it die at a step. */
function worker(outcomes: Record<string, Outcome>, fields: Partial<Dependencies> = {}): Worker {
  const transmitted: string[][] = []
  return {
    claims: new AttemptClaims(db.documents, db.messagesTable),
    trace: new Trace(db.documents, db.messagesTable),
    evaluation: recordingQueue<EvaluationJob>(),
    read: async () => Buffer.from('octets'),
    transmit: async (_route, { recipients }) => {
      transmitted.push(recipients.map(({ address }) => address))
      return new Map(recipients.map(({ address }) => [address, outcomes[address] ?? delivered]))
    },
    runWithSlot: (work) => work(),
    delivery: recordingQueue<DeliveryJob>(),
    now: () => receivedAt,
    random: () => 0,
    connectorsVersion: async () => 1,
    retentionDays: 90,
    ...fields,
    transmitted,
  } as Worker
}

const state = async (job: DeliveryJob, address: string): Promise<unknown> => {
  const Key = recipientKey(job.message.id, address)
  return (await db.documents.send(new GetCommand({ TableName: db.messagesTable, Key }))).Item?.state
}

const addressesOf = (tried: Delivery['newAttempts']): string[] =>
  tried.map(({ recipient: { address } }) => address)

/** Another worker's claim on the first attempt. */
const claimFirst = (job: DeliveryJob, address: string, holder = 'other worker') =>
  new AttemptClaims(db.documents, db.messagesTable).claim(
    { messageId: job.message.id, address, attempt: 1 },
    { now: receivedAt, leaseMs, expiresAt: 2 ** 31, holder },
  )

const successDsnJob = (address: string): DeliveryJob => {
  const job = jobFor([address])
  return { ...job, recipients: job.recipients.map((each) => ({ ...each, notify: ['SUCCESS' as const] })) }
}

class Died extends Error {}
const dies = async (): Promise<never> => {
  throw new Died('the worker died')
}

/** Writes the result and gets no response. */
class Dying extends AttemptClaims {
  override async complete(...parameters: Parameters<AttemptClaims['complete']>) {
    await super.complete(...parameters)
    await dies()
  }
}

describe('a delivery job', () => {
  it('transmits its recipients together, records a delivery, and reports a failure to evaluation', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example'])
    const testWorker = worker({ 'b@partner.example': failed })
    const delivery = await deliverJob(job, testWorker)
    assert.deepEqual(testWorker.transmitted, [['a@partner.example', 'b@partner.example']])
    assert.equal(delivery.leasesExpired, 0)
    assert.equal(await state(job, 'a@partner.example'), 'Delivered')
    assert.equal(await state(job, 'b@partner.example'), undefined)
    const attempt: Attempt = { ...failed, number: 1, at: receivedAt.toISOString(), durationMs: 0 }
    assert.deepEqual(
      testWorker.evaluation.take().map(({ job: sent }) => sent),
      [
        {
          message: job.message,
          recipients: [{ ...recipient({ address: 'b@partner.example' }), attempts: 1, lastAttempt: attempt }],
          notBefore: null,
          attempted: {
            connector: null,
            connectorsVersion: 1,
            mode: 'Enforce',
            route: 'Mx',
            level: 'Opportunistic',
          },
        },
      ],
    )
  })

  it('records the duration of an attempt, and 0 when the clock was set back', async () => {
    for (const [took, durationMs] of [
      [1234, 1234],
      [-1234, 0],
    ] as const) {
      let at = receivedAt.getTime()
      const transmit: Dependencies['transmit'] = async () => {
        at += took
        return new Map([['a@partner.example', failed]])
      }
      const testWorker = worker({}, { now: () => new Date(at), transmit })
      const { newAttempts: triedNow } = await deliverJob(jobFor(['a@partner.example']), testWorker)
      assert.equal(triedNow[0]?.attempt.durationMs, durationMs)
    }
  })

  it('sends nothing to evaluation when every recipient was delivered', async () => {
    const testWorker = worker({})
    await deliverJob(jobFor(['a@partner.example']), testWorker)
    assert.deepEqual(testWorker.evaluation.take(), [])
  })

  it('reports a success to evaluation when the sender requested a success DSN', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example'])
    const recipients = job.recipients.map((each, index) => ({
      ...each,
      notify: index === 0 ? (['SUCCESS', 'FAILURE'] as const).slice() : (['FAILURE'] as const).slice(),
    }))
    const testWorker = worker({ 'a@partner.example': { ...delivered, dsnPassedOn: false } })
    await deliverJob({ ...job, recipients }, testWorker)
    assert.deepEqual(
      testWorker.evaluation
        .take()
        .flatMap(({ job: sent }) =>
          sent.recipients.map(({ address, attempts, lastAttempt }) => [
            address,
            attempts,
            lastAttempt?.outcome,
            lastAttempt?.dsnPassedOn,
          ]),
        ),
      [['a@partner.example', 1, 'Delivered', false]],
    )
  })

  it('records Delivered only after the report to evaluation, when a success DSN was requested', async () => {
    const job = successDsnJob('a@partner.example')
    class Forgetful extends AttemptClaims {
      override complete = dies
    }
    const testWorker = worker({}, { claims: new Forgetful(db.documents, db.messagesTable) })
    testWorker.evaluation.failOnce()
    await assert.rejects(deliverJob(job, testWorker), /the queue is away/)
    assert.equal(await state(job, 'a@partner.example'), undefined)
  })

  it('that SQS delivers twice is tried once, and its outcome is reported again', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example'])
    const first = worker({ 'b@partner.example': failed })
    await deliverJob(job, first)
    const second = worker({})
    const delivery = await deliverJob(job, second)
    assert.deepEqual(second.transmitted, [])
    assert.deepEqual(
      [addressesOf(delivery.newAttempts), addressesOf(delivery.earlierAttempts)],
      [[], ['a@partner.example', 'b@partner.example']],
    )
    assert.deepEqual(second.evaluation.take(), first.evaluation.take())
  })

  it('that several workers get at the same time is tried once', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example', 'c@partner.example'])
    const workers = [worker({}), worker({}), worker({})]
    await Promise.all(workers.map((each) => deliverJob(job, each)))
    const all = workers.flatMap(({ transmitted }) => transmitted.flat()).sort()
    assert.deepEqual(all, ['a@partner.example', 'b@partner.example', 'c@partner.example'])
  })

  it('with the next attempt number is tried again', async () => {
    const job = jobFor(['a@partner.example'])
    await deliverJob(job, worker({ 'a@partner.example': failed }))
    const next = worker({})
    await deliverJob({ ...job, attempt: 2 }, next)
    assert.deepEqual(next.transmitted, [['a@partner.example']])
  })

  it('reports a recipient that another worker claimed as busy, and delivers to its other recipients', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example'])
    await claimFirst(job, 'a@partner.example')
    const testWorker = worker({})
    const delivery = await deliverJob(job, testWorker)
    assert.deepEqual(testWorker.transmitted, [['b@partner.example']])
    assert.deepEqual(
      delivery.busyRecipients.map(({ address }) => address),
      ['a@partner.example'],
    )
  })

  it('sends one copy to an address that the job names twice', async () => {
    const testWorker = worker({})
    const delivery = await deliverJob(jobFor(['a@partner.example', 'a@partner.example']), testWorker)
    assert.deepEqual([testWorker.transmitted, delivery.busyRecipients], [[['a@partner.example']], []])
  })

  it('makes no attempt and leaves no claim while its content cannot be read', async () => {
    const job = jobFor(['a@partner.example'])
    const blind = worker({}, { read: dies })
    await assert.rejects(deliverJob(job, blind), Died)
    assert.deepEqual(blind.transmitted, [])
    const sound = worker({})
    assert.deepEqual((await deliverJob(job, sound)).busyRecipients, [])
    assert.deepEqual(sound.transmitted, [['a@partner.example']])
  })

  for (const [title, octets, readsBefore] of [
    ['reads a small message before the destination queue reaches the job', 1024 * 1024, 1],
    [
      'reads a large message only when the destination queue reaches the job, because many jobs may wait',
      1024 * 1024 + 1,
      0,
    ],
  ] as const)
    it(title, async () => {
      let read = 0
      const readsAtStart: number[] = []
      const job = ofLength(octets)
      const testWorker = worker(
        {},
        {
          read: async () => {
            read += 1
            return Buffer.from('octets')
          },
          runWithSlot: async (work) => {
            readsAtStart.push(read)
            return work()
          },
        },
      )
      assert.equal((await deliverJob(job, testWorker)).newAttempts.length, 1)
      assert.deepEqual({ readsAtStart, read }, { readsAtStart: [readsBefore], read: 1 })
    })

  it('leaves no claim while the content of a large message cannot be read', async () => {
    const job = ofLength(30_000_000)
    await assert.rejects(deliverJob(job, worker({}, { read: dies })), Died)
    assert.deepEqual((await deliverJob(job, worker({}))).busyRecipients, [])
  })

  for (const octets of [1_000, 30_000_000])
    it(`reports a permanent failure, without an attempt, when its content of ${octets} octets was deleted`, async () => {
      const deleted = worker(
        {},
        {
          read: async () => {
            throw Object.assign(new Error('no such key'), { name: 'NoSuchKey' })
          },
        },
      )
      const { newAttempts } = await deliverJob(ofLength(octets), deleted)
      assert.deepEqual(deleted.transmitted, [])
      assert.deepEqual(
        newAttempts.map(({ attempt: { outcome, host, reply } }) => [
          outcome,
          host,
          reply.code,
          reply.enhanced,
        ]),
        [['PermanentFailure', null, 554, '5.3.0']],
      )
      const [reported] = deleted.evaluation.take()
      assert.equal(reported?.job.recipients[0]?.lastAttempt?.outcome, 'PermanentFailure')
    })
})

describe('a job that waits for the quota of Amazon SES', () => {
  const wait = { reason: 'SesRate', sendAt: receivedAt, delaySeconds: 7, text: '' } as const

  it('returns to the queue without a claim, an attempt or a read of its content', async () => {
    const job = jobFor(['a@partner.example'], { route: { kind: 'Ses' } })
    const waiting = worker({}, { runWithSlot: async () => wait, read: dies })
    const { returnedToQueue, newAttempts } = await deliverJob(job, waiting)
    assert.deepEqual([returnedToQueue, newAttempts, waiting.evaluation.take()], ['SesRate', [], []])
    const free = worker({})
    assert.deepEqual(addressesOf((await deliverJob(job, free)).newAttempts), ['a@partner.example'])
  })

  it('is reported as a failed attempt, with the quota in its reply, after its last permitted wait', async () => {
    const job = jobFor(['a@partner.example'], { route: { kind: 'Ses' }, waits: maxSesWaits })
    const refused = worker(
      {},
      {
        runWithSlot: async () => ({ ...wait, sendAt: null, text: 'it takes 200 recipients in 24 hours' }),
      },
    )
    await deliverJob(job, refused)
    const [reported] = refused.evaluation.take()
    assert.equal(
      reported?.job.recipients[0]?.lastAttempt?.reply.text,
      'Amazon SES cannot take the message yet: it takes 200 recipients in 24 hours',
    )
  })
})

describe('a job whose request Amazon SES throttled', () => {
  const throttled: Outcome = {
    ...failed,
    host: 'Amazon SES',
    reply: { code: 451, enhanced: '4.4.5', text: 'Amazon SES: Throttling: Rate exceeded' },
    isThrottled: true,
  }
  const address = 'a@partner.example'
  const throttling = (fields: Partial<Dependencies> = {}) => {
    const delivery = recordingQueue<DeliveryJob>()
    return { testWorker: worker({ [address]: throttled }, { delivery, ...fields }), delivery }
  }
  const sesJob = (addresses: string[], fields: Partial<DeliveryJob> = {}) =>
    jobFor(addresses, { route: { kind: 'Ses' }, ...fields })

  it('returns to its queue without an attempt, and the attempt can be claimed at once', async () => {
    const job = sesJob([address], { sendAt: receivedAt.toISOString() })
    const { testWorker, delivery } = throttling()
    const { returnedToQueue, newAttempts, busyRecipients } = await deliverJob(job, testWorker)
    assert.deepEqual([returnedToQueue, newAttempts, busyRecipients], ['SesRate', [], []])
    assert.deepEqual(testWorker.evaluation.take(), [])
    const [returned = assert.fail('nothing returned')] = delivery.take()
    const { sendAt: _, ...unreserved } = job
    assert.deepEqual(returned, {
      job: { ...unreserved, waits: 1 },
      delaySeconds: 8,
      group: 'partner.example',
    })
    const next = await deliverJob(returned.job, worker({}))
    assert.deepEqual([addressesOf(next.newAttempts), next.leasesExpired], [[address], 0])
  })

  it('returns only its throttled recipients', async () => {
    const { testWorker, delivery } = throttling()
    const { newAttempts } = await deliverJob(sesJob([address, 'b@partner.example']), testWorker)
    assert.deepEqual(addressesOf(newAttempts), ['b@partner.example'])
    assert.deepEqual(
      delivery.take().map(({ job }) => job.recipients.map((each) => each.address)),
      [[address]],
    )
  })

  it('fails with the reply of Amazon SES after its last permitted wait', async () => {
    const { testWorker, delivery } = throttling()
    const { newAttempts } = await deliverJob(sesJob([address], { waits: maxSesWaits }), testWorker)
    const { isThrottled: _, ...result } = throttled
    const attempt = { ...result, number: 1, at: receivedAt.toISOString(), durationMs: 0 }
    assert.deepEqual(
      newAttempts.map((each) => each.attempt),
      [attempt],
    )
    assert.deepEqual([testWorker.evaluation.take().length, delivery.take()], [1, []])
  })

  it('fails when an earlier worker may have sent the message, so that its claim is not lost', async () => {
    const job = sesJob([address])
    await assert.rejects(deliverJob(job, worker({}, { transmit: dies })), Died)
    const { testWorker, delivery } = throttling({ now: () => minutesLater(7) })
    assert.deepEqual(addressesOf((await deliverJob(job, testWorker)).newAttempts), [address])
    assert.deepEqual(delivery.take(), [])
  })

  it('sends no copy of itself while SQS retries it for a busy recipient', async () => {
    const job = sesJob([address, 'b@partner.example'])
    const { testWorker, delivery } = throttling()
    await claimFirst(job, 'b@partner.example')
    const { busyRecipients, returnedToQueue } = await deliverJob(job, testWorker)
    assert.deepEqual(
      [busyRecipients.map((each) => each.address), returnedToQueue],
      [['b@partner.example'], null],
    )
    assert.deepEqual(delivery.take(), [])
    assert.equal((await claimFirst(job, address)).kind, 'Claimed', 'its claim was released')
  })

  for (const request of ['returned', 'dropped'])
    it(`gets a new decision when an administrator ${request} the message during the request`, async () => {
      const job = sesJob([address])
      const Item = { ...recipientKey(job.message.id, address), state: 'Deferred', [request]: {} }
      await db.documents.send(new PutCommand({ TableName: db.messagesTable, Item }))
      const { testWorker, delivery } = throttling()
      const { returnedForDecision, returnedToQueue } = await deliverJob(job, testWorker)
      assert.deepEqual([returnedForDecision, returnedToQueue, delivery.take()], [1, null, []])
      assert.equal(testWorker.evaluation.take()[0]?.job.retry, true)
    })

  it('is not sent by a worker that met the claim before its release, when connectors have changed', async () => {
    const job = sesJob([address])
    await claimFirst(job, address, 'first worker')
    class Late extends Trace {
      override async progress(id: string, addresses: readonly string[]) {
        const progress = await super.progress(id, addresses)
        await testWorker.claims.release({ messageId: id, address, attempt: 1 }, 'first worker')
        return progress
      }
    }
    const delivery = recordingQueue<DeliveryJob>()
    const trace = new Late(db.documents, db.messagesTable)
    const testWorker = worker({}, { trace, delivery, connectorsVersion: async () => 2 })
    assert.equal((await deliverJob(job, testWorker)).returnedToQueue, 'SesRate')
    assert.deepEqual([testWorker.transmitted, delivery.take().length], [[], 1])
    assert.equal(
      (await deliverJob(job, worker({}, { connectorsVersion: async () => 2 }))).returnedForDecision,
      1,
    )
  })
})

describe('a job that has waited long for a slot', () => {
  const noFreeSlot = { runWithSlot: async () => 'NoSlot' as const }

  it('is reported as a failed attempt after its last permitted wait', async () => {
    const job = { ...jobFor(['a@partner.example']), waits: maxWaits }
    const first = worker({}, noFreeSlot)
    const delivery = await deliverJob(job, first)
    assert.deepEqual([first.transmitted, delivery.returnedToQueue], [[], null])
    const [reported] = first.evaluation.take()
    const [recipient] = reported?.job.recipients ?? []
    assert.equal(recipient?.attempts, 1)
    assert.equal(recipient?.lastAttempt?.outcome, 'TemporaryFailure')
    assert.equal(recipient?.lastAttempt?.reply.enhanced, '4.4.5')
    // A copy of the job makes no second attempt, even if a slot is free in the meantime.
    const second = worker({})
    await deliverJob(job, second)
    assert.deepEqual(second.transmitted, [])
  })

  it('returns to the queue before its last permitted wait, and claims nothing', async () => {
    const job = { ...jobFor(['a@partner.example']), waits: maxWaits - 1 }
    const busy = worker({}, noFreeSlot)
    assert.equal((await deliverJob(job, busy)).returnedToQueue, 'NoSlot')
    assert.deepEqual(busy.evaluation.take(), [])
    const free = worker({})
    await deliverJob(job, free)
    assert.deepEqual(free.transmitted, [['a@partner.example']])
  })
})

describe('a worker that dies', () => {
  it('after the 250 of the next hop, before it recorded the 250, causes one duplicate, which is sent after the lease and counted', async () => {
    const job = jobFor(['a@partner.example'])
    const acceptedBy: string[] = []
    const dying = worker(
      {},
      {
        transmit: () => {
          acceptedBy.push('first')
          return dies()
        },
      },
    )
    await assert.rejects(deliverJob(job, dying), Died)
    const beforeExpiry = worker({}, { now: () => minutesLater(5) })
    assert.equal((await deliverJob(job, beforeExpiry)).busyRecipients.length, 1)
    assert.deepEqual(
      [acceptedBy, beforeExpiry.transmitted, beforeExpiry.evaluation.take()],
      [['first'], [], []],
    )
    const later = worker({}, { now: () => minutesLater(7) })
    const delivery = await deliverJob(job, later)
    assert.equal(delivery.leasesExpired, 1)
    assert.deepEqual(later.transmitted, [['a@partner.example']])
    assert.equal(await state(job, 'a@partner.example'), 'Delivered')
  })

  it('after it recorded the 250 of the next hop causes no duplicate and no report', async () => {
    const job = jobFor(['a@partner.example'])
    const dying = worker({}, { claims: new Dying(db.documents, db.messagesTable) })
    dying.evaluation.failOnce()
    await assert.rejects(deliverJob(job, dying), /the queue is away/)
    assert.equal(await state(job, 'a@partner.example'), 'Delivered')
    const next = worker({}, { now: () => minutesLater(30) })
    const delivery = await deliverJob(job, next)
    assert.deepEqual([next.transmitted, delivery.leasesExpired, next.evaluation.take()], [[], 0, []])
    assert.deepEqual(addressesOf(delivery.earlierAttempts), ['a@partner.example'])
  })

  it('after it recorded a delivery for which a success DSN was requested, and before its report, loses no report', async () => {
    const job = successDsnJob('a@partner.example')
    const dying = worker({})
    dying.evaluation.failOnce()
    await assert.rejects(deliverJob(job, dying), /the queue is away/)
    assert.equal(await state(job, 'a@partner.example'), undefined)
    const next = worker({}, { now: () => minutesLater(30) })
    await deliverJob(job, next)
    assert.deepEqual([next.transmitted, next.evaluation.take().length], [[], 1])
    assert.equal(await state(job, 'a@partner.example'), 'Delivered')
    const last = worker({}, { now: () => minutesLater(31) })
    await deliverJob(job, last)
    assert.deepEqual([last.transmitted, last.evaluation.take()], [[], []])
  })

  it('repeatedly during one attempt is counted each time, and the result says how often', async () => {
    const job = jobFor(['a@partner.example'])
    for (const minutes of [0, 7, 14])
      await assert.rejects(
        deliverJob(job, worker({}, { transmit: dies, now: () => minutesLater(minutes) })),
        Died,
      )
    const last = worker({ 'a@partner.example': failed }, { now: () => minutesLater(21) })
    const { newAttempts } = await deliverJob(job, last)
    assert.deepEqual(
      newAttempts.map(({ attempt }) => [attempt.number, attempt.lost]),
      [[1, 3]],
    )
    assert.equal(last.evaluation.take()[0]?.job.recipients[0]?.lastAttempt?.lost, 3)
  })

  it('before it reported a failed attempt loses no report: the next worker sends the report', async () => {
    const job = jobFor(['a@partner.example'])
    const dying = worker({ 'a@partner.example': failed })
    dying.evaluation.failOnce()
    await assert.rejects(deliverJob(job, dying), /the queue is away/)
    const next = worker({})
    await deliverJob(job, next)
    assert.deepEqual(next.transmitted, [])
    const [sent] = next.evaluation.take()
    assert.equal(sent?.job.recipients[0]?.lastAttempt?.reply.text, 'later')
  })
})

describe('the events of a delivery job', () => {
  const eventsOf = async (job: DeliveryJob, by: Worker) =>
    deliveredEvents(job, await deliverJob(job, by)).map(({ id, kind, recipient: address }) => [
      id,
      kind,
      address,
    ])

  it('are the same when it is repeated, because its worker died before it sent them', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example'])
    const first = await eventsOf(job, worker({ 'b@partner.example': failed }))
    assert.deepEqual(first, [
      [eventId('Delivered', job.message.id, 'a@partner.example', 1), 'Delivered', 'a@partner.example'],
    ])
    const repeated = worker({}, { now: () => minutesLater(30) })
    assert.deepEqual(await eventsOf(job, repeated), first)
    assert.deepEqual(repeated.transmitted, [])
  })

  it('have a lost attempt for a worker that died, and are reported with a failure instead', async () => {
    const [job, failing] = [jobFor(['a@partner.example']), jobFor(['a@partner.example'])]
    for (const each of [job, failing])
      await assert.rejects(deliverJob(each, worker({}, { transmit: dies })), Died)
    const later = { now: () => minutesLater(7) }
    const { id } = job.message
    assert.deepEqual(await eventsOf(job, worker({}, later)), [
      [eventId('Attempted', id, 'a@partner.example', 1, 'lost', 1), 'Attempted', 'a@partner.example'],
      [eventId('Delivered', id, 'a@partner.example', 1), 'Delivered', 'a@partner.example'],
    ])
    const reporting = worker({ 'a@partner.example': failed }, later)
    assert.deepEqual(await eventsOf(failing, reporting), [])
    const [{ job: report } = assert.fail('no report')] = reporting.evaluation.take()
    assert.equal(report.recipients[0]?.lastAttempt?.lost, 1)
    assert.deepEqual(report.attempted, {
      connector: null,
      connectorsVersion: 1,
      mode: 'Enforce',
      route: 'Mx',
      level: 'Opportunistic',
    })
  })

  it('do not contain a delivery that is reported, and contain it once evaluate-policy has recorded it', async () => {
    const job = successDsnJob('a@partner.example')
    assert.deepEqual(await eventsOf(job, worker({})), [], 'evaluate-policy has the event, from the report')
    const [repeated] = await eventsOf(job, worker({}, { now: () => minutesLater(30) }))
    assert.equal(repeated?.[0], eventId('Delivered', job.message.id, 'a@partner.example', 1))
  })

  it('are none for a canary', async () => {
    const job = jobFor(['canary@partner.example'])
    const canary = { ...job, message: { ...job.message, canary: 'canary@partner.example' } }
    assert.deepEqual(await eventsOf(canary, worker({})), [])
  })
})

describe('a worker that cannot complete its claim after an attempt', () => {
  it('still records the delivery in the trace, and reports a failed attempt', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example'])
    class Forgetful extends AttemptClaims {
      override complete = dies
    }
    const testWorker = worker(
      { 'b@partner.example': failed },
      { claims: new Forgetful(db.documents, db.messagesTable) },
    )
    const delivery = await deliverJob(job, testWorker)
    assert.equal(delivery.writeErrors.length, 2)
    assert.equal(await state(job, 'a@partner.example'), 'Delivered')
    assert.equal(testWorker.evaluation.take().length, 1)
  })

  it('reports the delivery when the trace fails too, so that the job ends and no second copy is sent', async () => {
    const job = jobFor(['a@partner.example'])
    class Forgetful extends AttemptClaims {
      override complete = dies
    }
    class DyingTrace extends Trace {
      override recordDelivered = dies
    }
    const testWorker = worker(
      {},
      {
        claims: new Forgetful(db.documents, db.messagesTable),
        trace: new DyingTrace(db.documents, db.messagesTable),
      },
    )
    assert.equal((await deliverJob(job, testWorker)).writeErrors.length, 1)
    const [sent] = testWorker.evaluation.take()
    assert.equal(sent?.job.recipients[0]?.lastAttempt?.outcome, 'Delivered')
  })

  it('causes no further attempt for a delivered recipient', async () => {
    const job = jobFor(['a@partner.example'])
    class Forgetful extends AttemptClaims {
      override complete = dies
    }
    await deliverJob(job, worker({}, { claims: new Forgetful(db.documents, db.messagesTable) }))
    const later = worker({}, { now: () => minutesLater(10) })
    const delivery = await deliverJob(job, later)
    assert.deepEqual([later.transmitted, delivery.leasesExpired, delivery.busyRecipients], [[], 0, []])
  })

  it('causes no repeated attempt after evaluation has decided the outcome', async () => {
    const address = 'a@partner.example'
    const job = jobFor([address], { attempt: 2 })
    const decide = (attempts: number) =>
      db.documents.send(
        new UpdateCommand({
          TableName: db.messagesTable,
          Key: recipientKey(job.message.id, address),
          UpdateExpression: 'SET attempts = :attempts',
          ExpressionAttributeValues: { ':attempts': attempts },
        }),
      )
    class Forgetful extends AttemptClaims {
      override complete = dies
    }
    const claims = new Forgetful(db.documents, db.messagesTable)
    await decide(1)
    await deliverJob(job, worker({ [address]: failed }, { claims }))
    const repeated = worker({ [address]: failed }, { claims, now: () => minutesLater(10) })
    assert.equal((await deliverJob(job, repeated)).leasesExpired, 1, 'its outcome was not decided')
    await decide(2)
    const later = worker({}, { now: () => minutesLater(20) })
    const delivery = await deliverJob(job, later)
    assert.deepEqual([later.transmitted, delivery.leasesExpired, delivery.busyRecipients], [[], 0, []])
  })
})

describe('a recipient that bounced', () => {
  for (const [when, before] of [
    ['before its attempt', async () => undefined],
    [
      'after its attempt was released',
      async (job: DeliveryJob, { claims }: Worker) => {
        await claimFirst(job, 'a@partner.example')
        const key = { messageId: job.message.id, address: 'a@partner.example', attempt: 1 }
        await claims.release(key, 'other worker')
      },
    ],
  ] as const)
    it(`${when} gets no attempt, and the job ends`, async () => {
      const job = jobFor(['a@partner.example', 'b@partner.example'])
      const testWorker = worker({})
      await before(job, testWorker)
      await db.documents.send(
        new UpdateCommand({
          TableName: db.messagesTable,
          Key: recipientKey(job.message.id, 'a@partner.example'),
          UpdateExpression: 'SET #state = :bounced',
          ExpressionAttributeNames: { '#state': 'state' },
          ExpressionAttributeValues: { ':bounced': 'Bounced' },
        }),
      )
      const { busyRecipients } = await deliverJob(job, testWorker)
      assert.deepEqual(
        [testWorker.transmitted, busyRecipients, testWorker.evaluation.take()],
        [[['b@partner.example']], [], []],
      )
    })
})

it('a delivery job of which one claim fails keeps no other claim, so that its retry need not wait for the lease', async () => {
  class Throttled extends AttemptClaims {
    override async claim(...[key, request]: Parameters<AttemptClaims['claim']>) {
      if (key.address === 'b@partner.example') throw new Error('throttled')
      return super.claim(key, request)
    }
  }
  const job = jobFor(['a@partner.example', 'b@partner.example', 'c@partner.example'])
  const throttled = worker({}, { claims: new Throttled(db.documents, db.messagesTable) })
  await assert.rejects(deliverJob(job, throttled), /throttled/)
  const { leasesExpired, newAttempts } = await deliverJob(job, worker({}))
  assert.deepEqual([leasesExpired, newAttempts.length, throttled.transmitted], [0, 3, []])
})

it('a throttled recipient is free for the retry of a job whose report was not accepted', async () => {
  const job = { ...jobFor(['a@partner.example', 'b@partner.example']), route: { kind: 'Ses' as const } }
  const outcomes = { 'a@partner.example': failed, 'b@partner.example': { ...failed, isThrottled: true } }
  const testWorker = worker(outcomes)
  testWorker.evaluation.failOnce()
  await assert.rejects(deliverJob(job, testWorker), /the queue is away/)
  const { leasesExpired, newAttempts, busyRecipients } = await deliverJob(job, worker({}))
  assert.deepEqual([leasesExpired, addressesOf(newAttempts), busyRecipients], [0, ['b@partner.example'], []])
})

describe('a delivery job after a change of connectors', () => {
  const changed = { connectorsVersion: async () => 2 }

  it('returns to evaluation for an immediate new decision, and sends no mail', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example'])
    const testWorker = worker({}, changed)
    const delivery = await deliverJob(job, testWorker)
    assert.deepEqual([testWorker.transmitted, delivery.returnedForDecision], [[], 2])
    assert.deepEqual(
      testWorker.evaluation.take().map(({ job: sent }) => sent),
      [
        {
          message: job.message,
          recipients: job.recipients,
          notBefore: receivedAt.toISOString(),
          retry: true,
        },
      ],
    )
    assert.deepEqual(
      (await deliverJob(job, worker({}))).newAttempts.map(({ attempt }) => attempt.outcome),
      ['Delivered', 'Delivered'],
      'no worker had claimed its attempt',
    )
  })

  it('returns to evaluation when they have changed while it waited for a slot', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example'])
    let version = 1
    const testWorker = worker(
      {},
      {
        connectorsVersion: async () => version,
        async runWithSlot(work) {
          version = 2
          return work()
        },
      },
    )
    const { returnedForDecision, returnedToQueue } = await deliverJob(job, testWorker)
    assert.deepEqual([testWorker.transmitted, returnedForDecision, returnedToQueue], [[], 2, null])
    assert.deepEqual(
      testWorker.evaluation.take().map(({ job: sent }) => [sent.recipients, sent.retry]),
      [[job.recipients, true]],
    )
    assert.equal((await claimFirst(job, 'a@partner.example')).kind, 'Claimed')
  })

  it('returns to evaluation when the job has no version of connectors', async () => {
    const { connectorsVersion: _, ...job } = jobFor(['a@partner.example'])
    assert.equal((await deliverJob(job, worker({}))).returnedForDecision, 1)
  })

  it('still knows an attempt that was made before the change', async () => {
    const job = jobFor(['a@partner.example', 'b@partner.example'])
    await deliverJob({ ...job, recipients: job.recipients.slice(0, 1) }, worker({}))
    const testWorker = worker({}, changed)
    const delivery = await deliverJob(job, testWorker)
    assert.deepEqual(addressesOf(delivery.earlierAttempts), ['a@partner.example'])
    assert.deepEqual(
      testWorker.evaluation.take().map(({ job: sent }) => sent.recipients.map(({ address }) => address)),
      [['b@partner.example']],
    )
    assert.deepEqual(testWorker.transmitted, [])
  })

  it('makes an attempt whose worker died, because only this job determines its outcome', async () => {
    const job = jobFor(['a@partner.example'])
    await assert.rejects(deliverJob(job, worker({}, { transmit: dies })), Died)
    const testWorker = worker({}, { ...changed, now: () => minutesLater(7) })
    const delivery = await deliverJob(job, testWorker)
    assert.deepEqual([testWorker.transmitted, delivery.returnedForDecision], [[['a@partner.example']], 0])
  })

  it('returns to evaluation after its attempt was released', async () => {
    const job = jobFor(['a@partner.example'])
    const testWorker = worker({}, changed)
    await claimFirst(job, 'a@partner.example')
    await testWorker.claims.release(
      { messageId: job.message.id, address: 'a@partner.example', attempt: 1 },
      'other worker',
    )
    assert.equal((await deliverJob(job, testWorker)).returnedForDecision, 1)
  })

  it('fails, so that SQS retries it, when the queue of evaluation does not accept it', async () => {
    const testWorker = worker({}, changed)
    testWorker.evaluation.failOnce()
    await assert.rejects(deliverJob(jobFor(['a@partner.example']), testWorker), /the queue is away/)
  })
})
