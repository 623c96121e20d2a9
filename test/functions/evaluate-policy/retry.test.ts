/** An administrator's retry, from the trace through the decision to the attempt's claim. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { retryMessage } from '../../../functions/connector-api/retry.ts'
import { evaluateJob } from '../../../functions/evaluate-policy/evaluate-job.ts'
import { type BounceJob, type DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { Attempt } from '../../../shared/contract/message.ts'
import { type Cancelled, Claims } from '../../../shared/messages/claims.ts'
import { History } from '../../../shared/messages/history.ts'
import { attemptKey } from '../../../shared/messages/message-keys.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import {
  attempt,
  inbound,
  message,
  minutesLater,
  outbound,
  receivedAt,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'
import { recordingQueue } from '../../support/queue.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const address = 'b@northwind.example'
const toNorthwind = outbound({ expirationHours: 12 })
const accepting = snapshot({ outbound: [toNorthwind], acceptedDomains: ['northwind.example'] })
const holding = snapshot({
  inbound: [inbound({ senderDomains: ['elsewhere.example'], onViolation: 'Defer' })],
  outbound: [toNorthwind],
  acceptedDomains: ['northwind.example'],
})

let serial = 0

/** A message with one recipient in the trace, and its later states. */
function deployment() {
  const id = `01KF0CVZT0${String(serial++).padStart(16, 'R')}`
  const sent = message({ id })
  const queues = {
    evaluation: recordingQueue<EvaluationJob>(),
    delivery: recordingQueue<DeliveryJob>(),
    bounce: recordingQueue<BounceJob>(),
  }
  const trace = new Trace(database.documents, database.messagesTable)
  const claims = new Claims<Attempt | Cancelled>(database.documents, database.messagesTable)
  const history = new History(database.documents, database.messagesTable)
  const settings = { defaultRoute: 'Mx' } as const
  const run = (job: EvaluationJob, now: Date, connectors: Snapshot = accepting) =>
    evaluateJob(job, connectors, now, { trace, claims, queues, settings, retentionDays: 90 })
  return {
    ...queues,
    run,
    first: () => run({ message: sent, recipients: [recipient({ address })], notBefore: null }, receivedAt),
    firstHeld: () =>
      run({ message: sent, recipients: [recipient({ address })], notBefore: null }, receivedAt, holding),
    /** Sends deliver-message's report. @returns the timer that follows */
    async fails(number: number, at: Date): Promise<EvaluationJob> {
      const lastAttempt = attempt({ number, at: at.toISOString() })
      await run(
        { message: sent, recipients: [recipient({ address, lastAttempt })], notBefore: null },
        new Date(at.getTime() + 2000),
      )
      return only(queues.evaluation)
    },
    claim: (number: number) =>
      claims.claim(attemptKey(id, address, number), receivedAt, 360_000, 2_000_000_000),
    /** Sends what the API would send. @returns the job from the queue */
    async asksAt(now: Date): Promise<EvaluationJob> {
      await retryMessage(id, { history, evaluation: queues.evaluation, now: () => now.getTime() })
      return EvaluationJob.parse(JSON.parse(JSON.stringify(only(queues.evaluation))))
    },
    attempts: () => queues.delivery.take().map(({ job }) => job.attempt),
  }
}

function only<Job>(queue: { take(): { job: Job }[] }): Job {
  const [sent = assert.fail('nothing was sent'), ...more] = queue.take()
  assert.equal(more.length, 0)
  return sent.job
}

