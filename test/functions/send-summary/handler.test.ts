/** send-summary as a schedule invokes it, with its environment and clients. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, beforeEach, type TestContext, test } from 'node:test'
import type { SummaryRun } from '../../../functions/send-summary/send-summaries.ts'
import { type DnsServer, startDnsServer } from '../../../infra/local/dns/server.ts'
import { EvaluationJob } from '../../../shared/contract/jobs.ts'
import { sealKey } from '../../../shared/events/event-keys.ts'
import { hoursBetween } from '../../../shared/events/hours.ts'
import { createResolver } from '../../../shared/net/resolver.ts'
import { verifySigner } from '../../../shared/tls-reports/verify-signer.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { type FakeS3AndSqs, startS3AndSqs } from '../../support/fake-s3-sqs.ts'
import { type FakeSecrets, startSecrets } from '../../support/fake-secrets.ts'
import { setEnvironment } from '../../support/lambda.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const zone = {
  names: {
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
let handler: (event?: unknown) => Promise<SummaryRun>

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
    MAIL_HOSTNAME: 'mx.ours.example',
    EVENTS_BUCKET: 'events',
    MESSAGES_TABLE: database.messagesTable,
    TRANSPORT_TABLE: database.transportTable,
    CONTENT_BUCKET: 'content',
    EVALUATION_QUEUE_URL: `${storage.url}/queue`,
    SUMMARY_SENDER: 'mailflow@ours.example',
    DAILY_SUMMARIES_TO: 'ann@ours.example,bob@ours.example',
    WEEKLY_SUMMARIES_TO: 'ann@ours.example',
    DKIM_DOMAIN: 'ours.example',
    DKIM_SELECTOR: 's1',
    DKIM_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:mailflow/dkim-AbCdEf',
  })
  handler = (await import('../../../functions/send-summary/handler.ts')).handler
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

/** Stores the seals from two days before a day to the second hour after it, and one message of the day. */
async function sealDay(day: string, without: readonly string[] = []): Promise<void> {
  const events = new SealedEvents()
  const before = new Date(Date.parse(day) - 48 * 3_600_000).toISOString().slice(0, 10)
  const next = new Date(Date.parse(day) + 24 * 3_600_000).toISOString().slice(0, 10)
  for (const hour of hoursBetween(`${before}T00`, `${next}T01`)) {
    if (hour === `${day}T10`)
      await events.record(hour, [
        {
          id: 'event1',
          at: `${hour}:05:00.000Z`,
          kind: 'Accepted',
          direction: 'Incoming',
          messageId: 'M1',
          partner: 'büro.example',
          clientIp: '192.0.2.1',
          softwareVersion: '1',
        },
      ])
    await events.seal(hour)
    if (without.includes(hour)) events.store.objects.delete(sealKey(hour, { shard: 0, shards: 1 }))
  }
  for (const [key, object] of events.store.objects) storage.objects.set(key, object)
}

const scheduled = { source: 'aws.events', 'detail-type': 'Scheduled Event', time: 'whenever' }
const setTime = (context: TestContext, now: string) =>
  context.mock.timers.enable({ apis: ['Date'], now: Date.parse(now) })

const jobs = () => storage.sent.map(({ MessageBody }) => EvaluationJob.parse(JSON.parse(MessageBody)))
const mails = () =>
  [...storage.objects].filter(([key]) => key.startsWith('reports/')).map(([, octets]) => octets)
const run = (fields: Partial<SummaryRun>): SummaryRun => ({
  sent: 0,
  alreadySent: 0,
  waiting: 0,
  failed: 0,
  ...fields,
})

