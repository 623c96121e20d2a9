import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { after, before, beforeEach, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { sendReport } from '../../../functions/report-tls/send-report.ts'
import {
  type ReportedResult,
  type ReportRun,
  type SentReport,
  sendReports,
} from '../../../functions/report-tls/send-reports.ts'
import { contentReference } from '../../../shared/content/content-reference.ts'
import { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { sessionCountsOf } from '../../../shared/tls-reports/applied-policy.ts'
import { SessionCounters } from '../../../shared/tls-reports/counters.ts'
import { readReportMail } from '../../../shared/tls-reports/read-mail.ts'
import { Tally } from '../../../shared/tls-reports/tally.ts'
import { type FakeResolver, fakeResolver, type Zone } from '../../support/dns.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { createPki, type Pki } from '../../support/pki.ts'
import { type PolicyHost, type ResponseHandler, startPolicyHost, trust } from '../../support/policy-host.ts'
import { recordingQueue } from '../../support/queue.ts'
import { session } from '../../support/tls-sessions.ts'

const reporter = { organisation: 'Ours', address: 'postmaster@mx.ours.example', domain: 'mx.ours.example' }
const hour = 3_600_000
const firstRunMs = Date.parse('2026-02-04T01:10:00.000Z')

let database: TestDynamoDb
let pki: Pki
before(async () => {
  database = await startDynamoDb()
  pki = await createPki()
  trust(pki.ca)
})
after(() => database.stop())

let dayCount = 0
/** The day of the current test; each test has its own. */
let day: string
beforeEach(() => {
  day = new Date(Date.parse('2026-01-01') + dayCount++ * 86_400_000).toISOString().slice(0, 10)
})

/** Counts one session with each domain. */
async function count(...domains: string[]): Promise<void> {
  const at = new Date(`${day}T12:00:00.000Z`)
  const tally = new Tally()
  for (const domain of domains)
    tally.add(
      sessionCountsOf(session({}), at).map((counts) => ({ ...counts, domain })),
      at,
    )
  const counters = new SessionCounters(database.documents, database.transportTable)
  assert.equal(await counters.add(tally.drain(), 0.5, new AbortController().signal), null)
}

function createReporting(zone: Zone | FakeResolver) {
  const resolver = 'query' in zone ? zone : fakeResolver(zone)
  const evaluation = recordingQueue<EvaluationJob>()
  const stored = new Map<string, Buffer>()
  const results: ReportedResult[] = []
  let ids = 0
  return {
    evaluation,
    stored,
    results,
    resolver,
    /** @param hoursLater hours after the first run */
    run: (hoursLater = 0, hasTime = () => true): Promise<ReportRun> => {
      const now = () => new Date(firstRunMs + hoursLater * hour)
      return sendReports(day, {
        counters: new SessionCounters(database.documents, database.transportTable),
        claims: new Claims<SentReport>(database.documents, database.transportTable),
        resolver,
        reporter,
        send: (report, destination) =>
          sendReport(report, destination, {
            reporter,
            dkimKey: async () => null,
            store: async (key, octets) => {
              stored.set(key, octets)
              return contentReference('content', key, octets)
            },
            evaluation,
            https: { resolver, privateNetworks: ['127.0.0.0/8'] },
            delaySeconds: () => ids,
            id: () => `01KF0CVZT1${String(ids++).padStart(16, '0')}`,
            now,
          }),
        now,
        hasTime,
        onResult: (result) => results.push(result),
      })
    },
  }
}

const record = (domain: string, rua: string): Zone => ({
  txt: { [`_smtp._tls.${domain}`]: [`v=TLSRPTv1; rua=${rua}`] },
})
const none: ReportRun = {
  domains: 0,
  sent: 0,
  claimedElsewhere: 0,
  undeliverable: 0,
  failed: 0,
  failedQueries: 0,
  ranOutOfTime: false,
}

test('a TLS report to a mailto: address is sent to evaluation as a message from <>', async () => {
  await count('partner.example')
  const { run, evaluation, stored } = createReporting(
    record('partner.example', 'mailto:reports@partner.example'),
  )
  assert.deepEqual(await run(), { ...none, domains: 1, sent: 1 })
  const [outgoing, ...others] = evaluation.take()
  assert.deepEqual(others, [])
  const job = EvaluationJob.parse(outgoing?.job)
  const { message, recipients } = job
  assert.deepEqual([message.source, message.direction, message.envelope.mailFrom], [null, 'Originating', ''])
  assert.deepEqual(
    recipients.map(({ address }) => address),
    ['reports@partner.example'],
  )
  const octets = stored.get(message.content.key) ?? Buffer.alloc(0)
  assert.equal(message.size, octets.length)
  const reading = await readReportMail(octets)
  assert.equal(reading.kind === 'Report' && reading.content.begin, `${day}T00:00:00.000Z`)
})

test('a domain without a TLSRPT record, and a domain without sessions, get no TLS report', async () => {
  await count('silent.example')
  const { run, evaluation, resolver } = createReporting(record('other.example', 'mailto:a@other.example'))
  assert.deepEqual(await run(), { ...none, domains: 1 })
  assert.deepEqual(evaluation.take(), [])
  assert.deepEqual((resolver as FakeResolver).queries, ['TXT _smtp._tls.silent.example'])
})

test('each of two destinations gets the TLS report once in three runs, two of which are concurrent', async () => {
  await count('partner.example')
  const { run, evaluation } = createReporting(
    record('partner.example', 'mailto:a@partner.example,mailto:b@partner.example'),
  )
  const runs = await Promise.all([run(), run()])
  assert.equal(
    runs.reduce((sum, { sent }) => sum + sent, 0),
    2,
  )
  assert.deepEqual(await run(1), { ...none, domains: 1, claimedElsewhere: 2 })
  assert.equal(evaluation.take().length, 2)
})

test('a later run sends only the TLS report that the queue did not accept, after its claim expired', async () => {
  await count('partner.example')
  const { run, evaluation, results } = createReporting(
    record('partner.example', 'mailto:a@partner.example,mailto:b@partner.example'),
  )
  evaluation.failOnce()
  assert.deepEqual(await run(), { ...none, domains: 1, sent: 1, failed: 1 })
  assert.deepEqual(results.map(({ kind }) => kind).sort(), ['Failed', 'Sent'])
  assert.deepEqual(await run(0.1), { ...none, domains: 1, claimedElsewhere: 2 }, 'the claim is still valid')
  assert.deepEqual(await run(1), { ...none, domains: 1, sent: 1, claimedElsewhere: 1 })
  assert.deepEqual(
    evaluation
      .take()
      .map(({ job }) => job.recipients[0]?.address)
      .sort(),
    ['a@partner.example', 'b@partner.example'],
  )
})

test('the next run repeats the query for a TLSRPT record that failed', async () => {
  await count('partner.example')
  const failing = createReporting({ fail: { '_smtp._tls.partner.example': 'ESERVFAIL' } })
  assert.deepEqual(await failing.run(), { ...none, domains: 1, failedQueries: 1 })
  const fixed = createReporting(record('partner.example', 'mailto:a@partner.example'))
  assert.deepEqual(await fixed.run(1), { ...none, domains: 1, sent: 1 })
})

test('the next run sends the TLS reports for which the previous run had no time', async () => {
  const domains = Array.from({ length: 50 }, (_, index) => `d${String(index).padStart(2, '0')}.example`)
  await count(...domains)
  const zone = {
    txt: Object.assign({}, ...domains.map((domain) => record(domain, `mailto:a@${domain}`).txt)),
  }
  const { run, evaluation } = createReporting(zone)
  let timeChecks = 0
  const first = await run(0, () => ++timeChecks <= 30)
  assert.deepEqual(first, { ...none, domains: 30, sent: 30, ranOutOfTime: true })
  assert.deepEqual(await run(1), { ...none, domains: 50, sent: 20, claimedElsewhere: 30 })
  assert.equal(new Set(evaluation.take().map(({ job }) => job.recipients[0]?.address)).size, 50)
})

test('sendReports rejects when the table of claims fails', async () => {
  await count('partner.example')
  const { resolver } = createReporting(record('partner.example', 'mailto:a@partner.example'))
  await assert.rejects(
    sendReports(day, {
      counters: new SessionCounters(database.documents, database.transportTable),
      claims: new Claims<SentReport>(database.documents, 'no-such-table'),
      resolver,
      reporter,
      send: async () => assert.fail('nothing was claimed'),
      now: () => new Date(firstRunMs),
      hasTime: () => true,
      onResult: () => {},
    }),
    { name: 'ResourceNotFoundException' },
  )
})

describe('a TLS report over HTTPS', () => {
  let host: PolicyHost
  let answer: ResponseHandler
  let bodies: { type: string | undefined; body: Buffer }[]
  before(async () => {
    host = await startPolicyHost(
      await pki.issue({ names: ['reports.partner.example'] }),
      async (request, response) => {
        bodies.push({ type: request.headers['content-type'], body: await buffer(request) })
        answer(request, response)
      },
    )
  })
  after(() => host.stop())
  beforeEach(async () => {
    bodies = []
    host.requests.length = 0
    answer = (_, response) => response.writeHead(201).end()
    await count('partner.example')
  })
  const at = (address = host.address, name = 'reports.partner.example', path = '/v1/tlsrpt?key=1'): Zone => ({
    ...record('partner.example', `https://${name}${path}`),
    a: { [name]: [address] },
  })

  test('is posted once, as gzip of JSON', async () => {
    const { run, results } = createReporting(at())
    assert.deepEqual(await run(), { ...none, domains: 1, sent: 1 })
    assert.deepEqual(
      host.requests.map(({ method, path, host }) => `${method} ${host} ${path}`),
      ['POST reports.partner.example /v1/tlsrpt?key=1'],
    )
    assert.equal(bodies[0]?.type, 'application/tlsrpt+gzip')
    const report = JSON.parse(gunzipSync(bodies[0]?.body ?? '').toString())
    assert.equal(report['organization-name'], 'Ours')
    assert.equal(report.policies[0].summary['total-successful-session-count'], 1)
    assert.deepEqual(await run(1), { ...none, domains: 1, claimedElsewhere: 1 })
    assert.deepEqual(results, [
      {
        domain: 'partner.example',
        destination: 'https://reports.partner.example/v1/tlsrpt?key=1',
        kind: 'Sent',
        by: 'Https',
      },
    ])
  })

  test('is posted again by a later run when the server answered 503', async () => {
    const { run, results } = createReporting(at())
    answer = (_, response) => response.writeHead(503).end()
    assert.deepEqual(await run(), { ...none, domains: 1, undeliverable: 1 })
    assert.match(JSON.stringify(results), /reports\.partner\.example answered 503/)
    answer = (_, response) => response.writeHead(200).end('thanks')
    assert.deepEqual(await run(1), { ...none, domains: 1, sent: 1 })
  })

  test('is not posted to the target of a redirect', async () => {
    answer = (_, response) =>
      response.writeHead(307, { location: 'https://reports.partner.example/elsewhere' }).end()
    assert.deepEqual(await createReporting(at()).run(), { ...none, domains: 1, undeliverable: 1 })
    assert.equal(host.requests.length, 1)
  })

  test('is not posted to a private network', async () => {
    for (const [later, address] of ['10.0.0.1', '169.254.169.254', '192.168.1.1'].entries()) {
      const { run, results } = createReporting(at(address))
      assert.equal((await run(later)).undeliverable, 1)
      assert.match(JSON.stringify(results), /no address that may be used/)
    }
  })

  test('is not posted to a server with a certificate for another name', async () => {
    const { run, results } = createReporting(at(host.address, 'other.example'))
    assert.deepEqual(await run(), { ...none, domains: 1, undeliverable: 1 })
    assert.match(JSON.stringify(results), /the certificate is for reports\.partner\.example/)
    assert.deepEqual(host.requests, [])
  })
})
