import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import {
  type AuthenticateDependencies,
  authenticateJob,
} from '../../../functions/authenticate-message/authenticate-job.ts'
import type { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { authenticated, message, minutesLater, recipient } from '../../support/fixtures.ts'
import { MemoryTable } from '../../support/pipeline/table.ts'
import { recordingQueue } from '../../support/queue.ts'

const results = authenticated('pass', 'elsewhere.example')
const octets = Buffer.from('Subject: x\r\n\r\nbody\r\n')
const never = new Promise<never>(() => {})
const deleted = Object.assign(new Error('no such key'), { name: 'NoSuchKey' })
const unavailable = Object.assign(new Error('slow down'), { name: 'ServiceUnavailable' })

const job = (fields: Partial<EvaluationJob> = {}): EvaluationJob => ({
  message: message(),
  recipients: [recipient()],
  notBefore: null,
  ...fields,
})

/** Workers that share a table and a clock. */
function unit(fields: Partial<AuthenticateDependencies> = {}) {
  let minutes = 0
  const evaluation = recordingQueue<EvaluationJob>()
  const documents = new MemoryTable() as unknown as DynamoDBDocumentClient
  const dependencies: AuthenticateDependencies = {
    evaluation,
    claims: new Claims(documents, 'messages'),
    read: async () => octets,
    authenticate: async () => results,
    hostname: 'mail.ours.example',
    now: () => minutesLater(minutes),
    retentionDays: 90,
    trace: { isErased: async () => false },
    ...fields,
  }
  return {
    evaluation,
    /** Receives the job again, four minutes after the last time: the visibility timeout. */
    receive(receives: number, changed: Partial<AuthenticateDependencies> = {}, received = job()) {
      minutes += 4
      return authenticateJob(received, receives, { ...dependencies, ...changed })
    },
    dmarcResults: () => evaluation.sent.map(({ job: { message } }) => message.authentication?.dmarc?.result),
  }
}

describe('authenticate-message', () => {
  it('returns the job with the results, and with everything else unchanged', async () => {
    const { evaluation, receive } = unit()
    const received = job({ notBefore: minutesLater(1).toISOString(), retry: true, requires: ['canary'] })
    assert.deepEqual(await receive(1, {}, received), { kind: 'Authenticated', authentication: results })
    assert.deepEqual(evaluation.sent, [
      { job: { ...received, message: { ...received.message, authentication: results } } },
    ])
  })

  it('returns the job of a message without a client as it is', async () => {
    const { evaluation, receive } = unit({ read: async () => assert.fail('the content is read') })
    const received = job({ message: message({ source: null }) })
    assert.deepEqual(await receive(1, {}, received), { kind: 'NotReceived' })
    assert.deepEqual(evaluation.sent, [{ job: received }])
  })

  it('does not return the job of an erased message, which it received again', async () => {
    const { evaluation, receive } = unit({
      read: () => Promise.reject(deleted),
      trace: { isErased: async () => true },
    })
    for (const receives of [1, 2]) assert.deepEqual(await receive(receives), { kind: 'Erased' })
    assert.deepEqual(evaluation.sent, [])
  })

  for (const [what, read] of [
    ['fails', async () => Promise.reject(unavailable)],
    [
      'fails in the middle of a large message',
      async () =>
        (async function* () {
          yield octets
          throw unavailable
        })(),
    ],
  ] as const)
    it(`keeps the job while the reading of its content ${what}, however often it is received`, async () => {
      const authenticate: AuthenticateDependencies['authenticate'] = async (_, content) => {
        if (!Buffer.isBuffer(content)) await Array.fromAsync(content)
        return results
      }
      const { receive, dmarcResults } = unit({ authenticate })
      for (const receives of [1, 2, 3, 20]) await assert.rejects(receive(receives, { read }), unavailable)
      assert.deepEqual(dmarcResults(), [])
      await receive(21)
      assert.deepEqual(dmarcResults(), ['pass'])
    })

  it('keeps the job when the queue does not accept it', async () => {
    const { evaluation, receive, dmarcResults } = unit()
    for (const receives of [1, 2]) {
      evaluation.failOnce()
      await assert.rejects(receive(receives), /the queue is away/)
    }
    await receive(3)
    assert.deepEqual(dmarcResults(), ['pass'])
  })

  it('gives a message whose content was deleted a temporary error, so that its delivery reports the deletion', async () => {
    const { receive, dmarcResults } = unit({ read: () => Promise.reject(deleted) })
    assert.deepEqual(await receive(1), { kind: 'NoResults', reason: 'ContentDeleted' })
    assert.deepEqual(dmarcResults(), ['temperror'])
  })

  it('gives a message whose authentication throws a temporary error', async () => {
    const error = new Error('a bug')
    const { receive, evaluation, dmarcResults } = unit({ authenticate: () => Promise.reject(error) })
    assert.deepEqual(await receive(1), { kind: 'NoResults', reason: 'Failed', error })
    assert.deepEqual(dmarcResults(), ['temperror'])
    assert.equal(
      evaluation.sent[0]?.job.message.authentication?.fields,
      'Authentication-Results: mail.ours.example; dmarc=temperror (the message could not be authenticated)\r\n',
    )
  })

  it('gives a message that ended two workers a temporary error at the third receive, and later at once', async () => {
    const { receive, dmarcResults } = unit({ authenticate: () => never })
    void receive(1)
    void receive(2)
    await new Promise(setImmediate)
    assert.deepEqual(await receive(3), { kind: 'NoResults', reason: 'WorkerDied' })
    assert.deepEqual(await receive(4), { kind: 'NoResults', reason: 'WorkerDied' })
    assert.deepEqual(dmarcResults(), ['temperror', 'temperror'])
  })

  it('authenticates a message that was received again because another one ended the worker', async () => {
    const { receive, dmarcResults } = unit()
    await receive(2)
    await receive(3)
    assert.deepEqual(dmarcResults(), ['pass', 'pass'])
  })

  it('keeps the job while another worker authenticates the message', async () => {
    const { receive } = unit({ now: () => minutesLater(0) })
    void receive(2, { authenticate: () => never })
    await new Promise(setImmediate)
    await assert.rejects(receive(3), /another worker authenticates/)
  })
})
