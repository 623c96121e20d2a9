/** deliver-message as AWS calls it, with its environment and clients. */
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Metrics } from '@aws-lambda-powertools/metrics'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { type DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { ContentReference } from '../../../shared/contract/message.ts'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { Slots } from '../../../shared/transport/slots.ts'
import { type DeliverMessage, smartHost, startDeliverMessage } from '../../support/deliver-message.ts'
import type { TestDynamoDb } from '../../support/dynamodb.ts'
import { eventually } from '../../support/eventually.ts'
import { type FakeSecrets, startSecrets } from '../../support/fake-secrets.ts'
import { type FakeSes, startSes } from '../../support/fake-ses.ts'
import { authenticated } from '../../support/fixtures.ts'
import { listen } from '../../support/listen.ts'
import { createPki } from '../../support/pki.ts'
import { type Partner, startPartner } from '../../support/smtp-partner.ts'

const content = Buffer.from('Subject: x\r\n\r\nbody\r\n')
let unit: DeliverMessage
let db: TestDynamoDb
let secrets: FakeSecrets
let partner: Partner
let ses: FakeSes
let reference: ContentReference

before(async () => {
  partner = await startPartner()
  secrets = await startSecrets()
  ses = await startSes()
  unit = await startDeliverMessage({
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    AWS_ENDPOINT_URL_SES: ses.url,
    AWS_ENDPOINT_URL_SESV2: ses.url,
  })
  db = unit.database
  reference = unit.store(content)
})
after(async () => {
  await unit.stop()
  await secrets.stop()
  await ses.stop()
  await partner.stop()
})

const job = (number: number, stored = reference): DeliveryJob =>
  unit.job(number, stored, { route: smartHost('127.0.0.1', partner.port) })

const results = {
  ...authenticated('fail', 'elsewhere.example'),
  fields: 'Authentication-Results: mail.ours.example; dmarc=fail\r\nReceived-SPF: none\r\n',
}
const withResults = (plain: DeliveryJob): DeliveryJob => ({
  ...plain,
  message: { ...plain.message, authentication: results },
})

const failedIds = (...jobs: object[]): Promise<string[]> => unit.deliver(...jobs)

describe('deliver-message', () => {
  it('delivers each message once when SQS delivers its job twice', async () => {
    assert.deepEqual(await failedIds(job(1), job(2)), [])
    assert.deepEqual(await failedIds(job(2), job(1)), [])
    assert.equal(partner.received.length, 2)
    assert.ok(partner.received.every((received) => received.content.equals(content)))
  })

  it('delivers a batch for one destination over three connections, and closes them at the end of the batch', async () => {
    const [connections, received] = [partner.connections(), partner.received.length]
    const jobs = Array.from({ length: 10 }, (_, index) => job(200 + index))
    assert.deepEqual(await failedIds(...jobs), [])
    assert.deepEqual(
      [partner.connections() - connections, partner.received.length - received, partner.commands.at(-1)],
      [3, 10, 'QUIT'],
    )
    await eventually(() => partner.open() === 0, 'the end of the connection')
  })

  it('delivers to twelve destinations side by side: each gets its greeting only when all have a connection', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      socket.on('error', () => {})
      if (sockets.push(socket) === 12) for (const each of sockets) each.write('421 4.3.2 not today\r\n')
    })
    const listening = await listen(server)
    const host = { host: '127.0.0.1', port: listening.port }
    // A list of other length is another destination; its first host does not fail before the others have connected.
    const jobs = Array.from({ length: 12 }, (_, index) => ({
      ...job(600 + index),
      route: { kind: 'SmartHosts', hosts: Array(index + 1).fill(host) },
    }))
    const delivered = failedIds(...jobs)
    await eventually(() => sockets.length >= 12, 'twelve connections')
    server.close()
    for (const socket of sockets) socket.destroy()
    assert.deepEqual(await delivered, [])
  })

  it('adds the results of the authentication before the content, without forged ones, and announces the whole size', async () => {
    const stored = unit.store(
      Buffer.concat([Buffer.from('Authentication-Results: mail.ours.example; dmarc=pass\r\n'), content]),
    )
    const delivered = Buffer.concat([Buffer.from(results.fields), content])
    partner.commands.length = 0
    assert.deepEqual(await failedIds(withResults(job(250, stored))), [])
    assert.deepEqual(partner.received.at(-1)?.content, delivered)
    assert.match(partner.commands.join('\n'), new RegExp(`SIZE=${delivered.length}\\b`))
    const bySes = unit.job(251, stored, { route: { kind: 'Ses' }, sendAt: new Date(0).toISOString() })
    assert.deepEqual(await failedIds(withResults(bySes)), [])
    assert.deepEqual(ses.requests.at(-1)?.content, delivered)
    ses.requests.length = 0
  })

  it('returns a job to the queue when no slot is free, and delivers it when a slot becomes free', async () => {
    const host = { host: '127.0.0.1', port: partner.port }
    const [connections, busy] = [
      partner.connections(),
      { ...job(30), route: { kind: 'SmartHosts', hosts: [host, host] } },
    ]
    const destination = `127.0.0.1:${partner.port} 127.0.0.1:${partner.port}`
    const acquire = () =>
      new Slots(db.documents, db.transportTable, {
        ...{ initialLimit: 10, maxLimit: 100, maxHolders: 20, leaseMs: 60_000, timeoutMs: 5_000 },
        now: Date.now,
      }).acquire(destination, 1)
    const heldSlots = await Promise.all(Array.from({ length: 10 }, acquire))
    assert.deepEqual(await failedIds(busy), [])
    assert.equal(partner.connections(), connections)
    const [returned] = unit.storage.sent.splice(0).filter(({ queue }) => queue === 'delivery')
    assert.deepEqual(JSON.parse(returned?.MessageBody ?? ''), { ...busy, waits: 1 })
    assert.equal(returned?.MessageGroupId, 'partner.example')
    assert.ok([1, 2].includes(returned?.DelaySeconds ?? 0))
    await Promise.all(heldSlots.map((slots) => slots?.release()))
    // The worker remembers the refusal for half a second.
    await delay(500)
    assert.deepEqual(await failedIds(JSON.parse(returned?.MessageBody ?? '')), [])
    assert.equal(partner.connections(), connections + 1)
    const free = await acquire()
    assert.ok(free, 'its slot is free again')
    await free.release()
  })

  it('sends through Amazon SES what its quota of 24 hours permits, and returns the rest without an attempt', async (context) => {
    const addMetric = context.mock.method(Metrics.prototype, 'addMetric')
    ses.quota = { maxSendRate: 14, max24HourSend: 200, sentLast24Hours: 197 }
    const jobs = [1, 2, 3, 4, 5].map((number) =>
      unit.job(500 + number, reference, { route: { kind: 'Ses' } }),
    )
    assert.deepEqual(await failedIds(...jobs), [])
    assert.deepEqual([ses.requests.length, ses.quotaRequests], [3, 1])
    assert.deepEqual(
      addMetric.mock.calls.map(({ arguments: call }) => call).filter(([name]) => name === 'SesQuotaUsed'),
      [['SesQuotaUsed', 'Percent', 98.5]],
    )
    const returned = unit.storage.sent.splice(0).filter(({ queue }) => queue === 'delivery')
    assert.deepEqual(
      returned.map(({ MessageBody }) => JSON.parse(MessageBody)),
      jobs.slice(3).map((each) => ({ ...each, waits: 1 })),
    )
    for (const { DelaySeconds = 0 } of returned) assert.ok(DelaySeconds >= 450 && DelaySeconds <= 900)
  })

  it('returns a message that Amazon SES throttles, and the next one without a request', async () => {
    ses.requests.length = 0
    ses.answer = () => ({ status: 400, name: 'Throttling', message: 'Maximum sending rate exceeded.' })
    const sendAt = new Date(0).toISOString()
    const requestCounts: number[] = []
    for (const number of [551, 552]) {
      const throttled = unit.job(number, reference, { route: { kind: 'Ses' } })
      assert.deepEqual(await failedIds({ ...throttled, sendAt }), [])
      requestCounts.push(ses.requests.length)
      const sent = unit.storage.sent.splice(0)
      assert.deepEqual(
        sent.map(({ queue, MessageBody }) => [queue, JSON.parse(MessageBody)]),
        [['delivery', { ...throttled, waits: 1 }]],
      )
      assert.ok((sent[0]?.DelaySeconds ?? 0) >= 8)
    }
    assert.deepEqual(requestCounts, [3, 3])
  })

  it("presents the connector's certificate to a partner that requests one", async () => {
    const pki = await createPki()
    secrets.keepIdentity('ours', await pki.issue({ names: ['mail.ours.example'] }))
    const tls = { ...(await pki.issue({ names: ['mx.partner.example'] })), ca: pki.ca }
    const strict = await startPartner({ tls, requiresClientCertificate: true })
    try {
      const route = smartHost('127.0.0.1', strict.port)
      const forced = { ...opportunistic, level: 'EncryptionOnly' } as const
      const jobs = ['ours', null].map((clientCertificate, index) => ({
        ...job(400 + index),
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

  it('reports a job as failed, without an attempt, when the stored content differs from the accepted content', async () => {
    const before = partner.received.length
    const corrupt = { ...reference, sha256: '0'.repeat(64) }
    assert.deepEqual(await failedIds(job(3, corrupt), job(4)), ['m0'])
    assert.equal(partner.received.length, before + 1)
  })

  it('reports a permanent failure of a message whose content was deleted', async () => {
    unit.storage.sent.length = 0
    const deleted = job(7, { ...reference, key: `segments/${'0'.repeat(26)}` })
    assert.deepEqual(await failedIds(deleted), [])
    const [{ MessageBody = '' } = {}] = unit.storage.sent.filter(({ queue }) => queue === 'queue')
    const { lastAttempt } = EvaluationJob.parse(JSON.parse(MessageBody)).recipients[0] ?? {}
    assert.deepEqual([lastAttempt?.outcome, lastAttempt?.reply.code], ['PermanentFailure', 554])
  })

  it('reports a job as failed, and delays it, when S3 denies its content: a policy or key may have changed', async () => {
    unit.storage.codeOfMissingObject = 'AccessDenied'
    unit.storage.delayed.length = 0
    assert.deepEqual(await failedIds(job(8, { ...reference, key: 'segments/denied' }), job(9)), ['m0'])
    unit.storage.codeOfMissingObject = 'NoSuchKey'
    assert.deepEqual(
      unit.storage.delayed.map(({ queue, receipt }) => [queue, receipt]),
      [['delivery', 'receipt of m0']],
    )
  })

  it('reports a job as failed when another worker has claimed its recipient', async () => {
    const busy = job(5)
    await new AttemptClaims(db.documents, db.messagesTable).claim(
      { messageId: busy.message.id, address: 'b@partner.example', attempt: 1 },
      { now: new Date(), leaseMs: 60_000, expiresAt: 2 ** 31, holder: 'other worker' },
    )
    assert.deepEqual(await failedIds(busy), ['m0'])
  })

  it('sends no message that was decided by another version of the connectors', async () => {
    const before = partner.connections()
    const repository = new ConnectorRepository(db.documents, db.connectorsTable)
    await repository.acceptedDomains.create(
      'ours.example',
      { recipients: 'Any', comment: '' },
      'administrator',
    )
    assert.deepEqual(await failedIds(job(6)), [])
    assert.equal(partner.connections(), before)
    assert.deepEqual(await failedIds({ ...job(6), connectorsVersion: 1 }), [])
    assert.equal(partner.connections(), before + 1)
  })

  it('moves a record that is no delivery job to the dead letters of its queue, with the reason', async () => {
    unit.storage.sent.length = 0
    assert.deepEqual(await failedIds({ hello: 'world' }), [])
    const [{ queue, MessageBody, MessageAttributes } = assert.fail('no dead letter')] = unit.storage.sent
    assert.deepEqual([queue, MessageBody], ['delivery-dead-letters', '{"hello":"world"}'])
    assert.match(
      MessageAttributes?.reason?.StringValue ?? '',
      /not a job of this queue: message \(invalid_type\)/,
    )
  })
})
