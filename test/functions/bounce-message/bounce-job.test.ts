import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  bounceJob,
  contentReference,
  type Dependencies,
  type Sent,
} from '../../../functions/bounce-message/bounce-job.ts'
import type { BounceJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import { EvaluationJob as EvaluationJobSchema } from '../../../shared/contract/jobs.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { message, minutesLater, recipient } from '../../support/fixtures.ts'
import { recordingQueue } from '../../support/queue.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

function unit() {
  const evaluation = recordingQueue<EvaluationJob>()
  const objects = new Map<string, Buffer>()
  const claims = new Claims<Sent>(database.documents, database.messagesTable)
  const dependencies: Dependencies = {
    claims,
    evaluation,
    readHeaders: async () => Buffer.from('Subject: Hello\r\n'),
    read: async () => Buffer.from('Subject: Hello\r\n\r\nBody\r\n'),
    maximumReturnedSize: 1_000,
    async store(id, octets) {
      objects.set(id, octets)
      return contentReference('content', id, octets)
    },
    hostname: 'mx.ours.example',
    retentionDays: 90,
  }
  return {
    evaluation,
    objects,
    claims,
    run: (job: BounceJob, now: Date) => bounceJob(job, now, dependencies),
  }
}

let serial = 0
const job = (kind: BounceJob['kind'] = 'failed'): BounceJob => ({
  message: message({ id: `01KF0CVZT1${String(serial++).padStart(16, '0')}`, mailFrom: 'a@ours.example' }),
  kind,
  at: minutesLater(1).toISOString(),
  recipients: ['b@x.example', 'c@x.example'].map((address) => ({
    recipient: recipient({ address }),
    reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
    explanation: 'It was refused.',
    connector: null,
    willRetryUntil: null,
  })),
})

test('one DSN for all recipients enters the pipeline as a message of its own, from <>', async () => {
  const { run, evaluation, objects } = unit()
  const given = job()
  const dsn = await run(given, minutesLater(1))
  const [{ job: evaluate } = assert.fail('nothing was sent')] = evaluation.sent
  EvaluationJobSchema.parse(evaluate)
  assert.equal(evaluate.message.envelope.mailFrom, '')
  assert.deepEqual(
    evaluate.recipients.map(({ address }) => address),
    ['a@ours.example'],
  )
  const octets = objects.get(evaluate.message.id)
  assert.equal(dsn, evaluate.message.id)
  assert.equal(evaluate.message.content.length, octets?.length)
  assert.match(octets?.toString() ?? '', /<b@x\.example>.*<c@x\.example>/s)
})

test('the same job again sends nothing', async () => {
  const { run, evaluation } = unit()
  const given = job()
  await run(given, minutesLater(1))
  assert.equal(await run(given, minutesLater(2)), null)
  assert.equal(evaluation.sent.length, 1)
})

test('a delayed DSN does not stand in the way of the failed one', async () => {
  const { run, evaluation } = unit()
  const given = job('delayed')
  await run(given, minutesLater(1))
  await run({ ...given, kind: 'failed' }, minutesLater(2))
  assert.equal(evaluation.sent.length, 2)
})

test('while another worker holds the claim the job fails; once its lease ran out the DSN is sent as the same message', async () => {
  const { run, evaluation } = unit()
  const given = job()
  evaluation.failOnce()
  await assert.rejects(run(given, minutesLater(1)), /the queue is away/)
  await assert.rejects(run(given, minutesLater(1)), /another worker/)
  const dsn = await run(given, minutesLater(3))
  assert.equal(evaluation.sent[0]?.job.message.id, dsn)
  assert.equal(evaluation.sent.length, 1)
})

test('a worker that dies between two completions leaves nothing to tell again', async () => {
  const { run, evaluation, claims } = unit()
  const given = job()
  const complete = claims.complete.bind(claims)
  let completions = 0
  claims.complete = async (...call) => {
    if (++completions === 2) throw new Error('the worker died')
    return complete(...call)
  }
  await assert.rejects(run(given, minutesLater(1)), /the worker died/)
  claims.complete = complete
  assert.equal(await run(given, minutesLater(3)), null)
  assert.equal(await run(given, minutesLater(5)), null)
  assert.equal(evaluation.sent.length, 1)
})

test('built at another time the same DSN lies elsewhere, so that neither overwrites the other', () => {
  const [one, other] = ['1', '2'].map((text) => contentReference('content', 'ID', Buffer.from(text)))
  assert.notEqual(one?.key, other?.key)
})
