/** report-tls as a schedule invokes it, with its environment and clients. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, beforeEach, type TestContext, test } from 'node:test'
import type { ReportRun } from '../../../functions/report-tls/send-reports.ts'
import { type DnsServer, startDnsServer } from '../../../infra/local/dns/server.ts'
import type { Zone } from '../../../infra/local/dns/zone.ts'
import { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { Metric } from '../../../shared/contract/metrics.ts'
import { createResolver } from '../../../shared/net/resolver.ts'
import { sessionCountsOf } from '../../../shared/tls-reports/applied-policy.ts'
import { SessionCounters } from '../../../shared/tls-reports/counters.ts'
import { Tally } from '../../../shared/tls-reports/tally.ts'
import { verifySigner } from '../../../shared/tls-reports/verify-signer.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { type FakeS3AndSqs, startS3AndSqs } from '../../support/fake-s3-sqs.ts'
import { type FakeSecrets, startSecrets } from '../../support/fake-secrets.ts'
import { setEnvironment } from '../../support/lambda.ts'
import { session } from '../../support/tls-sessions.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const zone: Zone = {
  names: {
    '_smtp._tls.partner.example': { TXT: ['v=TLSRPTv1; rua=mailto:tlsrpt@partner.example'] },
    's1._domainkey.ours.example': {
      TXT: [`v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`],
    },
  },
  ports: {},
}

let database: TestDynamoDb
let dns: DnsServer
let secrets: FakeSecrets
let storage: FakeS3AndSqs
let handler: (event?: unknown, context?: { getRemainingTimeInMillis(): number }) => Promise<ReportRun>

before(async () => {
  database = await startDynamoDb()
  dns = await startDnsServer(zone, 0)
  secrets = await startSecrets()
  storage = await startS3AndSqs()
  setEnvironment({
    AWS_ENDPOINT_URL_DYNAMODB: database.endpoint,
    AWS_ENDPOINT_URL_S3: storage.url,
    AWS_ENDPOINT_URL_SQS: storage.url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    TRANSPORT_TABLE: database.transportTable,
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: `${storage.url}/queue`,
    DNS_SERVERS: `127.0.0.1:${dns.port}`,
    TLS_REPORTER_ORGANISATION: 'Ours',
    TLS_REPORTER_ADDRESS: 'postmaster@mx.ours.example',
    DKIM_DOMAIN: 'ours.example',
    DKIM_SELECTOR: 's1',
    DKIM_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:mailflow/dkim-AbCdEf',
    // The metrics library writes to the given console only in its development mode.
    POWERTOOLS_DEV: 'true',
    POWERTOOLS_METRICS_DISABLED: 'false',
  })
  handler = (await import('../../../functions/report-tls/handler.ts')).handler
})
after(async () => {
  dns.close()
  await storage.stop()
  await secrets.stop()
  await database.stop()
})

beforeEach(() => {
  secrets.keep('mailflow/dkim', JSON.stringify({ privateKey: pem }))
  storage.objects.clear()
  storage.sent.length = 0
})

/** Counts one session on that day. */
async function count(day: string): Promise<void> {
  const at = new Date(`${day}T10:00:00.000Z`)
  const tally = new Tally()
  tally.add(sessionCountsOf(session({}), at), at)
  const counters = new SessionCounters(database.documents, database.transportTable)
  assert.equal(await counters.add(tally.drain(), 0, new AbortController().signal), null)
}

/** Returns a function that returns the metrics written since this call, by name. */
function metricsOf(context: TestContext): () => Record<string, number> {
  const consoleLog = context.mock.method(console, 'log', () => {})
  return () =>
    Object.fromEntries(
      consoleLog.mock.calls.flatMap(({ arguments: [line] }) => {
        const { _aws, ...values } = JSON.parse(line)
        const { Metrics = [] } = _aws?.CloudWatchMetrics[0] ?? {}
        return Metrics.map(({ Name }: { Name: string }) => [Name, [values[Name]].flat()[0]])
      }),
    )
}

const scheduled = { source: 'aws.events', 'detail-type': 'Scheduled Event', time: 'whenever' }

