/** A job that arrives after the erasure of its message: the timer of returned mail, or a copy that a queue delivers again. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import {
  type Dependencies as DeliverDependencies,
  deliverJob,
} from '../../../functions/deliver-message/deliver-job.ts'
import type { EvaluateDependencies } from '../../../functions/evaluate-policy/evaluate-job.ts'
import { ContentErasedError } from '../../../shared/content/content-reader.ts'
import type { BounceJob, DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { ContentAddressedStore } from '../../../shared/messages/content-addressed-store.ts'
import { erasedKey } from '../../../shared/messages/message-keys.ts'
import { jobPosition, Trace } from '../../../shared/messages/trace.ts'
import { KeptRequirement } from '../../../shared/policy/kept-requirement.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { decide } from '../../support/decide.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import {
  attempt,
  authenticatedMessage,
  minutesLater,
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

const mail = authenticatedMessage({
  id: '01KF0CVZT00000000000000001',
  source: null,
  mailFrom: 'ann@ours.example',
})
const deferred = recipient({
  address: 'bob@partner.example',
  attempts: 1,
  lastAttempt: attempt({ outcome: 'TemporaryFailure' }),
})
const items = async () =>
  (await database.documents.send(new ScanCommand({ TableName: database.messagesTable }))).Items

async function erase(): Promise<void> {
  const Item = { ...erasedKey(mail.id), expiresAt: 4_000_000_000 }
  await database.documents.send(new PutCommand({ TableName: database.messagesTable, Item }))
}

describe('after an erasure', () => {
  before(erase)

  const evaluationJobs: [name: string, job: Omit<EvaluationJob, 'message'>][] = [
    ['a timer', { recipients: [deferred], notBefore: minutesLater(1).toISOString() }],
    ['a request', { recipients: [deferred], notBefore: minutesLater(1).toISOString(), retry: true }],
    ['the report of an attempt', { recipients: [deferred], notBefore: null }],
    [
      'the report of a delivery',
      { recipients: [{ ...deferred, lastAttempt: attempt({ outcome: 'Delivered' }) }], notBefore: null },
    ],
    ['the first job', { recipients: [recipient({ address: 'bob@partner.example' })], notBefore: null }],
  ]
  for (const [name, job] of evaluationJobs)
    test(`${name} is not decided, and writes nothing`, async () => {
      const before = await items()
      const queues = {
        evaluation: recordingQueue<EvaluationJob>(),
        authentication: recordingQueue<EvaluationJob>(),
        delivery: recordingQueue<DeliveryJob>(),
        bounce: recordingQueue<BounceJob>(),
      }
      const dependencies: EvaluateDependencies = {
        trace: new Trace(database.documents, database.messagesTable),
        requirements: new ContentAddressedStore(
          database.documents,
          database.messagesTable,
          'requirement',
          KeptRequirement,
        ),
        queues,
        priorities: normalPriority,
        settings: { defaultRoute: 'Mx' },
        hostname: 'mail.ours.example',
        retentionDays: 90,
      }
      const verdicts = await decide({ ...job, message: mail }, snapshot({}), minutesLater(2), dependencies, 2)
      assert.deepEqual(verdicts, [])
      assert.deepEqual(
        Object.values(queues).map(({ sent }) => sent.length),
        [0, 0, 0, 0],
      )
      assert.deepEqual(await items(), before)
    })

  test('the mark of a job that settled a recipient, and a request for it, write nothing', async () => {
    const before = await items()
    const trace = new Trace(database.documents, database.messagesTable)
    const { address } = deferred
    await trace.recordDecided(mail.id, address, jobPosition(1, null))
    const request = { at: receivedAt.toISOString(), by: 'admin' }
    assert.equal(await trace.recordRequest(mail.id, address, 'returned', request), false)
    assert.deepEqual(await items(), before)
  })

  for (const length of [1000, 30_000_000])
    test(`a delivery of ${length} octets is not attempted, and writes nothing`, async () => {
      const before = await items()
      const evaluation = recordingQueue<EvaluationJob>()
      const job: DeliveryJob = {
        message: { ...mail, content: { ...mail.content, length } },
        recipients: [recipient({ address: 'bob@partner.example' })],
        destination: 'partner.example',
        route: { kind: 'Mx', domain: 'partner.example' },
        tls: opportunistic,
        attempt: 1,
        connectorsVersion: 1,
      }
      const dependencies: DeliverDependencies = {
        claims: new AttemptClaims(database.documents, database.messagesTable),
        trace: new Trace(database.documents, database.messagesTable),
        evaluation,
        delivery: recordingQueue<DeliveryJob>(),
        read: async (reference) => {
          throw new ContentErasedError(reference)
        },
        transmit: async () => assert.fail('no attempt'),
        runWithSlot: (work) => work(),
        connectorsVersion: async () => 1,
        now: () => receivedAt,
        random: () => 0,
        retentionDays: 90,
      }
      const { newAttempts, busyRecipients } = await deliverJob(job, dependencies)
      assert.deepEqual([newAttempts, busyRecipients, evaluation.sent], [[], [], []])
      assert.deepEqual(await items(), before)
    })
})
