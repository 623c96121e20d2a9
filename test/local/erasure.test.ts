/**
 * An erasure end to end: mail from and to an address is delivered, bounced, deferred and returned, refused, stored beside other
 * mail, sealed and searched for. Then everything that the runner has written is searched for the address.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, ListBucketsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import type { Message } from '../../shared/contract/message.ts'
import type { Erasure } from '../../shared/events/erasures.ts'
import { pseudonymOf } from '../../shared/events/erasures.ts'
import { unpackDetail } from '../../shared/messages/packed-detail.ts'
import { mailflow } from '../support/cli/mailflow.ts'
import { message, recipient } from '../support/fixtures.ts'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import {
  Api,
  messageIdIn,
  type RunnerProcess,
  SmtpClient,
  sendMessage,
  startRunner,
  waitForResult,
} from '../support/local/runner.ts'
import { readParquet } from '../support/sealed-events.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'
import { SealedHours } from './exactness/sealed-hours.ts'

const address = 'ann@ours.example'
const aws = { region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }
const state = mkdtempSync(join(tmpdir(), 'mailflow-erasure-'))
/** Recipients that the partner refuses while this is true. */
let isStrict = false

let partner: Partner
let runner: RunnerProcess
let api: Api
let s3: S3Client
let sqs: SQSClient
let documents: DynamoDBDocumentClient
let hours: SealedHours

before(
  async () => {
    partner = await startPartner({
      answer(command) {
        const [, to = ''] = /^RCPT TO:<(.*?)>/.exec(command) ?? []
        if (to.startsWith('later')) return `451 4.2.1 <${to}> try again`
        return to.startsWith('unknown') || (isStrict && to === address)
          ? `550 5.1.1 <${to}> unknown`
          : undefined
      },
    })
    runner = await startRunner({ names: {} }, ['--no-demo', '--state', state])
    api = new Api(runner.endpoints)
    s3 = new S3Client({ ...aws, endpoint: runner.endpoints.s3, forcePathStyle: true })
    sqs = new SQSClient({ ...aws, endpoint: runner.endpoints.sqs })
    documents = DynamoDBDocumentClient.from(
      new DynamoDBClient({ ...aws, endpoint: runner.endpoints.dynamodb }),
    )
    hours = new SealedHours(runner.endpoints)
    await setUpMailboxServer(api, { port: partner.port })
    await api.create('inbound', {
      name: 'our server',
      connectorType: 'OnPremises',
      senderDomains: ['ours.example'],
      senderIpAddresses: ['127.0.0.1'],
      requireTls: false,
    })
    await api.create('outbound', {
      name: 'anywhere',
      connectorType: 'Partner',
      recipientDomains: ['*'],
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.0.1', port: partner.port }],
    })
  },
  { timeout: 120_000 },
)

after(async () => {
  await runner?.stop()
  await partner?.stop()
  rmSync(state, { recursive: true, force: true })
})

const content = (from: string, to: string, id: string) =>
  `From: <${from}>\r\nTo: <${to}>\r\nMessage-ID: <${id}@${from.split('@')[1]}>\r\nSubject: ${id}\r\n\r\nDear ${to}\r\n`

const send = async (from: string, to: readonly string[], id: string): Promise<string> => {
  const reply = await waitForResult(async () => {
    const answer = await sendMessage(runner.endpoints, from, to, content(from, to[0] ?? '', id)).catch(
      () => '',
    )
    return answer.startsWith('250') ? answer : null
  })
  return messageIdIn(reply)
}

/** What is left of a text when those addresses are removed that only resemble the erased one. */
const withoutOthers = (text: string): string =>
  text.replaceAll(/joann@ours\.example|ann@ours\.example\.org/gi, '')
/** JSON doubles the backslashes of a quoted local part. */
const hasAddress = (text: string): boolean =>
  /a\\*n\\*n\\*"?(?:@|%40)ours\.example/i.test(withoutOthers(text))

