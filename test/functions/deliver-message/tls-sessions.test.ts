/** The counts of sessions and the storage of reports, with the function's environment and clients. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import { ulid } from 'ulid'
import { writeSessionCounts } from '../../../functions/deliver-message/tls-sessions.ts'
import { type DnsServer, startDnsServer } from '../../../infra/local/dns/server.ts'
import type { DeliveryJob, Route } from '../../../shared/contract/jobs.ts'
import { canaryAddress } from '../../../shared/mail/canary-address.ts'
import { sessionCountsOf } from '../../../shared/tls-reports/applied-policy.ts'
import { SessionCounters } from '../../../shared/tls-reports/counters.ts'
import { dayOf } from '../../../shared/tls-reports/days.ts'
import { ReceivedReports } from '../../../shared/tls-reports/received-reports.ts'
import { buildReport } from '../../../shared/tls-reports/report.ts'
import { buildReportMessage } from '../../../shared/tls-reports/report-mail.ts'
import { Tally } from '../../../shared/tls-reports/tally.ts'
import { CanaryTable } from '../../../shared/transport/canary-table.ts'
import { type DeliverMessage, smartHost, startDeliverMessage } from '../../support/deliver-message.ts'
import type { TestDynamoDb } from '../../support/dynamodb.ts'
import { recipient } from '../../support/fixtures.ts'
import { type Partner, startPartner } from '../../support/smtp-partner.ts'
import { at, session } from '../../support/tls-sessions.ts'

let unit: DeliverMessage
let database: TestDynamoDb
let partner: Partner
let dns: DnsServer

before(async () => {
  partner = await startPartner()
  const names = {
    'relay.partner.example': { A: ['127.0.0.1'] },
    '_smtp._tls.relay.partner.example': { TXT: ['v=TLSRPTv1; rua=mailto:tlsrpt@partner.example'] },
    'silent.partner.example': { A: ['127.0.0.1'] },
  }
  dns = await startDnsServer({ names, ports: {} }, 0)
  unit = await startDeliverMessage({ DNS_SERVERS: `127.0.0.1:${dns.port}` })
  database = unit.database
})
after(async () => {
  dns.close()
  await unit.stop()
  await partner.stop()
})

let jobs = 0
const job = (route: Route, octets: Buffer): DeliveryJob => unit.job(++jobs, unit.store(octets), { route })

const relay = (): Route => smartHost('relay.partner.example', partner.port)
const letter = Buffer.from('Subject: x\r\n\r\nbody\r\n')

test('the TLS sessions of a batch are counted for the day at the end of the batch', async () => {
  const day = dayOf(new Date())
  assert.deepEqual(await unit.deliver(job(relay(), letter), job(relay(), letter)), [])
  assert.equal(partner.received.length, 2)
  const counters = new SessionCounters(database.documents, database.transportTable)
  const [domain, ...others] = await Array.fromAsync(counters.domains(day))
  assert.deepEqual(others, [])
  assert.deepEqual(
    domain?.policies.map(({ policy, successes, failures }) => [
      policy.type,
      policy.domain,
      successes,
      failures,
    ]),
    [['no-policy-found', 'relay.partner.example', 0, partner.connections()]],
  )
})

test('sessions with a domain that requests no TLS reports are delivered, and not counted', async () => {
  const route = smartHost('silent.partner.example', partner.port)
  const [received, counters] = [
    partner.received.length,
    new SessionCounters(database.documents, database.transportTable),
  ]
  assert.deepEqual(await unit.deliver(job(route, letter)), [])
  assert.equal(partner.received.length, received + 1)
  const counted = await Array.fromAsync(counters.domains(dayOf(new Date())))
  assert.deepEqual(
    counted.map(({ domain }) => domain),
    ['relay.partner.example'],
  )
})

test('a session that transmits a TLS report is not counted (RFC 8460 §3)', async () => {
  const report = Buffer.from('Subject: x\r\nTLS-Report-Domain: partner.example\r\n\r\nbody\r\n')
  const counters = new SessionCounters(database.documents, database.transportTable)
  const readCounts = () => Array.fromAsync(counters.domains(dayOf(new Date())))
  const [before, received] = [await readCounts(), partner.received.length]
  assert.deepEqual(await unit.deliver(job(relay(), report)), [])
  assert.equal(partner.received.length, received + 1)
  assert.deepEqual(await readCounts(), before)
})

test('a TLS report with route TlsReports is stored and not relayed', async () => {
  const reporter = { organisation: 'Sender', address: 'tls@sender.example', domain: 'sender.example' }
  const day = dayOf(new Date())
  const report = buildReport({ domain: 'ours.example', policies: [] }, day, reporter)
  const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
  const mail = await buildReportMessage(
    report,
    { id, to: 'tls@ours.example', at: new Date() },
    reporter,
    null,
  )
  const connections = partner.connections()
  assert.deepEqual(await unit.deliver(job({ kind: 'TlsReports' }, mail)), [])
  const reports = new ReceivedReports(database.documents, database.transportTable)
  const { reports: stored } = await reports.page({ since: day, until: day, domain: null }, null, 10)
  assert.deepEqual(
    stored.map(({ organisation, authenticated }) => [organisation, authenticated]),
    [['Sender', 'none']],
  )
  assert.equal(partner.connections(), connections)
})

const hostname = 'mail.ours.example'

test('a canary with route Canary is recorded and not relayed, and its time is published once', async (context) => {
  const canaries = new CanaryTable(database.documents, database.transportTable)
  const published: number[] = []
  context.mock.method(Metrics.prototype, 'addMetric', (name: string, _unit: string, value: number) => {
    if (name === 'CanarySeconds') published.push(value)
  })
  const id = ulid(Date.now() - 2_000)
  const forged = ulid(Date.now() - 1_000)
  await canaries.recordSent(id)
  const canaryJob = (canaryId: string) => {
    const address = canaryAddress(canaryId, hostname)
    const delivery = unit.job(++jobs, unit.store(letter), {
      route: { kind: 'Canary' },
      recipients: [recipient({ address })],
      requires: ['canary'],
    })
    return { ...delivery, message: { ...delivery.message, canary: address } }
  }
  const connections = partner.connections()
  assert.deepEqual(await unit.deliver(canaryJob(forged), canaryJob(id), canaryJob(id)), [])
  assert.equal(published.length, 1)
  assert.ok(Number(published[0]) >= 2, `${published[0]} s`)
  assert.equal(partner.connections(), connections)
})

test('writeSessionCounts counts the sessions of a failed write in SessionsUncounted, and throws nothing', async () => {
  const tally = new Tally()
  tally.add(sessionCountsOf(session({}), at), at)
  tally.add(sessionCountsOf(session({}), at), at)
  const metrics = new Metrics({ namespace: 'test', serviceName: 'test' })
  const missing = new SessionCounters(database.documents, 'no-such-table')
  const sinks = { counters: missing, requestsReports: async () => true }
  await writeSessionCounts(tally, sinks, () => 0, { logger: new Logger({ logLevel: 'SILENT' }), metrics })
  const stored = metrics.serializeMetrics()
  assert.equal(stored.SessionsUncounted, 2)
})