test('two scheduled runs send the signed report of the previous day once', async (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-04-02T01:20:00.000Z') })
  await count('2026-04-01')
  await count('2026-04-02')
  const metrics = metricsOf(context)
  const { sent } = await handler(scheduled, { getRemainingTimeInMillis: () => 900_000 })
  assert.equal(sent, 1)
  const jobs = storage.sent.map(({ MessageBody }) => EvaluationJob.parse(JSON.parse(MessageBody)))
  assert.deepEqual(
    jobs.map(({ recipients }) => recipients[0]?.address),
    ['tlsrpt@partner.example'],
  )
  const [[key, octets] = ['', Buffer.alloc(0)], ...others] = [...storage.objects]
  assert.deepEqual(others, [])
  assert.equal(jobs[0]?.message.headerMessageId, /^Message-ID: (.*)\r$/im.exec(octets.toString())?.[1])
  assert.match(key, /reports\/[0-9a-f]{2}\/\w{26}$/)
  const resolver = createResolver([`127.0.0.1:${dns.port}`])
  const signer = await verifySigner(octets, resolver, new AbortController().signal)
  assert.deepEqual(signer, { kind: 'Known', authenticated: 'pass', signedBy: 'ours.example' })
  assert.deepEqual(metrics(), { [Metric.tlsReportsSent]: 1 })
  assert.equal((await handler(scheduled)).claimedElsewhere, 1)
  assert.equal(storage.sent.length, 1)
})

test('an event with "day" reports that day; one that is not a day is rejected', async () => {
  await count('2026-04-10')
  assert.equal((await handler({ day: '2026-04-10' })).sent, 1)
  await assert.rejects(handler({ day: 'yesterday' }), /day/)
})

test('a day that has not ended is reported only with "unfinished"', async (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-04-15T23:59:59.999Z') })
  await count('2026-04-15')
  await assert.rejects(handler({ day: '2026-04-15' }), /2026-04-15 has not ended/)
  await assert.rejects(handler({ day: '2026-04-16' }), /2026-04-16 has not ended/)
  assert.deepEqual(storage.sent, [])
  assert.equal((await handler({ day: '2026-04-15', unfinished: true })).sent, 1)
})

test('45 reports are sent to evaluation in groups of 20 with delays, so that they do not delay other mail', async () => {
  const at = new Date('2026-04-17T10:00:00.000Z')
  const tally = new Tally()
  const domains = Array.from({ length: 45 }, (_, index) => `d${index}.example`)
  for (const domain of domains)
    tally.add(
      sessionCountsOf(session({}), at).map((counts) => ({ ...counts, domain })),
      at,
    )
  const counters = new SessionCounters(database.documents, database.transportTable)
  assert.equal(await counters.add(tally.drain(), 0, new AbortController().signal), null)
  for (const domain of domains)
    zone.names[`_smtp._tls.${domain}`] = { TXT: [`v=TLSRPTv1; rua=mailto:tls@${domain}`] }
  assert.equal((await handler({ day: '2026-04-17' })).sent, 45)
  const counts = Map.groupBy(storage.sent, ({ DelaySeconds = 0 }) => DelaySeconds)
  assert.deepEqual([...counts].map(([seconds, jobs]) => [seconds, jobs.length]).sort(), [
    [0, 20],
    [1, 20],
    [2, 5],
  ])
})

test('without the DKIM key no report is sent, and only the last run of the day counts TlsReportsFailed', async (context) => {
  await count('2026-04-20')
  secrets.keep('mailflow/dkim', '{"certificate":"x"}')
  context.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-04-21T01:20:00.000Z') })
  const metrics = metricsOf(context)
  assert.equal((await handler(scheduled)).failed, 1)
  assert.deepEqual(metrics(), {})
  context.mock.timers.setTime(Date.parse('2026-04-21T16:20:00.000Z'))
  assert.equal((await handler(scheduled)).failed, 1)
  assert.deepEqual(metrics(), { [Metric.tlsReportsFailed]: 1 })
  assert.deepEqual([storage.objects.size, storage.sent.length], [0, 0])
})

test('the last run of the day counts TlsReportsFailed when it runs out of time', async (context) => {
  await count('2026-04-25')
  context.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-04-26T16:20:00.000Z') })
  const metrics = metricsOf(context)
  const run = await handler(scheduled, { getRemainingTimeInMillis: () => 10_000 })
  assert.deepEqual([run.ranOutOfTime, run.sent], [true, 0])
  assert.deepEqual(metrics(), { [Metric.tlsReportsFailed]: 1 })
})
