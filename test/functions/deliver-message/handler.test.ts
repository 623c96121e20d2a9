/** The function as AWS calls it, its environment and clients included. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { secretsServer } from '../../../infra/local/aws/secrets.ts'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import type { DeliveryJob } from '../../../shared/contract/jobs.ts'
import type { Attempt, ContentReference } from '../../../shared/contract/message.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { attemptKey } from '../../../shared/messages/keys.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { Slots } from '../../../shared/transport/slots.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { createPki } from '../../support/pki.ts'
import { type Partner, startPartner } from '../../support/smtp-partner.ts'

const content = Buffer.from('Subject: x\r\n\r\nbody\r\n')
let db: TestDynamoDb
let partner: Partner
let handler: (event: SQSEvent) => Promise<SQSBatchResponse>

interface Entry {
  Id: string
  MessageBody: string
  DelaySeconds?: number
  MessageGroupId?: string
}

/** What came back to the delivery queue. */
const putBack: Entry[] = []
const secretsDirectory = mkdtempSync(join(tmpdir(), 'mailflow-secrets-'))
const secrets = secretsServer(secretsDirectory)

/** Answers every read of an object with the content, and takes every job. */
const storage = createServer(async (request, response) => {
  if (request.method === 'GET') return response.writeHead(206).end(content)
  const { Entries = [], QueueUrl = '' } = (await json(request)) as { Entries?: Entry[]; QueueUrl?: string }
  if (QueueUrl.endsWith('/delivery')) putBack.push(...Entries)
  const Successful = Entries.map(({ Id, MessageBody }) => ({
    Id,
    MessageId: Id,
    MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex'),
  }))
  response
    .writeHead(200, { 'content-type': 'application/x-amz-json-1.0' })
    .end(JSON.stringify({ Successful, Failed: [] }))
})

before(async () => {
  db = await startDynamoDb()
  partner = await startPartner()
  await new Promise<void>((resolve) => storage.listen(0, '127.0.0.1', resolve))
  await new Promise<void>((resolve) => secrets.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(storage.address() as AddressInfo).port}`
  Object.assign(process.env, {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_DYNAMODB: db.endpoint,
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ENDPOINT_URL_SQS: endpoint,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${(secrets.address() as AddressInfo).port}`,
    MAIL_HOSTNAME: 'mail.ours.example',
    CONNECTORS_TABLE: db.connectorsTable,
    MESSAGES_TABLE: db.messagesTable,
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: `${endpoint}/queue`,
    DELIVERY_QUEUE_URL: `${endpoint}/delivery`,
    TRANSPORT_TABLE: db.transportTable,
    SES_CONFIGURATION_SET_REQUIRE_TLS: 'require',
    SES_CONFIGURATION_SET_OPTIONAL_TLS: 'optional',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'true',
  })
  handler = (await import('../../../functions/deliver-message/handler.ts')).handler
})
after(async () => {
  storage.close()
  secrets.close()
  rmSync(secretsDirectory, { recursive: true })
  await partner.stop()
  await db.stop()
})

const reference: ContentReference = {
  bucket: 'content',
  key: 'segments/1',
  offset: 0,
  length: content.length,
  sha256: createHash('sha256').update(content).digest('hex'),
}

const job = (id: string, stored = reference): DeliveryJob => ({
  message: message({ id: id.padStart(26, '0'), content: stored }),
  recipients: [recipient({ address: 'b@partner.example' })],
  destination: 'partner.example',
  route: { kind: 'SmartHosts', hosts: [{ host: '127.0.0.1', port: partner.port }] },
  tls: opportunistic,
  attempt: 1,
  // Before anything was configured.
  connectorsVersion: 0,
})

const batch = (...bodies: object[]): SQSEvent => ({
  Records: bodies.map(
    (body, index) =>
      ({ messageId: `m${index}`, body: JSON.stringify(body), eventSource: 'aws:sqs' }) as SQSRecord,
  ),
})

const failedIds = async (...jobs: object[]): Promise<string[]> =>
  (await handler(batch(...jobs))).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)