async function objects(): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>()
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}))
  for (const { Name = '' } of Buckets)
    for (let token: string | undefined, isLast = false; !isLast; ) {
      const page = await s3.send(new ListObjectsV2Command({ Bucket: Name, ContinuationToken: token }))
      for (const { Key = '' } of page.Contents ?? []) {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: Name, Key }))
        found.set(`${Name}/${Key}`, Buffer.from((await Body?.transformToByteArray()) ?? []))
      }
      token = page.NextContinuationToken
      isLast = token === undefined
    }
  return found
}

const json = (value: unknown): string =>
  JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each))

async function textOf(key: string, octets: Buffer): Promise<string> {
  // The statistics of a Parquet file are beside its rows.
  if (key.endsWith('.parquet')) return `${json(await readParquet(octets))}${octets.toString('latin1')}`
  return (key.endsWith('.gz') ? gunzipSync(octets) : octets).toString('latin1')
}

/** The items of all tables, with packed attributes as they were before. */
async function items(): Promise<{ table: string; item: Record<string, unknown> }[]> {
  const found: { table: string; item: Record<string, unknown> }[] = []
  for (const table of Object.values(runner.endpoints.tables))
    for await (const { Items = [] } of paginateScan({ client: documents }, { TableName: table }))
      for (const each of Items) {
        const entries = Object.entries(each).map(([name, value]) => [name, unpacked(value)])
        found.push({ table, item: Object.fromEntries(entries) })
      }
  return found
}

function unpacked(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value
  try {
    return unpackDetail(value)
  } catch {
    return Buffer.from(value).toString('latin1')
  }
}

/** The messages of all queues, with those that wait and those that a function holds. */
async function queued(): Promise<string[]> {
  const urls = Object.values(runner.endpoints.queues)
  const bodies = await Promise.all(
    urls.map(async (url) => {
      const response = await fetch(`${runner.endpoints.sqs}/_fauxqs/queues/${url.split('/').at(-1)}`)
      const { messages } = (await response.json()) as { messages: object }
      return `${url} ${JSON.stringify(messages)}`
    }),
  )
  return bodies
}

/** The found that have the address. */
async function findAddress(): Promise<string[]> {
  const found: string[] = []
  for (const [key, octets] of await objects()) if (hasAddress(await textOf(key, octets))) found.push(key)
  for (const { table, item } of await items())
    if (hasAddress(json(item))) found.push(`${table} ${item.pk} ${item.sk}`)
  for (const queue of await queued()) if (hasAddress(queue)) found.push(queue.slice(0, 200))
  return found
}

/** Events by id, of all objects of a kind. */
async function events(prefix: 'raw' | 'parquet'): Promise<Map<string, Record<string, unknown>>> {
  const rows: Record<string, unknown>[] = []
  for (const [key, octets] of await objects()) {
    if (!key.includes(`/${prefix}/`)) continue
    if (prefix === 'parquet') rows.push(...(await readParquet(octets)))
    else
      for (const line of gunzipSync(octets).toString().split('\n'))
        if (line !== '') rows.push(JSON.parse(line))
  }
  return new Map(rows.map((row) => [String(row.id), row]))
}

const startedAt = Date.now()
const sealNow = () => hours.sealSince(startedAt)

/** The content of a message, by its trace item. */
async function contentOf(id: string): Promise<{ key: string; text: string }> {
  const found = (await items()).find(({ item }) => item.pk === id && item.sk === 'message')
  const { key, offset, length } = (found?.item.detail as Pick<Message, 'content'> | undefined)?.content ?? {}
  assert.ok(key !== undefined && offset !== undefined && length !== undefined, id)
  const octets = (await objects()).get(`${runner.endpoints.bucket}/${key}`)
  return { key, text: octets?.subarray(offset, offset + length).toString() ?? '' }
}

