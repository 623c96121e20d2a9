/** evaluate-policy as AWS calls it, while connectors cannot be read and afterwards. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { Metrics } from '@aws-lambda-powertools/metrics'
import fc from 'fast-check'
import { ulid } from 'ulid'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { type FakeS3AndSqs, startS3AndSqs } from '../../support/fake-s3-sqs.ts'
import { attempt, authenticatedMessage, message, recipient } from '../../support/fixtures.ts'
import { failedIds, type SqsHandler, setEnvironment, sqsEvent } from '../../support/lambda.ts'
import { type Listening, listen } from '../../support/listen.ts'

let database: TestDynamoDb
let queues: FakeS3AndSqs
let tablesListening: Listening
let handler: SqsHandler
/** Responses of the connectors table. */
let connectorsResponse: 'as stored' | 'denied' | 'broken' = 'as stored'

/** Forwards requests to the tables, except requests that the test lets fail. */
const tables = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray())
  const isForConnectors = JSON.parse(body.toString()).TableName === database.connectorsTable
  if (isForConnectors && connectorsResponse === 'denied')
    return response
      .writeHead(400, { 'content-type': 'application/x-amz-json-1.0' })
      .end('{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}')
  if (isForConnectors && connectorsResponse === 'broken')
    return response
      .writeHead(200, { 'content-type': 'application/x-amz-json-1.0' })
      .end('{"Item":{"version":')
  const headers = Object.entries(request.headers).map(
    ([name, value]) => [name, String(value)] as [string, string],
  )
  const forwardedHeaders = headers.filter(
    ([name]) => !['host', 'connection', 'content-length'].includes(name),
  )
  const answer = await fetch(database.endpoint, { method: 'POST', headers: forwardedHeaders, body })
  response
    .writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' })
    .end(Buffer.from(await answer.arrayBuffer()))
})

before(async () => {
  database = await startDynamoDb()
  queues = await startS3AndSqs()
  tablesListening = await listen(tables)
  setEnvironment({
    AWS_ENDPOINT_URL_DYNAMODB: tablesListening.url,
    AWS_ENDPOINT_URL_SQS: queues.url,
    AWS_MAX_ATTEMPTS: '1',
    CONNECTORS_TABLE: database.connectorsTable,
    MESSAGES_TABLE: database.messagesTable,
    TRANSPORT_TABLE: database.transportTable,
    EVALUATION_QUEUE_URL: `${queues.url}/evaluation`,
    EVENTS_QUEUE_URL: `${queues.url}/events`,
    DELIVERY_QUEUE_URL: `${queues.url}/delivery`,
    UNPROVEN_DELIVERY_QUEUE_URL: `${queues.url}/unproven-delivery`,
    LOW_PRIORITY_DELIVERY_QUEUE_URL: `${queues.url}/low-priority-delivery`,
    AUTHENTICATION_QUEUE_URL: `${queues.url}/authentication`,
    BOUNCE_QUEUE_URL: `${queues.url}/bounce`,
    EVALUATION_DEAD_LETTERS_URL: `${queues.url}/evaluation-dead-letters`,
    NOTICES_TOPIC_ARN: 'arn:aws:sns:eu-central-1:000000000000:notices',
    DEFAULT_ROUTE: 'Mx',
    MAIL_HOSTNAME: 'mx.ours.example',
    TRACE_RETENTION_DAYS: '90',
  })
  handler = (await import('../../../functions/evaluate-policy/handler.ts')).handler
})
after(async () => {
  await queues.stop()
  await tablesListening.stop()
  await database.stop()
})

const job = (): EvaluationJob => ({
  message: message({ id: ulid(), source: null, mailFrom: 'a@ours.example' }),
  recipients: [recipient({ address: 'b@northwind.example' })],
  notBefore: null,
})

