/**
 * The whole path of the counts: sessions with real servers, counted, reported by mail, received, returned by the API.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import { storeReport } from '../../../functions/deliver-message/store-report.ts'
import { sessionRecorder, writeSessionCounts } from '../../../functions/deliver-message/tls-sessions.ts'
import { sendReport } from '../../../functions/report-tls/send-report.ts'
import { type SentReport, sendReports } from '../../../functions/report-tls/send-reports.ts'
import { contentReference } from '../../../shared/content/content-reference.ts'
import type { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { deliverToHops, type SmtpDeliveryOptions } from '../../../shared/net/smtp-delivery.ts'
import { type MtaStsState, noMtaSts } from '../../../shared/policy/hop-facts.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { SessionCounters } from '../../../shared/tls-reports/counters.ts'
import { previousDay } from '../../../shared/tls-reports/days.ts'
import { ReceivedReports } from '../../../shared/tls-reports/received-reports.ts'
import { reportRequests } from '../../../shared/tls-reports/report-requests.ts'
import { Tally } from '../../../shared/tls-reports/tally.ts'
import { createTestApi } from '../../support/api-client.ts'
import { fakeResolver } from '../../support/dns.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { createPki } from '../../support/pki.ts'
import { recordingQueue } from '../../support/queue.ts'
import { type Partner, startPartner } from '../../support/smtp-partner.ts'
import { stsPolicy } from '../../support/tls-sessions.ts'

let senderDatabase: TestDynamoDb
let partnerDatabase: TestDynamoDb
let tlsServer: Partner
let plaintextServer: Partner
before(async () => {
  const { cert, key } = await (await createPki()).issue({ names: ['mx1.partner.example'] })
  ;[senderDatabase, partnerDatabase, tlsServer, plaintextServer] = await Promise.all([
    startDynamoDb(),
    startDynamoDb(),
    startPartner({ tls: { cert, key } }),
    startPartner(),
  ])
})
after(() =>
  Promise.all([senderDatabase.stop(), partnerDatabase.stop(), tlsServer.stop(), plaintextServer.stop()]),
)

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const key = {
  domain: 'ours.example',
  selector: 's',
  privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
}
const dns = fakeResolver({
  txt: {
    '_smtp._tls.partner.example': ['v=TLSRPTv1; rua=mailto:tlsrpt@partner.example'],
    's._domainkey.ours.example': [
      `v=DKIM1; k=rsa; s=tlsrpt; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`,
    ],
  },
})
const requestsReports = reportRequests({ resolver: dns, now: Date.now })
const reporter = { organisation: 'Ours', address: 'postmaster@mx.ours.example', domain: 'mx.ours.example' }
const sessionsAt = new Date('2026-02-03T23:59:00.000Z')
const runAt = new Date('2026-02-04T01:07:00.000Z')
const never = new AbortController().signal
const tools = {
  logger: new Logger({ logLevel: 'SILENT' }),
  metrics: new Metrics({ namespace: 'test', serviceName: 'test' }),
}

/** Sends one message to the partner, which causes sessions with its servers. */
async function send(
  tally: Tally,
  partner: Partner,
  host: string,
  variation: { header?: string; mtaSts?: MtaStsState } = {},
): Promise<void> {
  const { header = '', mtaSts = stsPolicy('testing', ['*.partner.example']) } = variation
  const content = Buffer.from(`${header}Subject: x\r\n\r\nbody\r\n`)
  const options: SmtpDeliveryOptions = {
    ehloName: 'mx.ours.example',
    resolver: dns,
    privateNetworks: ['127.0.0.0/8'],
    random: () => 0,
    timeouts: { connect: 5000, greeting: 5000, command: 5000, data: 5000 },
    mtaSts: async () => mtaSts,
    readCredentials: async () => assert.fail('no server requests a certificate'),
    signal: never,
    ...sessionRecorder(tally, { content }, () => sessionsAt),
  }
  const hop = {
    host,
    ip: '127.0.0.1',
    port: partner.port,
    foundBy: 'Mx',
    authentic: false,
    dane: { kind: 'None' },
  } as const
  const mail = {
    message: message(),
    recipients: [recipient({ address: 'b@partner.example' })],
    content,
    tls: opportunistic,
  }
  const outcomes = await deliverToHops([hop], mail, options)
  assert.equal(outcomes.get('b@partner.example')?.outcome, 'Delivered')
}

