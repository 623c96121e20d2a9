/** authenticate-message as AWS calls it, with a name server in this process. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, beforeEach, describe, it } from 'node:test'
import { Metrics } from '@aws-lambda-powertools/metrics'
import { segmentReferences } from '../../../shared/content/segment-writer.ts'
import { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { type FakeS3AndSqs, startS3AndSqs } from '../../support/fake-s3-sqs.ts'
import { type FakeSecrets, startSecrets } from '../../support/fake-secrets.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { eventOfQueue, failedIds, type SqsHandler, setEnvironment } from '../../support/lambda.ts'
import { type NameServer, startNameServer } from '../../support/name-server.ts'

const secretArn = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:arc-AbCdEf'
const records = new Map([
  ['elsewhere.example', 'v=spf1 ip4:192.0.2.1 -all'],
  ['_dmarc.elsewhere.example', 'v=DMARC1; p=reject'],
])

let database: TestDynamoDb
let storage: FakeS3AndSqs
let secrets: FakeSecrets
let nameServer: NameServer
let handler: SqsHandler

before(async () => {
  database = await startDynamoDb()
  storage = await startS3AndSqs()
  secrets = await startSecrets()
  nameServer = await startNameServer(({ name, type }) => {
    const text = type === 'TXT' ? records.get(name) : undefined
    return [text === undefined ? { rcode: 3 } : { answers: [{ type: 'TXT', name, ttl: 60, data: text }] }]
  })
  const { privateKey } = generateKeyPairSync('ed25519')
  secrets.keep('arc', JSON.stringify({ privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) }))
  setEnvironment({
    AWS_ENDPOINT_URL_DYNAMODB: database.endpoint,
    AWS_ENDPOINT_URL_S3: storage.url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    AWS_ENDPOINT_URL_SQS: storage.url,
    MAIL_HOSTNAME: 'mail.ours.example',
    MESSAGES_TABLE: database.messagesTable,
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: `${storage.url}/evaluation`,
    AUTHENTICATION_QUEUE_URL: `${storage.url}/authentication`,
    AUTHENTICATION_DEAD_LETTERS_URL: `${storage.url}/authentication-dead-letters`,
    DNS_SERVERS: nameServer.address,
    TRACE_RETENTION_DAYS: '90',
    ARC_DOMAIN: 'ours.example',
    ARC_SELECTOR: 's1',
    ARC_SECRET_ARN: secretArn,
  })
  handler = (await import('../../../functions/authenticate-message/handler.ts')).handler
})
after(async () => {
  await nameServer.stop()
  await secrets.stop()
  await storage.stop()
  await database.stop()
})
beforeEach(() => {
  storage.sent.length = 0
  storage.delayed.length = 0
})

let serial = 0
function jobFor(octets: Buffer): EvaluationJob {
  const key = `segments/${serial}`
  storage.objects.set(key, octets)
  const [content = assert.fail()] = segmentReferences('content', key, [octets])
  const id = String(serial++).padStart(26, '0')
  return { message: message({ id, content }), recipients: [recipient()], notBefore: null }
}

const mail = (body = 'body\r\n') => Buffer.from(`From: a@elsewhere.example\r\nSubject: x\r\n\r\n${body}`)
const dmarcResults = () =>
  storage.sent.map(({ queue, MessageBody }) => {
    const { message } = EvaluationJob.parse(JSON.parse(MessageBody))
    return [queue, message.authentication?.dmarc?.result]
  })

describe('authenticate-message', () => {
  it('sends a message with its results to the evaluation queue, counts them, and seals', async (context) => {
    const addDimension = context.mock.method(Metrics.prototype, 'addDimension')
    assert.deepEqual(await failedIds(handler, eventOfQueue('authentication', jobFor(mail()))), [])
    assert.deepEqual(dmarcResults(), [['evaluation', 'pass']])
    const { fields = '' } = JSON.parse(storage.sent[0]?.MessageBody ?? '').message.authentication
    const names = fields.match(/^[\w-]+(?=:)/gm)
    assert.deepEqual(names, [
      'Authentication-Results',
      'Received-SPF',
      'ARC-Seal',
      'ARC-Message-Signature',
      'ARC-Authentication-Results',
    ])
    assert.deepEqual(
      addDimension.mock.calls.map(({ arguments: call }) => call),
      [['dmarc', 'pass']],
    )
  })

  it('streams a message that is too large for memory', async () => {
    const large = mail('line of the body\r\n'.repeat(100_000))
    assert.deepEqual(await failedIds(handler, eventOfQueue('authentication', jobFor(large))), [])
    assert.deepEqual(dmarcResults(), [['evaluation', 'pass']])
  })

  it('keeps only the job whose content S3 denies, and delays it', async () => {
    const denied = jobFor(mail())
    storage.objects.delete(denied.message.content.key)
    storage.codeOfMissingObject = 'AccessDenied'
    assert.deepEqual(await failedIds(handler, eventOfQueue('authentication', denied, jobFor(mail()))), ['m0'])
    storage.codeOfMissingObject = 'NoSuchKey'
    assert.deepEqual(dmarcResults(), [['evaluation', 'pass']])
    assert.deepEqual(
      storage.delayed.map(({ queue, receipt }) => [queue, receipt]),
      [['authentication', 'receipt of m0']],
    )
  })

  it('counts a message that goes on without results', async (context) => {
    const addDimension = context.mock.method(Metrics.prototype, 'addDimension')
    const deleted = jobFor(mail())
    storage.objects.delete(deleted.message.content.key)
    assert.deepEqual(await failedIds(handler, eventOfQueue('authentication', deleted)), [])
    assert.deepEqual(dmarcResults(), [['evaluation', 'temperror']])
    assert.deepEqual(addDimension.mock.calls[0]?.arguments, ['reason', 'ContentDeleted'])
  })

  it('moves a record that is no job to the dead letters', async () => {
    assert.deepEqual(await failedIds(handler, eventOfQueue('authentication', { message: 1 })), [])
    assert.deepEqual(
      storage.sent.map(({ queue }) => queue),
      ['authentication-dead-letters'],
    )
  })
})
