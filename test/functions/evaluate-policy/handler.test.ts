/** The function as AWS calls it, with connectors that cannot be read, and then can. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import fc from 'fast-check'
import { ulid } from 'ulid'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { attempt, message, recipient } from '../../support/fixtures.ts'

interface SendBatch {
  QueueUrl: string
  Entries: { Id: string; MessageBody: string }[]
}

let database: TestDynamoDb
let handler: (event: SQSEvent) => Promise<SQSBatchResponse>
/** What the queues were given. */
const sent: SendBatch[] = []
/** What the table of connectors answers with. */
let connectorsAnswer: 'as stored' | 'denied' | 'broken' = 'as stored'

const md5 = (text: string) => createHash('md5').update(text).digest('hex')

const queues = createServer(async (request, response) => {
  const batch = JSON.parse(Buffer.concat(await request.toArray()).toString()) as SendBatch
  sent.push(batch)
  const Successful = batch.Entries.map(({ Id, MessageBody }) => ({
    Id,
    MessageId: Id,
    MD5OfMessageBody: md5(MessageBody),
  }))
  response
    .writeHead(200, { 'content-type': 'application/x-amz-json-1.0' })
    .end(JSON.stringify({ Successful, Failed: [] }))
})

/** Hands on to the tables, save what the test keeps from the function. */
const tables = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray())
  const asksConnectors = JSON.parse(body.toString()).TableName === database.connectorsTable
  if (asksConnectors && connectorsAnswer === 'denied')
    return response
      .writeHead(400, { 'content-type': 'application/x-amz-json-1.0' })
      .end('{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}')
  if (asksConnectors && connectorsAnswer === 'broken')
    return response
      .writeHead(200, { 'content-type': 'application/x-amz-json-1.0' })
      .end('{"Item":{"version":')
  const headers = Object.entries(request.headers).map(
    ([name, value]) => [name, String(value)] as [string, string],
  )
  const kept = headers.filter(([name]) => !['host', 'connection', 'content-length'].includes(name))
  const answer = await fetch(database.endpoint, { method: 'POST', headers: kept, body })
  response
    .writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' })
    .end(Buffer.from(await answer.arrayBuffer()))
})

const listen = async (server: typeof queues) => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

before(async () => {
  database = await startDynamoDb()
  const sqs = await listen(queues)
  Object.assign(process.env, {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_DYNAMODB: await listen(tables),
    AWS_ENDPOINT_URL_SQS: sqs,
    AWS_MAX_ATTEMPTS: '1',
    CONNECTORS_TABLE: database.connectorsTable,
    MESSAGES_TABLE: database.messagesTable,
    TRANSPORT_TABLE: database.transportTable,
    EVALUATION_QUEUE_URL: `${sqs}/evaluation`,
    DELIVERY_QUEUE_URL: `${sqs}/delivery`,
    BOUNCE_QUEUE_URL: `${sqs}/bounce`,
    NOTICES_TOPIC_ARN: 'arn:aws:sns:eu-central-1:000000000000:notices',
    DEFAULT_ROUTE: 'Mx',
    TRACE_RETENTION_DAYS: '90',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'true',
  })
  handler = (await import('../../../functions/evaluate-policy/handler.ts')).handler
})
after(async () => {
  queues.close()
  tables.close()
  await database.stop()
})

const job = (): EvaluationJob => ({
  message: message({ id: ulid(), source: null, mailFrom: 'a@ours.example' }),
  recipients: [recipient({ address: 'b@northwind.example' })],
  notBefore: null,
})

const batch = (...jobs: EvaluationJob[]): SQSEvent => ({
  Records: jobs.map(
    (body, index) =>
      ({ messageId: `m${index}`, body: JSON.stringify(body), eventSource: 'aws:sqs' }) as SQSRecord,
  ),
})

const failedIds = async (event: SQSEvent) =>
  (await handler(event)).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)

/** Fresh, tried, held or asked for by an administrator; from a stranger, a partner or made here. */
const anyJob: fc.Arbitrary<EvaluationJob> = fc
  .record({
    mailFrom: fc.constantFrom('', 'a@contoso.example', 'a@ours.example', 'a@-x.example'),
    to: fc.uniqueArray(fc.constantFrom('b@ours.example', 'b@northwind.example', 'b@[192.0.2.1]'), {
      minLength: 1,
    }),
    lastAttempt: fc.constantFrom(null, attempt(), attempt({ outcome: 'TlsNotMet' })),
    madeHere: fc.boolean(),
    notBefore: fc.constantFrom(null, '2026-01-15T12:00:00.000Z'),
    retry: fc.boolean(),
  })
  .map(({ mailFrom, to, lastAttempt, madeHere, notBefore, retry }) =>
    EvaluationJob.parse({
      message: message({ id: ulid(), mailFrom, ...(madeHere && { source: null }) }),
      recipients: to.map((address) =>
        recipient({ address, lastAttempt, attempts: lastAttempt?.number ?? 0 }),
      ),
      notBefore,
      retry,
    }),
  )

const nothingSent = () => assert.deepEqual(sent, [], 'nothing was sent')

describe('evaluate-policy', () => {
  const jobs = [job(), job(), job()]

  for (const answer of ['denied', 'broken'] as const)
    it(`brings every record back and sends nothing while reading connectors is ${answer}`, async () => {
      connectorsAnswer = answer
      assert.deepEqual(await failedIds(batch(...jobs)), ['m0', 'm1', 'm2'])
      nothingSent()
    })

  it('decides the same batch when they can be read again', async () => {
    connectorsAnswer = 'as stored'
    await new ConnectorRepository(database.documents, database.connectorsTable).acceptedDomains.create(
      'ours.example',
      {
        comment: '',
      },
    )
    assert.deepEqual(await failedIds(batch(...jobs)), [])
    const deliveries = sent.flatMap(({ Entries }) =>
      Entries.map(({ MessageBody }) => DeliveryJob.parse(JSON.parse(MessageBody))),
    )
    assert.deepEqual(
      deliveries.map(({ message }) => message.id).toSorted(),
      jobs.map(({ message }) => message.id).toSorted(),
    )
  })

  it('and sends nothing again when they cannot: what was read before does not count', async () => {
    sent.length = 0
    connectorsAnswer = 'denied'
    assert.deepEqual(await failedIds(batch(job())), ['m0'])
    nothingSent()
  })

  it('whatever the jobs are', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(anyJob, { minLength: 1, maxLength: 10 }),
        fc.constantFrom('denied' as const, 'broken' as const),
        async (jobs, answer) => {
          sent.length = 0
          connectorsAnswer = answer
          const all = jobs.map((_, index) => `m${index}`)
          assert.deepEqual(await failedIds(batch(...jobs)), all)
          nothingSent()
        },
      ),
    ))
})
