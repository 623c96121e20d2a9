/**
 * Events end to end: what is put on the events queue is stored, sealed, and read with DuckDB, by Athena and through the API. The hours
 * are sealed on request, with Lambda's Invoke API.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { AthenaClient } from '@aws-sdk/client-athena'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { DuckDBInstance } from '@duckdb/node-api'
import type { MailEvent } from '../../shared/contract/events.ts'
import { EventQueue } from '../../shared/events/event-queue.ts'
import { EventSearch } from '../../shared/events/event-search.ts'
import { hourOf } from '../../shared/events/hours.ts'
import type { SealMarker } from '../../shared/events/seal-marker.ts'
import { mailflow } from '../support/cli/mailflow.ts'
import { Api, type RunnerProcess, startRunner, waitForResult } from '../support/local/runner.ts'
import { Random } from '../support/random.ts'
import { sampleEvents } from '../support/sample-events.ts'
import { SealedHours } from './exactness/sealed-hours.ts'

const aws = { region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }
const folder = mkdtempSync(join(tmpdir(), 'mailflow-events-'))
const now = Date.now()
const hour = hourOf(now)
const events: MailEvent[] = [
  ...sampleEvents(300, new Random(7), { from: now - 2000, to: now }),
  {
    id: '01KB0000000000000000000042',
    at: new Date(now).toISOString(),
    kind: 'Rejected',
    stage: 'Rcpt',
    clientIp: '192.0.2.77',
    sender: 'anna@refused.example',
    recipient: 'bob@ours.example',
    reply: '550 5.7.1 Relaying denied',
    softwareVersion: '0.2.0',
  },
]

let runner: RunnerProcess
let s3: S3Client
let sqs: SQSClient
let hours: SealedHours

before(
  async () => {
    runner = await startRunner({ names: {} })
    s3 = new S3Client({ ...aws, endpoint: runner.endpoints.s3, forcePathStyle: true })
    sqs = new SQSClient({ ...aws, endpoint: runner.endpoints.sqs })
    hours = new SealedHours(runner.endpoints)
  },
  { timeout: 120_000 },
)
after(async () => {
  rmSync(folder, { recursive: true })
  assert.equal(await runner.stop(), 0)
})

async function keysOf(prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(
    new ListObjectsV2Command({ Bucket: runner.endpoints.eventsBucket, Prefix: prefix }),
  )
  return Contents.map(({ Key = '' }) => Key)
}

async function download(prefix: string): Promise<void> {
  for (const key of await keysOf(prefix)) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: runner.endpoints.eventsBucket, Key: key }))
    mkdirSync(dirname(join(folder, key)), { recursive: true })
    writeFileSync(join(folder, key), (await Body?.transformToByteArray()) ?? '')
  }
}

test('events that are sent twice are counted once, and DuckDB reads them', { timeout: 60_000 }, async () => {
  const queue = new EventQueue(sqs, runner.endpoints.queues.events as string)
  await queue.send(events)
  await queue.send(events.slice(100))
  // The hour may end during the test.
  const total = await waitForResult(async () => {
    const recorded = [...new Set([hour, hourOf(Date.now())])]
    const markers: SealMarker[] = []
    for (const each of recorded) markers.push(...(await hours.seal({ hour: each })))
    const sum = (count: (marker: SealMarker) => number) => markers.reduce((all, each) => all + count(each), 0)
    const isComplete = sum(({ events: all, duplicates }) => all + duplicates) >= 2 * events.length - 100
    return isComplete
      ? { events: sum((each) => each.events), duplicates: sum((each) => each.duplicates) }
      : null
  })
  assert.deepEqual(total, { events: events.length, duplicates: events.length - 100 })

  await download('parquet/')
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const rows = await connection.runAndReadAll(
    `SELECT id, kind, size FROM read_parquet('${folder}/parquet/**/*.parquet', union_by_name = true)`,
  )
  assert.deepEqual(
    rows
      .getRowObjects()
      .map(({ id, kind, size }) => [id, kind, size])
      .sort(),
    events.map(({ id, kind, size = null }) => [id, kind, size]).sort(),
  )
})

test('a search by Athena reads the sealed events, and its result is in the bucket', {
  timeout: 60_000,
}, async () => {
  const athena = new AthenaClient({ ...aws, endpoint: runner.endpoints.athena })
  const search = new EventSearch(athena, { workgroup: 'Mailflow-searches', database: 'mailflow_events' })
  const id = await search.start(
    `SELECT kind, count(*) AS n FROM events WHERE day >= '${hour.slice(0, 10)}' GROUP BY kind ORDER BY kind`,
    'events by kind',
  )
  const status = await waitForResult(async () => {
    const current = await search.status(id)
    return current?.state === 'Running' ? null : current
  })
  assert.deepEqual([status?.state, status?.reason], ['Succeeded', null])
  const expected = Object.entries(Object.groupBy(events, ({ kind }) => kind))
    .map(([kind, { length }]) => [kind, String(length)])
    .sort()
  assert.deepEqual((await search.page(id, null)).rows, expected)
  assert.deepEqual(await keysOf('searches/'), [status?.resultKey])
})

test('a rejected session is in the list of rejected messages', async () => {
  const { items } = await new Api(runner.endpoints).call<{ items: MailEvent[] }>(
    'GET',
    '/messages?state=Rejected&sender=refused.example',
  )
  assert.deepEqual(items, events.slice(-1))
  const { out } = await mailflow(['messages', '--state', 'Rejected', '--wide', '--api', runner.endpoints.api])
  assert.match(
    out,
    /192\.0\.2\.77 +Rcpt +anna@refused\.example +bob@ours\.example +550 5\.7\.1 Relaying denied/,
  )
})

test('a message that is no event goes to the dead letters with the reason', async () => {
  const { queues } = runner.endpoints
  await sqs.send(new SendMessageCommand({ QueueUrl: queues.events as string, MessageBody: 'no event' }))
  const [letter] = await waitForResult(async () => {
    const { Messages } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queues.eventsDeadLetters as string,
        MessageAttributeNames: ['All'],
      }),
    )
    return Messages === undefined || Messages.length === 0 ? null : Messages
  })
  assert.equal(letter?.Body, 'no event')
  assert.equal(letter?.MessageAttributes?.reason?.StringValue, 'Line 1 of 1 is not an event.')
})

test('a scheduled run seals the last hour, and the next run finds nothing to seal', async () => {
  const markers = await hours.seal({ source: 'aws.events' })
  assert.deepEqual(
    markers.map(({ events: count }) => count),
    [0],
  )
  assert.deepEqual((await keysOf('seals/')).length, 1)
  assert.deepEqual(await hours.seal({ source: 'aws.events' }), [])
})