/** New, tried, held and retried jobs: from an unknown client, from a partner, and created by mailflow. */
const anyJob: fc.Arbitrary<EvaluationJob> = fc
  .record({
    mailFrom: fc.constantFrom('', 'a@contoso.example', 'a@ours.example', 'a@-x.example'),
    to: fc.uniqueArray(fc.constantFrom('b@ours.example', 'b@northwind.example', 'b@[192.0.2.1]'), {
      minLength: 1,
    }),
    lastAttempt: fc.constantFrom(null, attempt(), attempt({ outcome: 'TlsNotMet' })),
    isOwnMessage: fc.boolean(),
    notBefore: fc.constantFrom(null, '2026-01-15T12:00:00.000Z'),
    retry: fc.boolean(),
  })
  .map(({ mailFrom, to, lastAttempt, isOwnMessage, notBefore, retry }) =>
    EvaluationJob.parse({
      message: authenticatedMessage({ id: ulid(), mailFrom, ...(isOwnMessage && { source: null }) }),
      recipients: to.map((address) =>
        recipient({ address, lastAttempt, attempts: lastAttempt?.number ?? 0 }),
      ),
      notBefore,
      retry,
    }),
  )

const nothingSent = () => assert.deepEqual(queues.sent, [], 'nothing was sent')

describe('evaluate-policy', () => {
  const jobs = [job(), job(), job()]

  for (const answer of ['denied', 'broken'] as const)
    it(`reports every record as failed and sends nothing while the table of connectors ${answer === 'denied' ? 'denies reads' : 'responds with nonsense'}`, async () => {
      connectorsResponse = answer
      assert.deepEqual(await failedIds(handler, sqsEvent(...jobs)), ['m0', 'm1', 'm2'])
      nothingSent()
    })

  it('decides a batch that failed before when connectors can be read again', async () => {
    connectorsResponse = 'as stored'
    await new ConnectorRepository(database.documents, database.connectorsTable).acceptedDomains.create(
      'ours.example',
      {
        recipients: 'Any',
        comment: '',
      },
      'administrator',
    )
    assert.deepEqual(await failedIds(handler, sqsEvent(...jobs)), [])
    assert.equal(queues.sent[0]?.queue, 'events', 'the events of all records, before the jobs')
    const deliveries = queues.sent
      .filter(({ queue }) => queue !== 'events')
      .map(({ MessageBody }) => DeliveryJob.parse(JSON.parse(MessageBody)))
    assert.deepEqual(
      deliveries.map(({ message }) => message.id).toSorted(),
      jobs.map(({ message }) => message.id).toSorted(),
    )
  })

  it('publishes the age of a message that it defers', async (context) => {
    const addMetric = context.mock.method(Metrics.prototype, 'addMetric')
    const receivedAt = new Date(Date.now() - 3_600_000).toISOString()
    const held: EvaluationJob = {
      message: { ...job().message, receivedAt },
      recipients: [recipient({ address: 'b@ours.example' })],
      notBefore: null,
    }
    assert.deepEqual(await failedIds(handler, sqsEvent(held)), [])
    const ages = addMetric.mock.calls.filter(({ arguments: [name] }) => name === 'DeferredAge')
    assert.equal(ages.length, 1)
    const [, unit, seconds] = ages[0]?.arguments ?? []
    assert.equal(unit, 'Seconds')
    assert.ok(Number(seconds) >= 3600, String(seconds))
  })

  it('sends nothing when the connectors cannot be read any more: it does not use those of an earlier batch', async () => {
    queues.sent.length = 0
    connectorsResponse = 'denied'
    assert.deepEqual(await failedIds(handler, sqsEvent(job())), ['m0'])
    nothingSent()
  })

  it('reports every record as failed and sends nothing for any kind of job while connectors cannot be read', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(anyJob, { minLength: 1, maxLength: 10 }),
        fc.constantFrom('denied' as const, 'broken' as const),
        async (jobs, answer) => {
          queues.sent.length = 0
          connectorsResponse = answer
          const all = jobs.map((_, index) => `m${index}`)
          assert.deepEqual(await failedIds(handler, sqsEvent(...jobs)), all)
          nothingSent()
        },
      ),
    ))
})