test('the API of the partner returns the sessions that a delivery counted and report-tls reported', async () => {
  const counters = new SessionCounters(senderDatabase.documents, senderDatabase.transportTable)
  for (let batch = 0; batch < 3; batch++) {
    const tally = new Tally()
    await send(tally, tlsServer, 'mx1.partner.example')
    await send(tally, plaintextServer, 'mx2.partner.example')
    await send(tally, plaintextServer, 'mx2.partner.example')
    await send(tally, tlsServer, 'mx3.partner.example', { mtaSts: noMtaSts })
    // RFC 8460 §3: a session that carries a report is not counted.
    await send(tally, tlsServer, 'mx1.partner.example', { header: 'TLS-Report-Domain: partner.example\r\n' })
    await writeSessionCounts(tally, { counters, requestsReports }, () => batch / 3, tools)
  }

  const evaluation = recordingQueue<EvaluationJob>()
  const stored = new Map<string, Buffer>()
  const run = await sendReports(previousDay(runAt), {
    counters,
    claims: new Claims<SentReport>(senderDatabase.documents, senderDatabase.transportTable),
    resolver: dns,
    reporter,
    send: (report, destination) =>
      sendReport(report, destination, {
        reporter,
        dkimKey: async () => key,
        store: async (name, octets) => {
          stored.set(name, octets)
          return contentReference('content', name, octets)
        },
        evaluation,
        https: { resolver: dns, privateNetworks: [] },
        delaySeconds: () => 0,
        id: () => '01KF0CVZT0ABCDEFGHJKMNPQRS',
        now: () => runAt,
      }),
    now: () => runAt,
    hasTime: () => true,
    onResult: () => {},
  })
  assert.equal(run.sent, 1)
  const [outgoing] = evaluation.take()
  assert.equal(outgoing?.job.recipients[0]?.address, 'tlsrpt@partner.example')

  const storedReport = await storeReport(
    { ...outgoing.job.message, envelope: outgoing.job.message.envelope },
    stored.get(outgoing.job.message.content.key) ?? Buffer.alloc(0),
    {
      reports: new ReceivedReports(partnerDatabase.documents, partnerDatabase.transportTable),
      resolver: dns,
      now: () => runAt,
      retentionDays: 90,
      signal: never,
    },
  )
  assert.equal(storedReport.kind, 'Kept')

  const { call } = createTestApi(partnerDatabase.documents, () => runAt.getTime())
  await call('PUT /accepted-domains/partner.example', { json: { comment: '' } })
  const list = await call('GET /tls-reports?domain=partner.example')
  const [summary] = list.body.items
  assert.deepEqual(
    [
      list.body.items.length,
      summary.organisation,
      summary.authenticated,
      summary.signedBy,
      summary.acceptedDomain,
    ],
    [1, 'Ours', 'pass', 'ours.example', true],
  )
  assert.deepEqual([summary.successfulSessions, summary.failedSessions], [3, 9])
  const { body } = await call(`GET /tls-reports/${summary.id}`)
  assert.deepEqual(
    body.policies
      .map(({ type, domain, mxHosts, successfulSessions, failures }: Record<string, unknown>) => [
        type,
        domain,
        mxHosts,
        successfulSessions,
        (failures as Record<string, unknown>[]).map(({ result, host, ip, sessions }) => [
          result,
          host,
          ip,
          sessions,
        ]),
      ])
      .sort(),
    [
      ['no-policy-found', 'partner.example', [], 3, []],
      [
        'sts',
        'partner.example',
        ['*.partner.example'],
        0,
        [
          ['starttls-not-supported', 'mx2.partner.example', '127.0.0.1', 6],
          ['certificate-not-trusted', 'mx1.partner.example', '127.0.0.1', 3],
        ],
      ],
    ],
  )
})