describe('deliver-message', () => {
  it('delivers each job once, however often the queue delivers it', async () => {
    assert.deepEqual(await failedIds(job('1'), job('2')), [])
    assert.deepEqual(await failedIds(job('2'), job('1')), [])
    assert.equal(partner.received.length, 2)
    assert.ok(partner.received.every((received) => received.content.equals(content)))
  })

  it('delivers a batch to one destination over one connection, which ends with the batch', async () => {
    const [connections, received] = [partner.connections(), partner.received.length]
    const jobs = Array.from({ length: 10 }, (_, index) => job(`20${index}`))
    assert.deepEqual(await failedIds(...jobs), [])
    assert.deepEqual(
      [partner.connections() - connections, partner.received.length - received, partner.commands.at(-1)],
      [1, 10, 'QUIT'],
    )
    while (partner.open() > 0) await delay(5)
  })

  it('puts back what it has no place for at the destination, and delivers it when there is one', async () => {
    const [connections, busy] = [partner.connections(), job('30')]
    const line = `127.0.0.1:${partner.port}`
    const slots = new Slots(db.documents, db.transportTable, { most: 10, leaseMs: 60_000, patienceMs: 5_000 })
    const held = await Promise.all(Array.from({ length: 10 }, () => slots.acquire(line, new Date())))
    assert.deepEqual(await failedIds(busy), [])
    assert.equal(partner.connections(), connections)
    const [back] = putBack.splice(0)
    assert.deepEqual(JSON.parse(back?.MessageBody ?? ''), { ...busy, waits: 1 })
    assert.equal(back?.MessageGroupId, 'partner.example')
    assert.ok([1, 2].includes(back?.DelaySeconds ?? 0))
    await held[0]?.release()
    assert.deepEqual(await failedIds(JSON.parse(back?.MessageBody ?? '')), [])
    assert.equal(partner.connections(), connections + 1)
    const free = await slots.acquire(line, new Date())
    assert.ok(free, 'its place is free again')
    await Promise.all([...held, free].map((slot) => slot?.release()))
  })

  it('shows the certificate that the connector names to a partner who demands it', async () => {
    const pki = await createPki()
    const { cert, key } = await pki.issue({ names: ['mail.ours.example'] })
    writeFileSync(join(secretsDirectory, 'ours.json'), JSON.stringify({ certificate: cert, privateKey: key }))
    const tls = { ...(await pki.issue({ names: ['mx.partner.example'] })), ca: pki.ca }
    const strict = await startPartner({ tls, demandsCertificate: true })
    try {
      const route: DeliveryJob['route'] = {
        kind: 'SmartHosts',
        hosts: [{ host: '127.0.0.1', port: strict.port }],
      }
      const forced = { ...opportunistic, level: 'EncryptionOnly' } as const
      const jobs = ['ours', null].map((clientCertificate, index) => ({
        ...job(`40${index}`),
        route,
        tls: { ...forced, clientCertificate },
      }))
      assert.deepEqual(await failedIds(...jobs), [])
      assert.deepEqual(
        strict.received.map(({ recipients }) => recipients.length),
        [1],
      )
    } finally {
      await strict.stop()
    }
  })

  it('brings back only the job whose stored content is not what was accepted, without an attempt', async () => {
    const before = partner.received.length
    const corrupt = { ...reference, sha256: '0'.repeat(64) }
    assert.deepEqual(await failedIds(job('3', corrupt), job('4')), ['m0'])
    assert.equal(partner.received.length, before + 1)
  })

  it('brings back a job that another worker is at', async () => {
    const claims = new Claims<Attempt>(db.documents, db.messagesTable)
    const busy = job('5')
    await claims.claim(attemptKey(busy.message.id, 'b@partner.example', 1), new Date(), 60_000, 2 ** 31)
    assert.deepEqual(await failedIds(busy), ['m0'])
  })

  it('sends nothing that was decided by other connectors than those there are', async () => {
    const before = partner.connections()
    const repository = new ConnectorRepository(db.documents, db.connectorsTable)
    await repository.acceptedDomains.create('ours.example', { comment: '' })
    assert.deepEqual(await failedIds(job('6')), [])
    assert.equal(partner.connections(), before)
    assert.deepEqual(await failedIds({ ...job('6'), connectorsVersion: 1 }), [])
    assert.equal(partner.connections(), before + 1)
  })

  it('brings back what is no delivery job', async () => {
    assert.deepEqual(await failedIds({ hello: 'world' }), ['m0'])
  })
})