test('two scheduled runs send the signed summary of the previous day once to each mailbox', async (context) => {
  await sealDay('2026-02-03')
  setTime(context, '2026-02-04T02:30:10.000Z')
  assert.deepEqual(await handler(scheduled), run({ sent: 2 }))
  assert.deepEqual(await handler(scheduled), run({ alreadySent: 2 }))
  assert.deepEqual(
    jobs().map(({ message, recipients }) => [
      message.envelope.mailFrom,
      recipients.map(({ address }) => address),
      message.direction,
    ]),
    [
      ['', ['ann@ours.example'], 'Originating'],
      ['', ['bob@ours.example'], 'Originating'],
    ],
  )
  assert.equal(mails().length, 2)
  const [octets = Buffer.alloc(0)] = mails()
  const signer = await verifySigner(
    octets,
    createResolver([`127.0.0.1:${dns.port}`]),
    new AbortController().signal,
  )
  assert.deepEqual(signer, { kind: 'Known', authenticated: 'pass', signedBy: 'ours.example' })
  const [header = '', body = ''] = octets.toString('latin1').split(/\r\n\r\n(.*)/s)
  const id = jobs()[0]?.message.headerMessageId
  for (const field of [
    'From: mailflow <mailflow@ours.example>',
    'To: ann@ours.example',
    'Subject: mailflow: day 2026-02-03, mx.ours.example',
    'Date: Wed, 04 Feb 2026 02:30:10 +0000',
    `Message-ID: ${id}`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
  ])
    assert.ok(
      header.split('\r\n').some((line) => line.toLowerCase() === field.toLowerCase()),
      `${field}\n${header}`,
    )
  assert.match(body, /^Every hour is sealed, and no event is missing\.\r$/m)
  assert.match(body, /^Accepted +1 {2}messages from clients\r$/m)
  assert.match(body, /^ {2}1 {2}Inbound {2}b=C3=BCro\.example\r$/m)
  assert.ok(
    octets
      .toString('latin1')
      .split('\r\n')
      .every((line) => line.length <= 998),
  )
})

test('on Mondays the summary of the week follows', async (context) => {
  await sealDay('2026-02-08')
  setTime(context, '2026-02-09T02:30:10.000Z')
  assert.deepEqual(await handler(scheduled), run({ sent: 3 }))
  const subjects = mails().map((octets) => /^Subject: (.*)\r$/m.exec(octets.toString())?.[1])
  assert.deepEqual(subjects.sort(), [
    'mailflow: day 2026-02-08, mx.ours.example',
    'mailflow: day 2026-02-08, mx.ours.example',
    'mailflow: week 2026-02-02 to 2026-02-08, mx.ours.example',
  ])
})

test('a summary waits for the seals of its day until the last run, whose numbers may still grow', async (context) => {
  await sealDay('2026-02-04', ['2026-02-04T20'])
  setTime(context, '2026-02-05T02:30:10.000Z')
  assert.deepEqual(await handler(scheduled), run({ waiting: 2 }))
  assert.deepEqual(mails(), [])
  context.mock.timers.setTime(Date.parse('2026-02-05T05:30:10.000Z'))
  assert.deepEqual(await handler(scheduled), run({ sent: 2 }))
  assert.match(String(mails()[0]), /^Numbers from 2026-02-04 20:00 on may still grow/m)
})

test('a failed run throws, so that Lambda repeats it, and the next run sends the summary', async (context) => {
  await sealDay('2026-02-05')
  secrets.keep('mailflow/dkim', '{"certificate":"x"}')
  setTime(context, '2026-02-06T02:30:10.000Z')
  await assert.rejects(handler(scheduled), /2 summaries could not be sent/)
  assert.deepEqual([mails(), storage.sent], [[], []])
  secrets.keep('mailflow/dkim', JSON.stringify({ privateKey: pem }))
  assert.deepEqual(await handler(scheduled), run({ sent: 2 }))
})

test('an event with "day" sends the summary of that day; one that has not ended needs "unfinished", and is sent again', async (context) => {
  await sealDay('2026-02-10')
  setTime(context, '2026-02-11T12:00:00.000Z')
  assert.deepEqual(await handler({ day: '2026-02-10' }), run({ sent: 2 }))
  await assert.rejects(handler({ day: '2026-02-11' }), /2026-02-11 has not ended/)
  await assert.rejects(handler({ day: 'yesterday' }), /day/)
  assert.deepEqual(await handler({ day: '2026-02-11', unfinished: true }), run({ sent: 2 }))
  assert.deepEqual(await handler({ day: '2026-02-11', unfinished: true }), run({ sent: 2 }))
})