test('an erasure leaves the address nowhere, and changes nothing of other addresses', {
  timeout: 400_000,
}, async () => {
  // One segment has the mail of several clients that end at the same time.
  const clients = await Promise.all(Array.from({ length: 6 }, () => SmtpClient.open(runner.endpoints)))
  const replies = await Promise.all(
    clients.map((client, index) => {
      const from = index % 2 === 0 ? address : 'joann@ours.example'
      return client.send(
        from,
        ['bob@partner.example'],
        content(from, 'bob@partner.example', `beside-${index}`),
      )
    }),
  )
  for (const client of clients) client.close()
  const beside = replies.map(messageIdIn)
  const [, joanns = ''] = beside
  const toBoth = await send('carl@partner.example', [address, 'joann@ours.example'], 'to-both')
  const bounced = await send(address, ['unknown@partner.example'], 'bounced')
  const similar = await send('ann@ours.example.org', ['joann@ours.example'], 'similar')
  const quoted = await send('carl@partner.example', ['"a\\n\\n"@ours.example'], 'quoted')
  for (const id of [...beside, toBoth, bounced, similar, quoted])
    await api.settled(id, ['Delivered', 'Bounced'])
  isStrict = true
  const refusedLater = await send('carl@partner.example', [address], 'to-ann-bounced')
  await api.settled(refusedLater, ['Bounced'])
  isStrict = false
  // The recipient was written as an alias of the address.
  const client = await SmtpClient.open(runner.endpoints)
  for (const command of [
    'MAIL FROM:<carl@partner.example>',
    `RCPT TO:<joann@ours.example> ORCPT=rfc822;${address}`,
    'DATA',
  ])
    assert.match(await client.command(command), /^[23]/)
  client.write('Subject: alias\r\n\r\nto an alias\r\n.\r\n')
  const alias = messageIdIn(await client.reply())
  // A bare LF is refused at the end of data.
  await client.command(`MAIL FROM:<${address}>`)
  await client.command('RCPT TO:<bob@partner.example>')
  await client.command('DATA')
  client.write('Subject: refused\n\r\nbare\r\n.\r\n')
  assert.match(await client.reply(), /^5/)
  client.close()
  await api.settled(alias, ['Delivered'])

  const deferred = await send(address, ['later@partner.example', 'bob@partner.example'], 'deferred')
  await api.settled(deferred, ['Deferred', 'Delivered'])
  const refusal = await fetch(`${runner.endpoints.api}/addresses/${address}`, { method: 'DELETE' })
  const { detail } = (await refusal.json()) as { detail: string }
  assert.equal(refusal.status, 409)
  assert.match(
    detail,
    new RegExp(`^1 message of this address is neither delivered nor bounced: ${deferred}\\.`),
  )
  await api.call('POST', `/messages/${deferred}/return`)
  await api.settled(deferred, ['Bounced', 'Delivered'])

  // Dead letters: a copy of a job that has ended, and events that cannot be read.
  const copy: EvaluationJob = {
    message: message({ id: beside[0] ?? '', mailFrom: address }),
    recipients: [recipient({ address: 'bob@partner.example' })],
    notBefore: null,
  }
  for (const [queue, body] of [
    [runner.endpoints.queues.evaluationDeadLetters, JSON.stringify(copy)],
    [runner.endpoints.queues.eventsDeadLetters, `no event of ${address}`],
  ])
    await sqs.send(new SendMessageCommand({ QueueUrl: queue, MessageBody: body }))
  await waitForResult(async () => ((await sealNow()).Bounced ?? 0) >= 3 || null)
  const search = await api.call<{ id: string }>('POST', '/message-searches', { sender: address })
  await waitForResult(async () => {
    const { state: ended } = await api.call<{ state: string }>('GET', `/message-searches/${search.id}`)
    return ended === 'Running' ? null : (assert.equal(ended, 'Succeeded') ?? true)
  })
  const late = await send(address, ['bob@partner.example'], 'not-sealed')
  await api.settled(late, ['Delivered'])
  await waitForResult(async () => {
    const recorded = await events('raw')
    return (
      [...recorded.values()].some(({ kind, messageId }) => kind === 'Delivered' && messageId === late) || null
    )
  })
  await delay(3000)

  const found = await findAddress()
  for (const each of ['/raw/', '/parquet/', '/searches/', '/segments/', '/dsn/', ' rejected#', 'DeadLetters'])
    assert.ok(
      found.some((key) => key.includes(each)),
      `${each} has the address before`,
    )
  const segment = await contentOf(joanns)
  assert.ok(
    (await Promise.all(beside.map(contentOf))).filter(({ key }) => key === segment.key).length > 1,
    'one segment has several messages',
  )
  const before = { raw: await events('raw'), parquet: await events('parquet') }
  const othersBefore = await Promise.all([joanns, similar].map((id) => api.call('GET', `/messages/${id}`)))
  const contentBefore = await Promise.all([joanns, similar, alias].map(contentOf))

  const { id } = await api.call<{ id: string }>('DELETE', `/addresses/${encodeURIComponent(address)}`)
  await delay(100)
  runner.process.kill('SIGUSR2')
  const erasure = await waitForResult(
    async () => {
      // The signal may kill the function of the API too.
      const current = await api.call<Erasure>('GET', `/erasures/${id}`).catch(() => null)
      return current?.state === 'Running' ? null : current
    },
    500,
    240_000,
  )
  assert.deepEqual([erasure.state, erasure.reason, erasure.remaining], ['Succeeded', null, []])
  assert.ok(
    runner.stderrLines.some((line) => /SIGUSR2: killed [1-9]/.test(line)),
    'the function was killed',
  )
  // What was erased just before the function was killed is not counted.
  assert.ok(Object.values(erasure.erased).reduce((sum, count) => sum + count, 0) > 20)

  // The timer of the returned message is on its queue for a minute.
  await waitForResult(async () => ((await findAddress()).length === 0 ? true : null), 1000, 90_000).catch(
    async () => assert.deepEqual(await findAddress(), []),
  )

  const pseudonym = `${pseudonymOf(id)}@ours.example`
  const replaced = (rows: Map<string, Record<string, unknown>>) =>
    json([...rows.values()]).replaceAll(
      /(?<![\w.-])(?:ann|\\"a\\\\n\\\\n\\")@ours\.example(?!\.org)/gi,
      pseudonym,
    )
  for (const prefix of ['raw', 'parquet'] as const) {
    const rows = await events(prefix)
    const same = new Map([...before[prefix].keys()].map((key) => [key, rows.get(key) ?? {}]))
    assert.equal(json([...same.values()]), replaced(before[prefix]), prefix)
  }
  assert.deepEqual(
    await Promise.all([joanns, similar].map((each) => api.call('GET', `/messages/${each}`))),
    othersBefore,
  )
  assert.deepEqual(await Promise.all([joanns, similar, alias].map(contentOf)), contentBefore)
  const { recipients } = await api.settled(toBoth)
  assert.deepEqual(
    recipients.map(({ address: each }) => each),
    ['joann@ours.example'],
  )
  for (const each of [beside[0], bounced, quoted, refusedLater, deferred, late])
    await assert.rejects(api.call('GET', `/messages/${each}`), /404/, each)

  const { out, status } = await mailflow([
    'addresses',
    'erase',
    address,
    '--yes',
    '--api',
    runner.endpoints.api,
  ])
  assert.equal(status, 0)
  assert.match(out, /^messages erased from the trace +0$/m)
  const kinds = [...(await events('raw')).values()].filter(({ kind }) => kind === 'AddressErased')
  assert.ok(kinds.some(({ comment, actor }) => comment === id && String(actor).includes('user/local')))

  assert.equal(await runner.stop(), 0)
  const logs = readdirSync(runner.endpoints.logs)
  for (const name of logs.filter((each) => /^(Erasure|EventApi)Function/.test(each)))
    assert.ok(!hasAddress(readFileSync(join(runner.endpoints.logs, name), 'utf8')), name)
  await compact(join(state, 'tables'))
  const files = readdirSync(state, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
  assert.ok(files.length > 20)
  const named = files
    .map((file) => join(file.parentPath, file.name))
    .filter((path) => !relative(state, path).startsWith('logs'))
    .filter((path) => hasAddress(path) || hasAddress(contentOfFile(path)))
  assert.deepEqual(named, [])
})

const contentOfFile = (path: string): string => {
  const octets = readFileSync(path)
  return (path.endsWith('.gz') ? gunzipSync(octets) : octets).toString('latin1')
}

/** The emulator's database drops deleted entries when it compacts its files. */
async function compact(folder: string): Promise<void> {
  const { Level } = createRequire(import.meta.resolve('dynalite'))('level')
  const database = new Level(folder)
  await database.open()
  await database.compactRange('', '\uffff')
  await database.close()
}
