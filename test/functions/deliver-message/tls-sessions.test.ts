/** That the function counts its sessions and keeps reports, its environment and clients included. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { writeSessions } from '../../../functions/deliver-message/tls-sessions.ts'
import { type DnsServer, startDnsServer } from '../../../infra/local/dns/server.ts'
import type { DeliveryJob, Route } from '../../../shared/contract/jobs.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { countsOf } from '../../../shared/tls-reports/applied-policy.ts'
import { SessionCounters } from '../../../shared/tls-reports/counters.ts'
import { dayOf } from '../../../shared/tls-reports/days.ts'
import { ReceivedReports } from '../../../shared/tls-reports/received-reports.ts'
import { buildReport } from '../../../shared/tls-reports/report.ts'
import { reportMail } from '../../../shared/tls-reports/report-mail.ts'
import { Tally } from '../../../shared/tls-reports/tally.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { type Partner, startPartner } from '../../support/smtp-partner.ts'
import { at, session } from '../../support/tls-sessions.ts'

let database: TestDynamoDb
let partner: Partner
let dns: DnsServer
let handler: (event: SQSEvent) => Promise<SQSBatchResponse>

const contents = new Map<string, Buffer>()
/** Answers every read of an object, and takes every job. */
const storage = createServer(async (request, response) => {
  if (request.method === 'GET') {
    const key = (request.url ?? '').split('?')[0]?.split('/').at(-1) ?? ''
    return response.writeHead(206).end(contents.get(key))
  }
  const { Entries = [] } = (await json(request)) as { Entries?: { Id: string; MessageBody: string }[] }
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
  database = await startDynamoDb()
  partner = await startPartner()
  dns = await startDnsServer({ names: { 'relay.partner.example': { A: ['127.0.0.1'] } }, ports: {} }, 0)
  await once(storage.listen(0, '127.0.0.1'), 'listening')
  const endpoint = `http://127.0.0.1:${(storage.address() as AddressInfo).port}`
  Object.assign(process.env, {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_DYNAMODB: database.endpoint,
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ENDPOINT_URL_SQS: endpoint,
    MAIL_HOSTNAME: 'mail.ours.example',
    DNS_SERVERS: `127.0.0.1:${dns.port}`,
    CONNECTORS_TABLE: database.connectorsTable,
    MESSAGES_TABLE: database.messagesTable,
    TRANSPORT_TABLE: database.transportTable,
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: `${endpoint}/queue`,
    DELIVERY_QUEUE_URL: `${endpoint}/delivery`,
    SES_CONFIGURATION_SET_REQUIRE_TLS: 'require',
    SES_CONFIGURATION_SET_OPTIONAL_TLS: 'optional',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'true',
  })
  handler = (await import('../../../functions/deliver-message/handler.ts')).handler
})
after(async () => {
  storage.close()
  dns.close()
  await partner.stop()
  await database.stop()
})

let jobs = 0
function job(route: Route, octets: Buffer, fields: Partial<DeliveryJob> = {}): DeliveryJob {
  const key = `content${jobs++}`
  contents.set(key, octets)
  const sha256 = createHash('sha256').update(octets).digest('hex')
  return {
    message: message({
      id: String(jobs).padStart(26, '0'),
      receivedAt: new Date().toISOString(),
      content: { bucket: 'content', key, offset: 0, length: octets.length, sha256 },
    }),
    recipients: [recipient({ address: 'b@partner.example' })],
    destination: 'partner.example',
    route,
    tls: opportunistic,
    attempt: 1,
    connectorsVersion: 0,
    ...fields,
  }
}

const batch = (...bodies: object[]): SQSEvent => ({
  Records: bodies.map(
    (body, index) =>
      ({ messageId: `m${index}`, body: JSON.stringify(body), eventSource: 'aws:sqs' }) as SQSRecord,
  ),
})

const letter = Buffer.from('Subject: x\r\n\r\nbody\r\n')

test('sessions of a batch stand in the counts of the day when it has ended', async () => {
  const relay: Route = { kind: 'SmartHosts', hosts: [{ host: 'relay.partner.example', port: partner.port }] }
  const day = dayOf(new Date())
  const { batchItemFailures } = await handler(batch(job(relay, letter), job(relay, letter)))
  assert.deepEqual(batchItemFailures, [])
  assert.equal(partner.received.length, 2)
  const counters = new SessionCounters(database.documents, database.transportTable)
  const [found, ...others] = await Array.fromAsync(counters.domains(day))
  assert.deepEqual(others, [])
  assert.deepEqual(
    found?.policies.map(({ policy, successes, failures }) => [
      policy.type,
      policy.domain,
      successes,
      failures,
    ]),
    [['no-policy-found', 'relay.partner.example', 0, partner.connections()]],
  )
})

test('a session that carries a report stands in no count (RFC 8460 §5.3)', async () => {
  const relay: Route = { kind: 'SmartHosts', hosts: [{ host: 'relay.partner.example', port: partner.port }] }
  const report = Buffer.from('Subject: x\r\nTLS-Report-Domain: partner.example\r\n\r\nbody\r\n')
  const counters = new SessionCounters(database.documents, database.transportTable)
  const counted = () => Array.fromAsync(counters.domains(dayOf(new Date())))
  const [before, received] = [await counted(), partner.received.length]
  assert.deepEqual(await handler(batch(job(relay, report))), { batchItemFailures: [] })
  assert.equal(partner.received.length, received + 1)
  assert.deepEqual(await counted(), before)
})

test('a report to us is kept, and goes no further', async () => {
  const reporter = { organisation: 'Sender', address: 'tls@sender.example', domain: 'sender.example' }
  const day = dayOf(new Date())
  const about = buildReport({ domain: 'ours.example', policies: [] }, day, reporter)
  const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
  const mail = await reportMail(about, { id, to: 'tls@ours.example', at: new Date() }, reporter, null)
  const connections = partner.connections()
  assert.deepEqual(await handler(batch(job({ kind: 'TlsReports' }, mail))), { batchItemFailures: [] })
  const reports = new ReceivedReports(database.documents, database.transportTable)
  const { reports: found } = await reports.page({ since: day, until: day, domain: null }, null, 10)
  assert.deepEqual(
    found.map(({ organisation, authenticated }) => [organisation, authenticated]),
    [['Sender', 'none']],
  )
  assert.equal(partner.connections(), connections)
})

test('a table that cannot be written to is counted as that, and throws nothing', async () => {
  const tally = new Tally()
  tally.add(countsOf(session({}), at), at)
  tally.add(countsOf(session({}), at), at)
  const metrics = new Metrics({ namespace: 'test', serviceName: 'test' })
  const missing = new SessionCounters(database.documents, 'no-such-table')
  await writeSessions(tally, missing, () => 0, { logger: new Logger({ logLevel: 'SILENT' }), metrics })
  const stored = metrics.serializeMetrics()
  assert.equal(stored.SessionsUncounted, 2)
})
