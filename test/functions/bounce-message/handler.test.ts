/** bounce-message as AWS calls it, for a message whose content cannot be read. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { BounceJob } from '../../../shared/contract/jobs.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { type FakeS3AndSqs, startS3AndSqs } from '../../support/fake-s3-sqs.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { eventOfQueue, failedIds, type SqsHandler, setEnvironment } from '../../support/lambda.ts'
import { readMultipart } from '../../support/multipart.ts'

let database: TestDynamoDb
let storage: FakeS3AndSqs
let handler: SqsHandler

before(async () => {
  database = await startDynamoDb()
  storage = await startS3AndSqs()
  setEnvironment({
    AWS_ENDPOINT_URL_DYNAMODB: database.endpoint,
    AWS_ENDPOINT_URL_S3: storage.url,
    AWS_ENDPOINT_URL_SQS: storage.url,
    MAIL_HOSTNAME: 'mail.ours.example',
    MESSAGES_TABLE: database.messagesTable,
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: `${storage.url}/evaluation`,
    EVENTS_QUEUE_URL: `${storage.url}/events`,
    BOUNCE_QUEUE_URL: `${storage.url}/bounce`,
    BOUNCE_DEAD_LETTERS_URL: `${storage.url}/bounce-dead-letters`,
    TRACE_RETENTION_DAYS: '90',
  })
  handler = (await import('../../../functions/bounce-message/handler.ts')).handler
})
after(async () => {
  await storage.stop()
  await database.stop()
})
beforeEach(() => {
  storage.objects.clear()
  storage.sent.length = 0
})

let serial = 0
const job = (): BounceJob => ({
  message: message({
    id: String(serial++).padStart(26, '0'),
    mailFrom: 'a@ours.example',
    attributedTo: 'own-server',
  }),
  kind: 'failed',
  returnsContent: true,
  at: '2026-01-15T12:01:00.000Z',
  recipients: [
    {
      recipient: recipient({ address: 'b@x.example' }),
      reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
      explanation: 'It was refused.',
      connector: null,
      willRetryUntil: null,
    },
  ],
})

for (const code of ['NoSuchKey', 'AccessDenied'] as const)
  test(`a DSN is sent without the content when S3 answers ${code}`, async () => {
    storage.codeOfMissingObject = code
    assert.deepEqual(await failedIds(handler, eventOfQueue('bounce', job())), [])
    const [dsn = assert.fail('no DSN was stored')] = storage.objects.values()
    const types = readMultipart(dsn).parts.map(({ type }) => type)
    assert.deepEqual(types, ['text/plain; charset=utf-8', 'message/delivery-status'])
    assert.deepEqual(
      storage.sent.map(({ queue }) => queue),
      ['evaluation', 'events'],
    )
  })
