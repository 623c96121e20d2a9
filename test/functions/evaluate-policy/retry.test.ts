/** An administrator's retry, from the trace through the decision to the attempt's claim. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { retryAll } from '../../../functions/connector-api/mail-selection.ts'
import { requestForMessage } from '../../../functions/connector-api/waiting-mail.ts'
import { type BounceJob, type DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { ContentAddressedStore } from '../../../shared/messages/content-addressed-store.ts'
import { History } from '../../../shared/messages/history.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import { KeptRequirement } from '../../../shared/policy/kept-requirement.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { decide } from '../../support/decide.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import {
  attempt,
  authenticatedMessage,
  inbound,
  minutesLater,
  outbound,
  receivedAt,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'
import { normalPriority, recordingEvents, recordingQueue } from '../../support/queue.ts'

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
let workers = 0

/** Creates a pipeline for one message with one recipient. */
function deployment() {
  const id = `01KF0CVZT0${String(serial++).padStart(16, 'R')}`
  const sent = authenticatedMessage({ id })
  const queues = {
    evaluation: recordingQueue<EvaluationJob>(),
    authentication: recordingQueue<EvaluationJob>(),
    delivery: recordingQueue<DeliveryJob>(),
    bounce: recordingQueue<BounceJob>(),
  }
  const trace = new Trace(database.documents, database.messagesTable)
  const claims = new AttemptClaims(database.documents, database.messagesTable)
  const history = new History(database.documents, database.messagesTable)
  const settings = { defaultRoute: 'Mx' } as const
  const run = (job: EvaluationJob, now: Date, connectors: Snapshot = accepting) =>
    decide(job, connectors, now, {
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
    })
  return {
    ...queues,
    run,
    first: () => run({ message: sent, recipients: [recipient({ address })], notBefore: null }, receivedAt),
    firstHeld: () =>
      run({ message: sent, recipients: [recipient({ address })], notBefore: null }, receivedAt, holding),
    /** Sends deliver-message's report of a failed attempt. @returns the timer of the next attempt */
    async reportFailure(number: number, at: Date): Promise<EvaluationJob> {
      const lastAttempt = attempt({ number, at: at.toISOString() })
      await run(
        { message: sent, recipients: [recipient({ address, lastAttempt })], notBefore: null },
        new Date(at.getTime() + 2000),
      )
      return only(queues.evaluation)
    },
    claim: (attempt: number, holder = `worker ${workers++}`, now = receivedAt) =>
      claims.claim(
        { messageId: id, address, attempt },
        { now, leaseMs: 360_000, expiresAt: 2_000_000_000, holder },
      ),
    /** Writes the result of a failed attempt, like deliver-message before its report. */
    complete: (number: number, holder: string) =>
      claims.complete({ messageId: id, address, attempt: number }, holder, attempt({ number }), false),
    state: async () => (await trace.progress(id, [address])).get(address)?.state,
    /** Sends the jobs that the API would send for all mail. @returns those of this message */
    async requestRetryOfAll(now: Date): Promise<EvaluationJob[]> {
      const request = { kind: 'Retry', at: now.toISOString(), by: 'ann' } as const
      queues.evaluation.take()
      await retryAll(null, request, {
        history,
        trace,
        evaluation: queues.evaluation,
        events: recordingEvents(),
        now: () => now.getTime(),
      })
      const jobs = queues.evaluation.take().map(({ job }) => EvaluationJob.parse(job))
      return jobs.filter(({ message }) => message.id === id)
    },
    /** Sends the job that the API would send. @returns the job from the queue */
    async requestRetry(now: Date): Promise<EvaluationJob> {
      const request = { kind: 'Retry', at: now.toISOString(), by: 'ann' } as const
      await requestForMessage(id, request, {
        history,
        trace,
        evaluation: queues.evaluation,
        events: recordingEvents(),
        now: () => now.getTime(),
      })
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

describe("an administrator's retry after a failed attempt", () => {
  test('makes the next attempt before the time of the timer', async () => {
    const pipeline = deployment()
    await pipeline.first()
    const timer = await pipeline.reportFailure(1, receivedAt)
    assert(Date.parse(timer.notBefore ?? '') > minutesLater(0.5).getTime(), 'its time is later')
    await pipeline.run(await pipeline.requestRetry(minutesLater(0.5)), minutesLater(0.5))
    assert.deepEqual(pipeline.attempts(), [1, 2])
  })

  test('makes the timer do nothing when the outcome of the retried attempt is decided', async () => {
    const pipeline = deployment()
    await pipeline.first()
    const timer = await pipeline.reportFailure(1, receivedAt)
    await pipeline.run(await pipeline.requestRetry(minutesLater(0.1)), minutesLater(0.1))
    await pipeline.reportFailure(2, minutesLater(0.2))
    pipeline.attempts()
    assert.deepEqual(await pipeline.run(timer, minutesLater(1)), [])
    assert.deepEqual([pipeline.attempts(), pipeline.evaluation.sent], [[], []])
  })

  test('and a timer that comes during the retried attempt request the same attempt, which only one worker can claim', async () => {
    const pipeline = deployment()
    await pipeline.first()
    const timer = await pipeline.reportFailure(1, receivedAt)
    pipeline.attempts()
    await pipeline.run(await pipeline.requestRetry(minutesLater(0.1)), minutesLater(0.1))
    assert.equal((await pipeline.claim(2)).kind, 'Claimed')
    await pipeline.run(timer, minutesLater(1))
    assert.deepEqual(pipeline.attempts(), [2, 2])
    assert.equal((await pipeline.claim(2)).kind, 'Busy')
  })

  test('that is decided during the attempt of the timer requests the same attempt, which only one worker can claim', async () => {
    const pipeline = deployment()
    await pipeline.first()
    const timer = await pipeline.reportFailure(1, receivedAt)
    const stale = await pipeline.requestRetry(minutesLater(1))
    assert(timer.notBefore !== null && stale.notBefore !== null && timer.notBefore < stale.notBefore)
    await pipeline.run(timer, minutesLater(1))
    assert.equal((await pipeline.claim(2)).kind, 'Claimed')
    await pipeline.run(stale, minutesLater(1.01))
    assert.deepEqual(pipeline.attempts(), [1, 2, 2])
    assert.equal((await pipeline.claim(2)).kind, 'Busy')
  })

  // A delivery job that returns for a new decision becomes a retry. If the worker's clock is slow, the `notBefore` of
  // the retry is earlier than that of the timer job. If the timer job is evaluated first, the retry must still request
  // the attempt, because no other job continues with the recipient.
  test('with an earlier time than the timer, but decided after it, requests the same attempt again', async () => {
    const pipeline = deployment()
    await pipeline.first()
    const timer = await pipeline.reportFailure(1, receivedAt)
    const stale = await pipeline.requestRetry(minutesLater(0.1))
    await pipeline.run(timer, minutesLater(1))
    pipeline.attempts()
    await pipeline.run(stale, minutesLater(1.01))
    assert.deepEqual([pipeline.attempts(), pipeline.evaluation.sent], [[2], []])
  })

  test("that is decided after the outcome of the timer's attempt does nothing", async () => {
    const pipeline = deployment()
    await pipeline.first()
    const timer = await pipeline.reportFailure(1, receivedAt)
    const stale = await pipeline.requestRetry(minutesLater(1))
    await pipeline.run(timer, minutesLater(1))
    await pipeline.reportFailure(2, minutesLater(1))
    pipeline.attempts()
    assert.deepEqual(await pipeline.run(stale, minutesLater(1.1)), [])
    assert.deepEqual([pipeline.attempts(), pipeline.evaluation.sent, pipeline.bounce.sent], [[], [], []])
  })

  test('that is requested twice at the same time requests one attempt', async () => {
    const pipeline = deployment()
    await pipeline.first()
    await pipeline.reportFailure(1, receivedAt)
    const jobs = [
      await pipeline.requestRetry(minutesLater(0.1)),
      await pipeline.requestRetry(minutesLater(0.1)),
    ]
    pipeline.attempts()
    await Promise.all(jobs.map((job) => pipeline.run(job, minutesLater(0.1))))
    assert.deepEqual(new Set(pipeline.attempts()), new Set([2]))
  })

  test('does not change when the message expires', async () => {
    const pipeline = deployment()
    await pipeline.first()
    await pipeline.reportFailure(1, minutesLater(12 * 60 - 1))
    const job = await pipeline.requestRetry(minutesLater(12 * 60 - 0.5))
    pipeline.attempts()
    pipeline.bounce.take()
    await pipeline.run(job, minutesLater(12 * 60))
    assert.deepEqual(pipeline.attempts(), [])
    assert.deepEqual(
      pipeline.bounce.sent.map(({ job }) => job.kind),
      ['failed'],
    )
  })
})

describe("an administrator's retry of held mail", () => {
  test('requests an attempt when the current connectors allow delivery; a later timer causes no second attempt', async () => {
    const pipeline = deployment()
    await pipeline.firstHeld()
    const timer = only(pipeline.evaluation)
    await pipeline.run(await pipeline.requestRetry(minutesLater(3)), minutesLater(3))
    assert.deepEqual(pipeline.attempts(), [1])
    assert.equal((await pipeline.claim(1)).kind, 'Claimed')
    await pipeline.run(timer, minutesLater(15))
    assert.equal((await pipeline.claim(1)).kind, 'Busy')
  })

  test('with unchanged connectors sends the same timer again, and the two timers send one', async () => {
    const pipeline = deployment()
    await pipeline.firstHeld()
    const timer = only(pipeline.evaluation)
    await pipeline.run(await pipeline.requestRetry(minutesLater(3)), minutesLater(3), holding)
    const newTimer = only(pipeline.evaluation)
    assert.deepEqual(newTimer, timer)
    await pipeline.run(timer, minutesLater(15), holding)
    pipeline.evaluation.take()
    await pipeline.run(newTimer, minutesLater(15), holding)
    assert.deepEqual(pipeline.evaluation.sent, [], 'timers do not multiply')
  })
})

describe("an administrator's retry of all mail, after a queue lost its jobs and the message has expired", () => {
  const expired = minutesLater(25 * 60)

  /** Reports an attempt that failed, and claims the next. */
  async function secondAttempt(claimedAt = minutesLater(1)) {
    const pipeline = deployment()
    await pipeline.first()
    await pipeline.run(await pipeline.reportFailure(1, receivedAt), minutesLater(1))
    await pipeline.claim(2, 'worker', claimedAt)
    return pipeline
  }

  for (const [title, end] of [
    ['bounces mail whose report was lost', 'reports'],
    ['bounces mail whose worker died', 'dies'],
  ] as const)
    test(title, async () => {
      const pipeline = await secondAttempt()
      if (end === 'reports') await pipeline.complete(2, 'worker')
      for (const job of await pipeline.requestRetryOfAll(expired)) await pipeline.run(job, expired)
      assert.deepEqual(
        pipeline.bounce.sent.map(({ job }) => job.kind),
        ['failed'],
      )
      assert.equal(await pipeline.state(), 'Bounced')
    })

  test('does not bounce mail while a worker makes its attempt', async () => {
    const pipeline = await secondAttempt(minutesLater(25 * 60 - 5))
    for (const job of await pipeline.requestRetryOfAll(expired)) await pipeline.run(job, expired)
    assert.deepEqual([pipeline.bounce.sent, await pipeline.state()], [[], 'Pending'])
  })
})