describe('a retry after a failed attempt', () => {
  test('makes the next attempt early', async () => {
    const it = deployment()
    await it.first()
    const timer = await it.fails(1, receivedAt)
    assert(Date.parse(timer.notBefore ?? '') > minutesLater(0.5).getTime(), 'its time is later')
    await it.run(await it.asksAt(minutesLater(0.5)), minutesLater(0.5))
    assert.deepEqual(it.attempts(), [1, 2])
  })

  test('overtakes the timer that comes after its outcome', async () => {
    const it = deployment()
    await it.first()
    const timer = await it.fails(1, receivedAt)
    await it.run(await it.asksAt(minutesLater(0.1)), minutesLater(0.1))
    await it.fails(2, minutesLater(0.2))
    it.attempts()
    assert.deepEqual(await it.run(timer, minutesLater(1)), [])
    assert.deepEqual([it.attempts(), it.evaluation.sent], [[], []])
  })

  test('and the timer that comes during its attempt are one attempt, which is claimed', async () => {
    const it = deployment()
    await it.first()
    const timer = await it.fails(1, receivedAt)
    it.attempts()
    await it.run(await it.asksAt(minutesLater(0.1)), minutesLater(0.1))
    assert.equal((await it.claim(2)).kind, 'Claimed')
    await it.run(timer, minutesLater(1))
    assert.deepEqual(it.attempts(), [2, 2])
    assert.equal((await it.claim(2)).kind, 'Busy')
  })

  test('requested before the timer and decided during its attempt is the same attempt', async () => {
    const it = deployment()
    await it.first()
    const timer = await it.fails(1, receivedAt)
    const stale = await it.asksAt(minutesLater(1))
    assert(timer.notBefore !== null && stale.notBefore !== null && timer.notBefore < stale.notBefore)
    await it.run(timer, minutesLater(1))
    assert.equal((await it.claim(2)).kind, 'Claimed')
    await it.run(stale, minutesLater(1.01))
    assert.deepEqual(it.attempts(), [1, 2, 2])
    assert.equal((await it.claim(2)).kind, 'Busy')
  })

  // A returned delivery looks the same to a slow clock, and no other job continues with its recipient.
  test('with a time before the timer and decided after it is the same attempt', async () => {
    const it = deployment()
    await it.first()
    const timer = await it.fails(1, receivedAt)
    const stale = await it.asksAt(minutesLater(0.1))
    await it.run(timer, minutesLater(1))
    it.attempts()
    await it.run(stale, minutesLater(1.01))
    assert.deepEqual([it.attempts(), it.evaluation.sent], [[2], []])
  })

  test('requested before the timer and decided after its outcome does nothing', async () => {
    const it = deployment()
    await it.first()
    const timer = await it.fails(1, receivedAt)
    const stale = await it.asksAt(minutesLater(1))
    await it.run(timer, minutesLater(1))
    await it.fails(2, minutesLater(1))
    it.attempts()
    assert.deepEqual(await it.run(stale, minutesLater(1.1)), [])
    assert.deepEqual([it.attempts(), it.evaluation.sent, it.bounce.sent], [[], [], []])
  })

  test('requested twice at once is one attempt', async () => {
    const it = deployment()
    await it.first()
    await it.fails(1, receivedAt)
    const jobs = [await it.asksAt(minutesLater(0.1)), await it.asksAt(minutesLater(0.1))]
    it.attempts()
    await Promise.all(jobs.map((job) => it.run(job, minutesLater(0.1))))
    assert.deepEqual(new Set(it.attempts()), new Set([2]))
  })

  test('does not extend the life of the message', async () => {
    const it = deployment()
    await it.first()
    await it.fails(1, minutesLater(12 * 60 - 1))
    const job = await it.asksAt(minutesLater(12 * 60 - 0.5))
    it.attempts()
    it.bounce.take()
    await it.run(job, minutesLater(12 * 60))
    assert.deepEqual(it.attempts(), [])
    assert.deepEqual(
      it.bounce.sent.map(({ job }) => job.kind),
      ['failed'],
    )
  })
})

describe('a retry of held mail', () => {
  test('delivers it when the current connectors allow that, and its timer then does nothing', async () => {
    const it = deployment()
    await it.firstHeld()
    const timer = only(it.evaluation)
    await it.run(await it.asksAt(minutesLater(3)), minutesLater(3))
    assert.deepEqual(it.attempts(), [1])
    assert.equal((await it.claim(1)).kind, 'Claimed')
    await it.run(timer, minutesLater(15))
    assert.equal((await it.claim(1)).kind, 'Busy')
  })

  test('holds it until the same time when nothing has changed', async () => {
    const it = deployment()
    await it.firstHeld()
    const timer = only(it.evaluation)
    await it.run(await it.asksAt(minutesLater(3)), minutesLater(3), holding)
    const again = only(it.evaluation)
    assert.deepEqual(again, timer)
    await it.run(timer, minutesLater(15), holding)
    it.evaluation.take()
    await it.run(again, minutesLater(15), holding)
    assert.deepEqual(it.evaluation.sent, [], 'timers do not multiply')
  })
})
