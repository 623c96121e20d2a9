import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import {
  outcomesOfReport,
  type StoreReportResult,
  storeReport,
} from '../../../functions/deliver-message/store-report.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import type { SigningKey } from '../../../shared/net/signing-key.ts'
import { successDsnKind } from '../../../shared/policy/notification.ts'
import { ReceivedReports } from '../../../shared/tls-reports/received-reports.ts'
import { buildReport } from '../../../shared/tls-reports/report.ts'
import { buildReportMessage } from '../../../shared/tls-reports/report-mail.ts'
import { fakeResolver, type Zone } from '../../support/dns.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { attempt, message, recipient } from '../../support/fixtures.ts'

let database: TestDynamoDb
let reports: ReceivedReports
before(async () => {
  database = await startDynamoDb()
  reports = new ReceivedReports(database.documents, database.transportTable)
})
after(() => database.stop())

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const key: SigningKey = {
  domain: 'sender.example',
  selector: 'r',
  privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
}
const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64')
const published: Zone = { txt: { 'r._domainkey.sender.example': [`v=DKIM1; k=ed25519; p=${raw}`] } }

const reporter = { organisation: 'Sender', address: 'tlsrpt@mx.sender.example', domain: 'mx.sender.example' }
const report = buildReport(
  {
    domain: 'ours.example',
    policies: [
      {
        policy: { type: 'no-policy-found', domain: 'ours.example', strings: [], mxHosts: [] },
        successes: 7,
        failures: 0,
        details: [],
      },
    ],
  },
  '2026-02-03',
  reporter,
)
const at = new Date('2026-02-04T02:00:00.000Z')
const mail = (signing: SigningKey | null = key, about = report) =>
  buildReportMessage(
    about,
    { id: '01KF0CVZT0ABCDEFGHJKMNPQRS', to: 'tlsrpt@ours.example', at },
    reporter,
    signing,
  )

function store(
  content: Buffer,
  { zone = published, mailFrom = 'tlsrpt@mx.sender.example', table = reports } = {},
) {
  return storeReport(message({ receivedAt: at.toISOString(), mailFrom }), content, {
    reports: table,
    resolver: fakeResolver(zone),
    now: () => at,
    retentionDays: 90,
    signal: new AbortController().signal,
  })
}

/** Returns the attempt as the trace shows it. */
function attemptText(result: StoreReportResult): string {
  const outcome = outcomesOfReport(result, {
    recipients: [recipient({ address: 'tlsrpt@ours.example' })],
  }).get('tlsrpt@ours.example')
  return outcome ? `${outcome.outcome} ${formatReply(outcome.reply)}` : 'none'
}

test('a signed TLS report is stored and can be read', async () => {
  const result = await store(await mail())
  assert.equal(result.kind, 'Kept')
  const id = result.kind === 'Kept' ? result.report.id : ''
  assert.equal(attemptText(result), `Delivered 250 2.0.0 Stored as report ${id}`)
  const stored = await reports.get(id)
  assert.deepEqual(
    [stored?.organisation, stored?.authenticated, stored?.signedBy, stored?.successfulSessions],
    ['Sender', 'pass', 'sender.example', 7],
  )
})

test('a TLS report that arrives twice is stored once', async () => {
  const [first, second] = [await store(await mail()), await store(await mail())]
  assert.ok(first.kind === 'Kept' && second.kind === 'Kept')
  assert.equal(first.report.id, second.report.id)
})

test('an unsigned TLS report has another id than a signed report, and does not replace it', async () => {
  const [signed, forged] = [await store(await mail()), await store(await mail(null))]
  assert.ok(signed.kind === 'Kept' && forged.kind === 'Kept')
  assert.deepEqual([forged.report.authenticated, forged.report.signedBy], ['none', null])
  assert.notEqual(forged.report.id, signed.report.id)
})

test('a TLS report fails temporarily while DNS or the table fails', async () => {
  const noDns = await store(await mail(), { zone: { fail: { 'r._domainkey.sender.example': 'ETIMEOUT' } } })
  assert.equal(attemptText(noDns), 'TemporaryFailure 451 4.3.0 The report cannot be stored now')
  const noTable = new ReceivedReports(database.documents, 'no-such-table')
  assert.equal((await store(await mail(), { table: noTable })).kind, 'Failed')
})

for (const [name, content, why] of [
  ['octets', Buffer.alloc(4_194_305, 'a'), 'is larger than 4194304 octets'],
  [
    'lines',
    Buffer.from(`From: a@sender.example\r\n\r\n${' \r\n'.repeat(65_600)}`),
    'has more than 65536 lines',
  ],
] as const)
  test(`a message with too many ${name} is ignored without a DNS query for its signature`, async () => {
    let queryCount = 0
    const result = await storeReport(message({ mailFrom: 'a@sender.example' }), content, {
      reports,
      resolver: {
        query: async () => {
          queryCount += 1
          return { kind: 'Failed', code: 'ETIMEOUT', bogus: false }
        },
      },
      now: () => at,
      retentionDays: 90,
      signal: new AbortController().signal,
    })
    assert.equal(attemptText(result), `Delivered 250 2.0.0 Ignored: not a TLS report: it ${why}`)
    assert.equal(queryCount, 0)
  })

test('a report of maximum size in base64 does not exceed the limit of lines', async () => {
  const encoded = Buffer.alloc(3_000_000).toString('base64').match(/.{76}/g) ?? []
  const result = await store(
    Buffer.from(
      `From: a@sender.example\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n${encoded.join('\r\n')}`,
    ),
  )
  assert.match(attemptText(result), /cannot be unpacked/)
})

const letter = Buffer.from('From: a@elsewhere.example\r\nSubject: hello\r\n\r\nHello?\r\n')

test('NOTIFY=SUCCESS gets a DSN for a stored report, and no DSN for ignored mail', async () => {
  const to = recipient({ address: 'tlsrpt@ours.example', notify: ['SUCCESS'] })
  const dsnKindOf = (result: StoreReportResult) => {
    const outcome = outcomesOfReport(result, { recipients: [to] }).get(to.address)
    return successDsnKind({ lastAttempt: attempt(outcome) }, true)
  }
  assert.equal(dsnKindOf(await store(await mail())), 'delivered')
  assert.equal(dsnKindOf(await store(letter)), null)
})

test('mail without a report to the report address is ignored, because its sender is usually forged', async () => {
  assert.match(
    attemptText(await store(letter)),
    /^Delivered 250 2\.0\.0 Ignored: not a TLS report: it has no part of type application\/tlsrpt\+gzip/,
  )
})

test('an invalid report bounces when its signature is valid and of the sender domain, and is ignored otherwise', async () => {
  const old = await mail(key, buildReport({ domain: 'ours.example', policies: [] }, '2020-02-03', reporter))
  assert.match(
    attemptText(await store(old)),
    /^PermanentFailure 554 5\.6\.0 Not a TLS report: date-range: 2020-02-03/,
  )
  assert.match(
    attemptText(await store(old, { mailFrom: 'a@victim.example' })),
    /^Delivered 250 2\.0\.0 Ignored/,
  )
  assert.match(attemptText(await store(old, { mailFrom: 'a@notsender.example' })), /^Delivered/)
  assert.match(attemptText(await store(old, { mailFrom: '' })), /^Delivered/)
  assert.match(attemptText(await store(old, { zone: {} })), /^Delivered/)
})
